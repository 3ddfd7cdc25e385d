"""Jobs of the pipeline that need Docker, a registry or a cluster, as gitlab-ci-local runs them here.

``integration`` and ``e2e`` are left out: this is a part of the second, and CI calls the targets of both.
"""

import json
import re
import subprocess

import pytest

from support.kind.commands import run
from support.pipeline.gitlab import job
from support.pipeline.registry import Registry, logged_in
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.docker, pytest.mark.timeout(1500)]
MAIN = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
TAG = run("ci/images.sh", "tag").strip()
BUILT, RELEASED = ROOT / "build" / "images.txt", ROOT / "build" / "release"


def make(*arguments):
    return subprocess.run(
        ["make", "-s", *arguments], capture_output=True, text=True, check=False, cwd=ROOT, timeout=1200
    )


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module", name="registry")
def _registry(folder):
    with pytest.MonkeyPatch.context() as patch, Registry(folder) as address:
        for name, value in logged_in(folder).items():
            patch.setenv(name, value)
        yield f"{address}/shop"


@pytest.fixture(scope="module", name="pushed")
def _pushed(folder, registry):
    """The job images, as gitlab-ci-local runs it; gives digests by name."""
    job(folder, "images", **MAIN, IMAGES=registry)  # whose rules of workflows set no variables
    found = dict(re.fullmatch(rf"{TAG} {registry}/slipway/([a-z-]+)@(sha256:[0-9a-f]{{64}})", line).groups()
                 for line in BUILT.read_text().splitlines())  # fmt: skip
    assert found.keys() >= {"users", "orders", "inventory", "storefront", "gateway", "operator", "kubectl-slipway"}
    return found


def test_what_the_registry_has_is_not_pushed_anew(registry, pushed):
    done = make("push", f"REGISTRY={registry}")

    assert done.returncode == 0, done.stderr
    assert "  push " not in done.stderr
    assert all(digest in BUILT.read_text() for digest in pushed.values())


def test_an_image_tells_its_commit(pushed):
    commit = run("git", "rev-parse", "HEAD").strip()
    for name in pushed:
        [image] = json.loads(run("docker", "image", "inspect", f"slipway/{name}:{TAG}"))
        said = image["Config"]["Labels"]["org.opencontainers.image.revision"]
        assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", said), said
        assert run("git", "cat-file", "-t", said.removesuffix("-dirty")).strip() == "commit", commit


def test_what_is_tested_and_released_is_what_was_pushed(registry, pushed):
    run("docker", "tag", f"slipway/orders:{TAG}", f"slipway/users:{TAG}")  # another build on this runner, say
    try:
        done = make("release-images", "VERSION=v9.8.7", f"REGISTRY={registry}")
    finally:
        make("pull", f"REGISTRY={registry}")
    assert done.returncode == 0, done.stdout + done.stderr

    released = (RELEASED / "images.txt").read_text().split()
    assert released == [f"{registry}/slipway/{name}@{digest}" for name, digest in pushed.items()]
    for name in pushed:
        parts = json.loads((RELEASED / f"{name}.cdx.json").read_text())
        assert parts["bomFormat"] == "CycloneDX"
        assert len(parts["components"]) > 20


def test_what_was_pushed_of_other_sources_is_not_taken_for_these(registry, pushed):
    said = BUILT.read_text()
    BUILT.write_text(said.replace(TAG, "dev-000000000000").replace("@sha256:", "@sha256:0"))
    try:
        done = make("pull", f"REGISTRY={registry}")
    finally:
        BUILT.write_text(said)
    assert done.returncode == 0, done.stderr
    assert f"pull {registry}/slipway/users:{TAG}" in done.stderr


def test_a_registry_that_does_not_answer_has_not_said_that_nothing_is_there(pushed):
    done = make("push", "REGISTRY=127.0.0.1:9/shop", "REGISTRY_USER=")

    assert done.returncode != 0
    assert "the registry did not tell whether it has it" in done.stderr


def test_a_version_is_released_once(registry, pushed):
    release = ("release-images", "VERSION=v9.8.7", f"REGISTRY={registry}")
    done = make(*release)  # a job that was interrupted, say
    assert done.returncode == 0, done.stdout + done.stderr
    assert "  push " not in done.stderr

    other = f"{registry}/slipway/users:9.8.6"
    run("docker", "tag", f"slipway/orders:{TAG}", other)
    run("docker", "push", "-q", other)
    refused = make("release-images", "VERSION=v9.8.6", f"REGISTRY={registry}")
    assert refused.returncode != 0
    assert f"{other} is released already, and is not what was tested here" in refused.stderr
    run("docker", "rmi", other)
