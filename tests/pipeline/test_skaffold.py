"""skaffold.yaml: its profiles are understood by skaffold, and what it renders uses the images that it builds."""

import json
import os
import re
import subprocess

import pytest
import yaml

from support.charts import ALONE, CHARTS, of_kind, pods
from support.repository import ROOT
from support.tools import TOOLS

pytestmark = pytest.mark.integration
PROFILES = ["dev", "debug", "ci", "blue-green"]
PLATFORM = [each["name"] for each in yaml.safe_load((CHARTS / "platform/Chart.yaml").read_text())["dependencies"]]
SERVICES = sorted(set(PLATFORM) - {"base", *ALONE})
IMAGES = [*SERVICES, "gateway"]
BUILT = {
    "PYTHON_IMAGE": "python:3.11",
    "POSTGRESQL_IMAGE": "postgres:18",
    "KAFKA_IMAGE": "kafka:4.1",
}


ENVIRONMENT = BUILT | {"TAG": "t", "SKAFFOLD_UPDATE_CHECK": "false", "PATH": f"{TOOLS}:{os.environ['PATH']}"}


def skaffold(*arguments):
    done = subprocess.run(
        [f"{TOOLS}/skaffold", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT, env=os.environ | ENVIRONMENT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def diagnosed(*profiles):
    return yaml.safe_load(skaffold("diagnose", "--yaml-only", *(f"--profile={name}" for name in profiles)))


def artifacts(*profiles):
    return {each["image"]: each for each in diagnosed(*profiles)["build"]["artifacts"]}


@pytest.fixture(scope="module", name="rendered")
def _rendered(run_folder):
    def render(*profiles):
        builds = [{"imageName": f"slipway/{name}", "tag": f"slipway/{name}:built"} for name in IMAGES]
        file = run_folder / "builds.json"
        file.write_text(json.dumps({"builds": builds}))
        options = ["--digest-source=none", f"--build-artifacts={file}", *(f"--profile={name}" for name in profiles)]
        target = run_folder / "rendered.yaml"
        skaffold("render", f"--output={target}", *options)
        return [item for item in yaml.safe_load_all(target.read_text()) if item]

    return render


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_understood(profile):
    assert {f"slipway/{name}" for name in IMAGES} <= set(artifacts(profile))


def test_every_image_is_built_by_the_dockerfile_that_ci_uses():
    script = (ROOT / "ci" / "images.sh").read_text()
    for image, artifact in artifacts("blue-green").items():
        assert f"$REPO/{artifact['docker']['dockerfile']}" in script, image
        assert "target" not in artifact["docker"]


def test_what_is_rendered_uses_what_was_built(rendered):
    images = {image for _, spec, _ in pods(rendered()) for image in (c["image"] for c in spec["containers"])}

    assert images == {f"slipway/{name}:built" for name in IMAGES} | {BUILT["POSTGRESQL_IMAGE"], BUILT["KAFKA_IMAGE"]}


def test_dev_brings_sources_to_where_the_dev_image_runs_them(run_folder):
    script = (ROOT / "services" / "dev.sh").read_text()
    [target] = re.findall(r"export PYTHONPATH=(\S+)", script)
    for service in SERVICES:
        artifact = artifacts("dev")[f"slipway/{service}"]
        assert artifact["docker"]["target"] == "dev"
        for rule in artifact["sync"]["manual"]:
            assert rule["dest"] == target
            assert list(ROOT.glob(rule["src"])), rule["src"]
        assert {rule["strip"] for rule in artifact["sync"]["manual"]} == {
            f"services/{service}/src/", "services/chassis/src/", "services/contracts/src/",
        }  # fmt: skip


def test_pods_of_dev_stay_restricted(rendered):
    """Sources lie in the pods' /tmp: nothing is relaxed for development."""
    for name, spec, _ in pods(rendered("dev")):
        assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in spec["containers"]), name


def test_debug_waits_with_a_debugger_in_http_processes(rendered):
    deployments = {item["metadata"]["name"]: item for item in of_kind(rendered("debug"), "Deployment")}
    for forward in diagnosed("debug")["portForward"]:
        container = deployments[forward["resourceName"]]["spec"]["template"]["spec"]["containers"][0]
        assert {"name": "DEBUGPY", "value": "on-5678"} in container["env"]
        assert forward["port"] == 5678
    assert "0.0.0.0:5678" in (ROOT / "services" / "dev.sh").read_text()


def test_verify_meets_the_restricted_standard():
    job = yaml.safe_load((ROOT / "ci" / "verify-job.yaml").read_text())
    [(_, spec, _)] = [("verify", job["spec"]["template"]["spec"], {})]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    [asked] = diagnosed()["verify"]
    assert asked["executionMode"]["kubernetesCluster"]["jobManifestPath"].endswith("ci/verify-job.yaml")
    assert asked["container"]["name"] == spec["containers"][0]["name"]


class TestByItself:
    """As IDEs call it, without ci/skaffold.sh around it."""

    @pytest.fixture(autouse=True)
    def _bare(self, monkeypatch):
        for name in BUILT:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setitem(globals(), "ENVIRONMENT", {key: ENVIRONMENT[key] for key in ENVIRONMENT.keys() - BUILT})

    def test_images_get_tags_of_their_own(self, monkeypatch):
        """Skaffold asks a registry for bases, and for this one nobody."""
        monkeypatch.setenv("PYTHON_IMAGE", "scratch")
        built = json.loads(skaffold("build", "--dry-run", "--quiet", "--profile=blue-green"))["builds"]
        assert {each["imageName"] for each in built} >= {f"slipway/{name}" for name in [*IMAGES, "operator"]}
        assert all(re.fullmatch(r"slipway/[a-z-]+:[0-9a-f]{64}", each["tag"]) for each in built)

    def test_bases_are_those_of_ci(self):
        assert re.search(r"^PYTHON_IMAGE=\S+", (ROOT / "ci/versions.env").read_text(), re.MULTILINE)
        for image, artifact in artifacts("blue-green").items():
            template = artifact["docker"]["buildArgs"]["PYTHON_IMAGE"]
            assert '. ci/versions.env; printf %s $PYTHON_IMAGE"' in template, image

    def test_databases_are_those_of_their_chart(self, rendered):
        values = yaml.safe_load((CHARTS / "dev-databases" / "values.yaml").read_text())
        images = {each["image"] for _, spec, _ in pods(rendered()) for each in spec["containers"]}
        assert {values["postgresql"]["image"], values["kafka"]["image"]} <= images
