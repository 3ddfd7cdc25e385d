"""Runners of other shapes: what jobs ask of theirs, what they run in, and an engine that somebody else starts."""

import os
import re
import shutil
import subprocess

import pytest

from support.pipeline.gitlab import commands, jobs, listed
from support.repository import ROOT

MAIN = {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
FILES = ["Dockerfile", "lib.sh", "prerequisites.sh", "versions.env"]


@pytest.mark.parametrize("name", ["lint", "type check", "import rules", "proto", "changelog"])
def test_light_jobs_install_nothing_first(name, pipeline):
    assert jobs(pipeline)[name]["before_script"] == []


def test_a_runner_for_images_and_one_for_clusters_are_named_by_variables(pipeline):
    tags = {name: job["tags"] for name, job in jobs(pipeline).items() if "tags" in job}
    assert tags == {
        **{name: ["$BUILD_RUNNER"] for name in ("images", "release images", "ci image")},
        **{name: ["$CLUSTER_RUNNER"] for name in ("e2e", "soak")},
    }
    assert {pipeline["variables"][name] for name in ("BUILD_RUNNER", "CLUSTER_RUNNER")} == {"docker"}


def test_jobs_for_images_need_an_engine_and_nothing_else(pipeline):
    """No cluster, no browser: so any engine serves, in a pod as well."""
    for name in ("images", "release images", "ci image"):
        assert jobs(pipeline)[name]["before_script"] == ["ci/airgap/docker.sh"]
        assert not [line for line in commands(jobs(pipeline)[name]) if "kind" in line or "e2e" in line]


class TestImageOfJobs:
    def test_no_branch_makes_what_releases_run_in(self, state):
        assert "ci image" in listed(state, **MAIN, CI_COMMIT_REF_PROTECTED="true")
        for other in (MAIN, MAIN | {"CI_COMMIT_BRANCH": "feature", "CI_COMMIT_REF_PROTECTED": "true"}):
            assert "ci image" not in listed(state, **other)

    def test_its_tag_changes_with_each_file_that_is_in_it(self, tmp_path):
        shutil.copytree(ROOT / "ci", tmp_path / "ci", ignore=shutil.ignore_patterns("tools", "airgap", "wheels"))

        def tag():
            said = ["bash", tmp_path / "ci" / "ci_image.sh", "tag"]
            return subprocess.run(said, capture_output=True, text=True, check=True).stdout

        seen = {tag()}
        for name in FILES:
            with (tmp_path / "ci" / name).open("a") as file:
                file.write("# more\n")
            seen.add(tag())
        assert len(seen) == 1 + len(FILES)

    def test_what_is_copied_into_it_is_what_it_is_named_by(self):
        [copied] = re.findall(r"^COPY (.*) /setup/ci/$", (ROOT / "ci" / "Dockerfile").read_text(), re.MULTILINE)
        [named] = re.findall(r"^FILES=\((.*)\)$", (ROOT / "ci" / "ci_image.sh").read_text(), re.MULTILINE)
        assert copied.split() == named.split() == FILES

    def test_no_registry_is_told(self):
        done = subprocess.run(["ci/ci_image.sh", "push"], capture_output=True, text=True, check=False, cwd=ROOT)
        assert (done.returncode, "REGISTRY=" in done.stderr) == (1, True)


class TestNamedEngine:
    """`docker` answers after as many questions as the file ``left`` says; nobody waits for real."""

    @pytest.fixture(name="wait")
    def _wait(self, tmp_path):
        left = tmp_path / "left"
        fakes = {
            "docker": f'n=$(cat {left}); [ "$n" -gt 0 ] || exit 0; echo $((n - 1)) >{left}; exit 1',
            "sleep": "exit 0",
            "dockerd": "exit 7",
        }
        for name, text in fakes.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
            (tmp_path / name).chmod(0o755)

        def wait(questions):
            left.write_text(str(questions))
            environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DOCKER_HOST": "tcp://docker:2375"}
            return subprocess.run(
                ["ci/airgap/docker.sh"],
                capture_output=True,
                text=True,
                check=False,
                cwd=ROOT,
                env=environment,
                timeout=60,
            )

        return wait

    def test_it_is_waited_for(self, wait):
        """A service of the job's pod starts beside it."""
        assert wait(5).returncode == 0

    def test_one_that_never_answers_ends_in_a_sentence(self, wait):
        done = wait(10**6)
        assert done.returncode == 1
        assert "no Docker engine answers at tcp://docker:2375 (DOCKER_HOST)" in done.stderr
