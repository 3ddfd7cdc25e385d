"""The packages of a release: what is in them, that they install without the checkout, and that they are made once."""

import email
import json
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml

from support.pipeline.package_index import PackageIndex
from support.repository import ROOT
from support.tools import tool

pytestmark = pytest.mark.integration
VERSION = "1.2.3"
BUILT = ROOT / "build" / "packages"
NAMES = {"slipway_chassis", "slipway_cli", "slipway_contracts", "slipway_gateway", "slipway_operator"}
ARCHIVE = "https://example.org/kubectl-slipway.tar.gz?job=release+packages&x=1"
WHEELS = {f"{name}-{VERSION}-py3-none-any.whl" for name in NAMES}
ORDERS = ROOT / "services" / "orders" / "contracts"


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=280, **options
    )


def release(address):
    command = ("make", "-s", "release-packages", f"VERSION=v{VERSION}", f"INDEX={address}")
    known = (f"ARCHIVE_URL={ARCHIVE}", "UV_PUBLISH_USERNAME=me", "UV_PUBLISH_PASSWORD=secret")
    done = run("env", *known, *command)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module", name="released")
def _released():
    index = PackageIndex()
    with index as address:
        code, said = release(address)
        assert code == 0, said
        yield index, address


def test_all_are_uploaded_with_one_version(released):
    index, _ = released
    assert index.files.keys() == WHEELS


@pytest.mark.parametrize("wheel", sorted(WHEELS))
def test_each_has_its_licence_its_description_and_parts_of_the_same_minor(released, wheel):
    with zipfile.ZipFile(BUILT / wheel) as files:
        names = files.namelist()
        [place] = [name for name in names if name.endswith(".dist-info/METADATA")]
        said = email.message_from_bytes(files.read(place))
        assert files.read(place.replace("METADATA", "licenses/LICENSE")) == (ROOT / "LICENSE").read_bytes()

    assert (said["Version"], said["License-Expression"]) == (VERSION, "Apache-2.0")
    assert said["Name"] in said.get_payload()
    assert said["Summary"]
    assert len(said.get_all("Project-URL")) == 2
    parts = [one.partition(";")[0].strip() for one in said.get_all("Requires-Dist") if one.startswith("slipway-")]
    assert all(part.endswith("~=1.2.0") for part in parts), parts
    assert bool(parts) is (said["Name"] != "slipway-contracts")
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_contracts_alone_compare_two_folders(released, tmp_path):
    environment = tmp_path / "environment"
    assert run("ci/uv.sh", "venv", "-q", "--python", ROOT / ".venv/bin/python", environment).returncode == 0
    python = environment / "bin" / "python"
    done = run("ci/uv.sh", "pip", "install", "-q", "--python", python, "--constraints", "requirements.lock",
               "--find-links", BUILT, f"slipway-contracts=={VERSION}")  # fmt: skip
    assert done.returncode == 0, done.stderr
    there = json.loads(run("ci/uv.sh", "pip", "list", "--python", python, "--format", "json").stdout)
    assert {one["name"] for one in there} == {"slipway-contracts", "click", "google-re2", "protobuf", "urllib3"}

    for name in ("old", "new"):
        shutil.copytree(ORDERS, tmp_path / name / "contracts")
    check = (environment / "bin" / "slipway-contracts", "check", "--root", "new", "--against", "old")
    alone = subprocess.run(check, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "consumer-service-unknown" in alone.stdout, alone.stdout + alone.stderr
    others = [part for name in ("users", "inventory") for part in ("--registry", ROOT / "services" / name)]
    whole = subprocess.run([*check, *others], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (whole.returncode, whole.stdout) == (0, "1 services compared with old: nothing breaks\n"), whole.stderr


def test_kubectl_slipway_is_one_file_that_needs_nothing_installed(released, tmp_path):
    shutil.copy(BUILT / "kubectl-slipway", tmp_path)
    python = (ROOT / ".venv/bin/python").resolve()  # without what is installed in .venv

    done = subprocess.run(
        ["env", "-i", f"SHIV_ROOT={tmp_path}", f"HOME={tmp_path}", python, "kubectl-slipway", "explain", "orders"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("error: "), done.stderr
    assert "kubectl" in done.stderr


def test_krew_installs_it_by_the_manifest_of_the_release(released, tmp_path):
    """Which has read it whole: fields, platform and checksum. The archive is that of this build; nothing is fetched."""
    manifest = yaml.safe_load((BUILT / "slipway.yaml").read_text())
    assert manifest["spec"]["version"] == f"v{VERSION}"
    assert [each["uri"] for each in manifest["spec"]["platforms"]] == [ARCHIVE]

    files = ("--manifest", BUILT / "slipway.yaml", "--archive", BUILT / "kubectl-slipway.tar.gz")
    done = run("env", f"KREW_ROOT={tmp_path}", f"HOME={tmp_path}", tool("krew"), "install", *files)
    assert done.returncode == 0, done.stderr
    assert f"Needs Python {sys.version_info.major}.{sys.version_info.minor}" in done.stderr

    plugin = tmp_path / "bin" / "kubectl-slipway"
    said = run("env", f"SHIV_ROOT={tmp_path}", (ROOT / ".venv/bin/python").resolve(), plugin, "--version")
    assert said.stdout.strip() == f"kubectl slipway, version {VERSION}", said.stderr


def test_an_archive_that_is_elsewhere_than_behind_https_is_refused_before_anything_is_built():
    done = run("env", "ARCHIVE_URL=http://example.org/x.tar.gz", "ci/packages.sh", "release", f"v{VERSION}")

    assert done.returncode == 1
    assert "krew takes https alone. Name the archive" in done.stderr


@pytest.mark.soak
def test_what_is_released_already_is_passed_over_where_it_is_the_same_and_refused_where_not(released):
    """The second build is compared with the first one, byte for byte."""
    index, address = released
    changed = f"slipway_contracts-{VERSION}-py3-none-any.whl"
    index.files[changed] += b"more"

    code, said = release(address)

    assert code != 0
    assert "What is there with other content stays" in said
    assert changed in said
    assert index.refused == [], "what is the same is not uploaded again"
    assert index.files.keys() == WHEELS
