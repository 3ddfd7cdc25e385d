"""A release, done for real: charts go to a registry of this test, and what comes from there is bound to its images."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

from support.charts import CHARTS, LIBRARIES, helm, of_kind, pods
from support.pipeline.registry import Registry, logged_in
from support.repository import ROOT

integration = pytest.mark.integration
VERSION = "1.2.3"
RELEASED = ROOT / "build" / "release"


def make(*arguments):
    return subprocess.run(
        ["make", "-s", *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=280
    )


def test_a_version_without_an_entry_in_the_changelog_is_not_released():
    done = make("changelog", "VERSION=v99.0.0")
    assert done.returncode != 0
    assert "CHANGELOG.md has no entry for 99.0.0" in done.stderr


def test_the_entry_of_a_version_is_what_stands_under_its_heading():
    assert make("changelog").returncode == 0
    written = (RELEASED / "changelog.md").read_text()
    assert written.strip()
    assert written in (ROOT / "CHANGELOG.md").read_text()
    assert not re.search(r"^## \[", written, re.MULTILINE)


@pytest.mark.parametrize(("version", "same_as"), [("99.0.0-rc.1", "Unreleased"), ("99.0.0-alpha.12", "Unreleased")])
def test_a_pre_release_tells_what_is_to_come(version, same_as):
    assert make("changelog", f"VERSION={same_as}").returncode == 0
    to_come = (RELEASED / "changelog.md").read_text()

    done = make("changelog", f"VERSION=v{version}")

    assert done.returncode == 0, done.stderr
    assert (RELEASED / "changelog.md").read_text() == to_come
    assert f"the entry of {version} is in" in done.stderr


@pytest.mark.parametrize(
    ("version", "released", "python"),
    [
        ("v1.2.3", "1.2.3", "1.2.3"),
        ("1.2.3-rc.1", "1.2.3-rc.1", "1.2.3rc1"),
        ("v1.2.0-alpha.10", "1.2.0-alpha.10", "1.2.0a10"),
        ("v1.2.0-beta.2", "1.2.0-beta.2", "1.2.0b2"),
    ],
)
def test_a_version_is_written_as_charts_and_as_packages_write_it(version, released, python):
    script = f'. ci/lib.sh; named=$(to_release {version}); echo "$named"; python_version "$named"'
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == [released, python]
    assert str(Version(released)) == python, "pip and Helm order them alike"


@pytest.mark.parametrize("target", ["release-images", "release-charts", "release-packages"])
@pytest.mark.parametrize("version", ["latest", "1.2", "v1.2.3-$(id)", "v1.2.3-rc1", "v1.2.3-rc.1-x", "v1.2.3+1",
                                     "v01.2.3", "v1.02.3", "v1.2.3-rc.01"])  # fmt: skip
def test_what_is_no_version_is_refused_before_anything_is_pushed(target, version):
    script = f"ci/{target.removeprefix('release-')}.sh"
    done = subprocess.run(
        [script, "release", version, "127.0.0.1:1/x"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode != 0
    assert "is no version to release" in done.stderr + done.stdout


@pytest.mark.parametrize(("said", "absent"), [
    ("Error response from daemon: manifest for r/x:1 not found: manifest unknown: manifest unknown", True),
    ('Error response from daemon: failed to resolve reference "r/x:1": r/x:1: not found', True),
    ("Error response from daemon: name unknown: repository name not known to registry", True),
    ("Error: r/charts/x:1: not found", True),
    ("Error: pull access denied for x, repository does not exist or may require 'docker login'", False),
    ("denied: requested access to the resource is denied\nmanifest unknown", False),
    ("Error response from daemon: unknown: service unavailable", False),
    ("tls: failed to verify certificate: x509: certificate signed by unknown authority", False),
    ("dial tcp: lookup r: no such host", False),
    ("docker: command not found", False),
    ("sh: docker: not found", False),
    ("", False),
])  # fmt: skip
def test_what_a_registry_has_not_said_is_not_taken_for_no(said, absent):
    """Else a release would be pushed over one that is there, as soon as its registry is out of order for a moment."""
    shell = '. ci/lib.sh; absent "$0"'
    done = subprocess.run(["bash", "-c", shell, said], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == absent, done.stderr


def test_one_rule_says_which_tags_release():
    """It stands in each pipeline that GitLab reads by itself, in the same words."""
    files = [ROOT / "ci/release.gitlab-ci.yml", *sorted((ROOT / "templates").glob("*.yml"))]
    rules = [rule for path in files for rule in re.findall(r"CI_COMMIT_TAG =~ /(\^.*?\$)/", path.read_text())]
    [whole, *others] = sorted(set(rules), key=len, reverse=True)
    assert len(rules) >= 5
    assert others == [re.sub(r"\(-\(alpha.*\)\?\$$", "$", whole)], "a release without what may come before it"
    for tag in ("v0.3.0", "v1.20.3", "v1.2.3-rc.10", "v1.2.3-alpha.0"):
        assert re.fullmatch(whole, tag)
        assert run_shell(f". ci/lib.sh; to_release {tag}") == 0
    for tag in ("v01.2.3", "v1.2", "1.2.3-rc", "v1.2.3-rc.01", "v1.2.3-gamma.1"):
        assert not re.fullmatch(whole, tag)
        assert run_shell(f". ci/lib.sh; to_release {tag}") != 0


def run_shell(text):
    return subprocess.run(["bash", "-c", text], cwd=ROOT, capture_output=True, check=False).returncode


@pytest.mark.parametrize("target", ["push", "pull", "review", "review-stop", "promote", "rollback"])
def test_a_target_without_its_argument_says_which(target):
    done = make(target, "NAMESPACE=")
    assert done.returncode != 0
    assert re.search(r"error: no (registry|name|service)\..*[A-Z]+=", done.stderr + done.stdout), done.stderr


@pytest.mark.parametrize("name", ["../shop", "Shop", "a" * 64, "-x"])
def test_a_review_environment_has_a_name_that_a_namespace_can_have(name):
    done = subprocess.run(["ci/review.sh", "stop", name], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode != 0
    assert "is no name for an environment" in done.stderr


@pytest.fixture(scope="module", name="registry")
def _registry(run_folder):
    """One that asks who comes; who we are is said to each target by its environment."""
    (run_folder / "registry").mkdir()
    with pytest.MonkeyPatch.context() as patch, Registry(run_folder / "registry") as address:
        for name, value in logged_in(run_folder / "registry").items():
            patch.setenv(name, value)
        yield address


@pytest.fixture(scope="module", name="released")
def _released(registry):
    done = make("release-charts", f"VERSION=v{VERSION}", f"REGISTRY={registry}/shop")
    assert done.returncode == 0, done.stdout + done.stderr


@integration
@pytest.mark.usefixtures("released")
def test_a_chart_of_another_repository_is_built_on_the_library_by_its_version(registry, tmp_path):
    about = {
        "apiVersion": "v2", "name": "parcels", "version": "0.1.0", "appVersion": "1.0.0", "kubeVersion": ">=1.30.0-0",
        "dependencies": [{"name": "service", "version": VERSION, "repository": f"oci://{registry}/shop/charts"}],
    }  # fmt: skip
    values = {
        "image": {"repository": "registry.example.org/parcels"},
        "database": {"secretName": "dev-postgresql", "secretKey": "parcels-url"},
        "kafka": {"bootstrapServers": "dev-kafka.shop:9092"},
    }
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(about))
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    (tmp_path / "templates" / "all.yaml").write_text('{{ include "service.all" . }}\n')
    fetched = helm("dependency", "update", tmp_path, "--plain-http")
    assert fetched.returncode == 0, fetched.stderr

    shown = helm("template", "parcels", tmp_path)

    assert shown.returncode == 0, shown.stderr
    objects = [item for item in yaml.safe_load_all(shown.stdout) if item]
    images = {each["image"] for _, spec, _ in pods(objects) for each in spec["containers"]}
    assert images == {"registry.example.org/parcels:1.0.0"}
    assert {each["metadata"]["name"] for each in of_kind(objects, "Deployment")} == {
        "parcels-http", "parcels-consumer", "parcels-relay",
    }  # fmt: skip


@integration
@pytest.mark.usefixtures("released")
def test_charts_from_the_registry_run_the_images_of_their_version(registry):
    shown = helm("template", "r", f"oci://{registry}/shop/charts/platform", "--version", VERSION, "--plain-http")

    assert shown.returncode == 0, shown.stderr
    objects = [item for item in yaml.safe_load_all(shown.stdout) if item]
    images = {each["image"] for _, spec, _ in pods(objects) for each in spec["containers"]}
    ours = {image for image in images if "/slipway/" in image}
    assert len(ours) >= 5
    assert all(re.fullmatch(rf"{registry}/shop/slipway/[a-z]+:{VERSION}", image) for image in ours), ours
    assert {image for image in images - ours if "slipway" in image} == set()


@integration
def test_who_is_not_known_to_the_registry_is_told(registry, monkeypatch):
    monkeypatch.setenv("REGISTRY_PASSWORD", "guessed")
    done = make("release-charts", f"VERSION=v{VERSION}", f"REGISTRY={registry}/shop")

    assert done.returncode != 0
    assert "Check REGISTRY_USER and REGISTRY_PASSWORD" in done.stderr
    assert "guessed" not in done.stdout + done.stderr


@integration
def test_a_version_is_made_once(registry):
    """An interrupted release is taken up again, and what users may have already stays as it is."""
    release = ("release-charts", f"VERSION=v{VERSION}", f"REGISTRY={registry}/once")
    assert make(*release).returncode == 0
    before = (RELEASED / "charts" / "SHA256SUMS").read_text()

    done = make(*release)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"orders {VERSION} is in the registry already" in done.stderr
    assert "push orders" not in done.stderr
    assert (RELEASED / "charts" / "SHA256SUMS").read_text() == before


@integration
@pytest.mark.soak
def test_another_chart_of_a_version_that_is_released_is_refused(registry, tmp_path):
    """Of a tag that was moved, say."""
    copy = checkout(tmp_path)
    values = copy / "charts" / "orders" / "values.yaml"
    values.write_text(values.read_text() + "# moved\n")
    release = ("release", f"v{VERSION}", f"{registry}/moved")
    done = subprocess.run([copy / "ci/charts.sh", *release], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    refused = subprocess.run(["ci/charts.sh", *release], capture_output=True, text=True, check=False, cwd=ROOT)

    assert refused.returncode != 0
    assert f"chart orders {VERSION} is released already, and is not this one" in refused.stderr


def checkout(folder):
    parts = ["ci", "charts", "services", "operator", "Makefile", "CHANGELOG.md"]
    subprocess.run(["cp", "-r", *parts, folder], check=True, cwd=ROOT)
    return folder


@integration
def test_artifact_hub_is_told_what_changed(tmp_path):
    """By the changelog: a copy of the checkout has an entry for the version."""
    log = checkout(tmp_path) / "CHANGELOG.md"
    entry = '## [7.8.9]\n\n### Added\n- One "thing": it has\n  two lines.\n- Another.\n\n'
    log.write_text(log.read_text().replace("## [Unreleased]", f"{entry}## [Unreleased]", 1))

    done = subprocess.run([tmp_path / "ci" / "charts.sh", "release", "v7.8.9", ""],
                          capture_output=True, text=True, check=False)  # fmt: skip

    assert done.returncode == 0, done.stderr
    about = yaml.safe_load(helm("show", "chart", tmp_path / "build/release/charts/orders-7.8.9.tgz").stdout)
    assert yaml.safe_load(about["annotations"]["artifacthub.io/changes"]) == [
        'One "thing": it has two lines.',
        "Another.",
    ]


@integration
def test_signed_packages_are_pushed_with_their_signature(registry, tmp_path, monkeypatch):
    def gpg(*arguments):
        return subprocess.run(
            ["gpg", "--homedir", str(tmp_path), "--batch", *arguments], capture_output=True, check=True, timeout=120
        ).stdout

    tmp_path.chmod(0o700)
    gpg("--passphrase", "", "--quick-gen-key", "Releases <releases@example.org>", "rsa3072", "sign", "1d")
    (tmp_path / "secret.asc").write_bytes(gpg("--export-secret-keys", "--armor"))  # a pipeline's variables are text
    (tmp_path / "public.gpg").write_bytes(gpg("--export"))
    subprocess.run(["gpgconf", "--homedir", str(tmp_path), "--kill", "gpg-agent"], check=True)
    monkeypatch.setenv("CHART_SIGNING_KEYRING", str(tmp_path / "secret.asc"))
    release = ("release-charts", f"VERSION=v{VERSION}", f"REGISTRY={registry}/signed")

    done = make(*release)
    assert done.returncode != 0
    assert "Set CHART_SIGNING_KEY to its name" in done.stderr

    monkeypatch.setenv("CHART_SIGNING_KEY", "Releases")
    done = make(*release)
    assert done.returncode == 0, done.stdout + done.stderr
    pulled = helm(
        "pull", f"oci://{registry}/signed/charts/platform", "--version", VERSION, "--plain-http",
        "--verify", "--keyring", tmp_path / "public.gpg", "--destination", tmp_path,
    )  # fmt: skip
    assert pulled.returncode == 0, pulled.stderr
    assert "Signed by: Releases" in pulled.stdout + pulled.stderr


@integration
def test_each_package_has_its_version_and_a_checksum(registry):
    packages = sorted((RELEASED / "charts").glob("*.tgz"))  # those of the last test, which are signed
    assert {path.name for path in packages} == {
        f"{path.name}-{VERSION}.tgz" for path in CHARTS.iterdir() if path.is_dir()
    }
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], capture_output=True, check=False, cwd=RELEASED / "charts")
    assert sums.returncode == 0
    for path in packages:
        chart = yaml.safe_load(helm("show", "chart", path).stdout)
        assert chart["version"] == VERSION
        assert chart["name"] in LIBRARIES or chart["appVersion"] == VERSION
        assert {each["version"] for each in chart.get("dependencies", [])} <= {VERSION}
    assert not [path for path in Path(CHARTS).glob("*/Chart.yaml") if VERSION in path.read_text()]
