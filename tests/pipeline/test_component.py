"""The pipeline that other repositories include by version: `slipway new` writes what fits it. Some 15 s."""

import re
import subprocess

import pytest
import yaml
from click.testing import CliRunner

from slipway_chassis.cli.main import cli
from slipway_chassis.scaffold.published import COMPONENT
from support.pipeline.gitlab import gitlab, jobs, listed
from support.repository import ROOT

FILE = ROOT / "templates/service.yml"
KINDS = {"tests", "contracts", "image", "release-image", "release-chart"}
ALWAYS = {f"{name}-tests" for name in ("parcels", "notes")}


@pytest.fixture(scope="module", name="checkout")
def _checkout(tmp_path_factory):
    """A team's repository with two services; the component lies in it, since no server has it here."""
    folder = tmp_path_factory.mktemp("team")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for arguments in (["parcels"], ["notes", "--http-only"]):
            done = CliRunner().invoke(cli, ["new", "service", *arguments])
            assert done.exit_code == 0, done.output
    pipeline = folder / ".gitlab-ci.yml"
    written = yaml.safe_load(pipeline.read_text())
    [tags, *_] = re.findall(r"CI_COMMIT_TAG =~ /\^(.*?)\$/", (ROOT / "ci/release.gitlab-ci.yml").read_text())
    for each in written["include"]:
        assert re.fullmatch(rf"{re.escape(COMPONENT)}@{tags}", each.pop("component")), "a tag that a release has"
        each["local"] = "templates/service.yml"
    pipeline.write_text(yaml.safe_dump({"stages": ["test", "build", "deploy"], **written}))
    (folder / "templates").mkdir()
    (folder / "templates/service.yml").write_text(FILE.read_text())
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (
        ["add", "-A"],
        ["commit", "-qm", "first"],
        ["remote", "add", "origin", "git@git.example:a/b.git"],
    ):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module", name="pipeline")
def _pipeline(checkout, run_folder):
    done = gitlab(run_folder / "component", "--preview", "--no-evaluate-rule-changes", checkout=checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    return yaml.safe_load(done.stdout[done.stdout.index("---\n") :])


def test_gitlab_looks_for_it_where_it_is():
    _, _, name = COMPONENT.rpartition("/")
    assert ROOT / "templates" / f"{name}.yml" == FILE


def test_each_service_has_its_jobs(pipeline):
    assert set(jobs(pipeline)) == {f"{service}-{kind}" for service in ("parcels", "notes") for kind in KINDS}
    assert "$[[" not in yaml.safe_dump(pipeline)


def test_it_needs_nothing_of_this_repository(pipeline):
    for name, each in jobs(pipeline).items():
        for line in each.get("before_script", []) + each["script"]:
            assert line.split()[0] in {"pip", "uv", "if", "printf", "docker", "helm"}, (name, line)
            assert not re.search(r"\bmake\b|\bci/", line), (name, line)


def test_every_command_of_slipway_is_one_with_these_options(pipeline):
    lines = [line for each in jobs(pipeline).values() for line in each["script"] if " slipway " in line]
    assert len(lines) >= 4
    for line in (each for each in lines if each.startswith("uv run")):
        words = line.partition(" slipway ")[2].split()
        told = CliRunner().invoke(cli, [*words[:2], "--help"]).output
        assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", told)), line


def test_what_is_released_is_built_by_a_protected_tag_alone(checkout, run_folder):
    tag = {"CI_COMMIT_TAG": "v1.2.3", "CI_COMMIT_BRANCH": ""}

    def found(**variables):
        return set(listed(run_folder / "component", checkout=checkout, **variables))

    assert not {name for name in found(**tag) if "release" in name}
    assert {name for name in found(**tag, CI_COMMIT_REF_PROTECTED="true") if "release" in name} == {
        f"{service}-release-{kind}" for service in ("parcels", "notes") for kind in ("image", "chart")
    }
    assert found(CI_COMMIT_BRANCH="feature") == ALWAYS


def test_branches_push_where_nothing_is_released_from(pipeline):
    image = jobs(pipeline)["parcels-image"]
    assert image["variables"]["IMAGE"] == "$CI_REGISTRY_IMAGE/branches/parcels"
    [rule] = [rule for rule in image["rules"] if "variables" in rule]
    assert rule["if"] == '$CI_COMMIT_REF_PROTECTED == "true"'
    assert rule["variables"]["IMAGE"] == jobs(pipeline)["parcels-release-image"]["variables"]["IMAGE"]


def test_its_versions_are_the_project_s():
    inputs = next(yaml.safe_load_all(FILE.read_text()))["spec"]["inputs"]
    versions = dict(re.findall(r"^([A-Z_]+)=(\S+)$", (ROOT / "ci/versions.env").read_text(), re.MULTILINE))
    assert inputs["uv_version"]["default"] == versions["UV_VERSION"]
    assert inputs["helm_image"]["default"].rpartition(":")[2] == versions["HELM_VERSION"]
