"""GitLab's component from staging to production: the same version, a person's word in between. Some 5 s."""

import re
import shlex
import subprocess

import pytest
import yaml

from support.pipeline.gitlab import component, listed
from support.repository import ROOT

FILE = ROOT / "templates/deploy.yml"
INPUTS = {"service": "parcels", "namespace": "shop", "staging_context": "team/x:staging", "needs": ["parcels-chart"]}
INPUTS |= {"production_context": "team/x:production", "runner_tags": ["cluster"]}
TAG = {"CI_COMMIT_TAG": "v1.2.3", "CI_COMMIT_BRANCH": "", "CI_COMMIT_REF_PROTECTED": "true"}


@pytest.fixture(scope="module", name="checkout")
def _checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team")
    (folder / "deploy.yml").write_text(FILE.read_text())
    pipeline = {
        "stages": ["build", "deploy"], "include": [{"local": "deploy.yml", "inputs": INPUTS}],
        "parcels-chart": {"stage": "build", "script": ["true"]},
    }  # fmt: skip
    (folder / ".gitlab-ci.yml").write_text(yaml.safe_dump(pipeline))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"],
        ["remote", "add", "origin", "git@git.example:a/b.git"],
    ):  # fmt: skip
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    return folder


def found(checkout, run_folder, **variables):
    made = listed(run_folder / "promotion", checkout=checkout, **variables)
    return {name: job["when"] for name, job in made.items() if name != "parcels-chart"}


def test_a_tag_goes_to_staging_and_waits_for_a_person(checkout, run_folder):
    assert found(checkout, run_folder, **TAG) == {"parcels-staging": "on_success", "parcels-production": "manual"}


def test_a_pre_release_goes_no_further_than_staging(checkout, run_folder):
    assert found(checkout, run_folder, **TAG | {"CI_COMMIT_TAG": "v1.2.3-rc.1"}) == {"parcels-staging": "on_success"}


@pytest.mark.parametrize("variables", [TAG | {"CI_COMMIT_REF_PROTECTED": "false"}, {"CI_COMMIT_BRANCH": "main"}])
def test_nothing_else_is_deployed(checkout, run_folder, variables):
    assert found(checkout, run_folder, **variables) == {}


def jobs():
    return component(FILE, INPUTS)


def test_both_differ_in_their_cluster_and_their_values_alone():
    staging, production = (shlex.split(jobs()[f"parcels-{where}"]["script"][-1]) for where in ("staging", "production"))
    differing = [(one, other) for one, other in zip(staging, production, strict=True) if one != other]
    assert differing == [
        ("environments/staging.yaml", "environments/production.yaml"), ("team/x:staging", "team/x:production"),
    ]  # fmt: skip
    assert "${CI_COMMIT_TAG#v}" in staging
    assert jobs()["parcels-production"]["needs"] == ["parcels-staging"]


def test_helm_is_the_one_that_waits_for_a_release():
    inputs = next(yaml.safe_load_all(FILE.read_text()))["spec"]["inputs"]
    [version] = re.findall(r"^HELM4_VERSION=(\S+)$", (ROOT / "ci/versions.env").read_text(), re.MULTILINE)
    assert inputs["helm_image"]["default"].rpartition(":")[2] == version
    for job in jobs().values():
        assert "--wait" in shlex.split(job["script"][-1])
