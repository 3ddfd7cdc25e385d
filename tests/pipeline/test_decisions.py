"""What people start in an emergency, in GitLab and Jenkins: the shell of each job is run, beside a kubectl that tells
what it was asked. The image itself goes back on kind (tests/e2e/test_managed.py).
"""

import json
import os
import re
import subprocess

import pytest
import yaml

from support.pipeline.gitlab import component
from support.repository import ROOT

COMPONENT = ROOT / "templates/decisions.yml"
INPUTS = {"service": "orders", "namespace": "shop", "context": "a/b:agent", "image": "x", "runner_tags": ["cluster"]}
ASKED = ["--namespace", "shop", "--context", "a/b:agent", "--wait"]
JOBS = ("component", "jenkins", "gitlab")


def of_component():
    return component(COMPONENT, INPUTS)


def shell(job, decision):
    if job == "component":
        [line] = of_component()[f"orders-{decision}"]["script"]
        return line
    if job == "gitlab":
        [line] = yaml.safe_load((ROOT / "ci/deploy.gitlab-ci.yml").read_text())[decision]["script"]
        return line
    [lines] = re.findall(r"sh '''(.*?)'''", (ROOT / "Jenkinsfile.decisions").read_text(), re.DOTALL)
    return lines


@pytest.fixture(name="decide")
def _decide(tmp_path):
    """Runs the shell of a job in an image that has kubectl and its plugin; gives its exit code and what was asked."""
    asked = tmp_path / "asked"
    for name, begin in (("kubectl-slipway", ""), ("kubectl", "shift; ")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{begin}printf '%s\\n' \"$@\" >{asked}\n")
        (tmp_path / name).chmod(0o755)

    def decided(job, decision, **more):
        asked.unlink(missing_ok=True)
        words = {
            "SERVICE": "orders",
            "NAMESPACE": "shop",
            "KUBE_CONTEXT": "a/b:agent",
            "VERSION": "",
            "DECISION": decision,
        }
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)} | words | more
        done = subprocess.run(
            ["sh", "-ec", shell(job, decision)], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
        )
        return done.returncode, asked.read_text().splitlines() if asked.exists() else None

    return decided


@pytest.mark.parametrize(("decision", "option"), [("promote", "--version"), ("rollback", "--to")])
@pytest.mark.parametrize("job", JOBS)
def test_a_job_asks_for_the_decision_and_nothing_else(decide, job, decision, option):
    for version in ("", "1.4.2"):
        code, asked = decide(job, decision, VERSION=version)
        assert code == 0
        assert asked.count("orders") == 1
        named = [option, version] if version else []
        assert sorted(set(asked) - {"--"}) == sorted({decision, "orders", *ASKED, *named})


@pytest.mark.parametrize("job", JOBS)
def test_what_a_person_fills_in_is_one_word(decide, job):
    """A version with a space, an option in it or code stays one argument, or nothing is asked."""
    for version in ("1.2 --all", "$(touch ran)", "; touch ran", "`touch ran`"):
        code, asked = decide(job, "rollback", VERSION=version)
        assert not (ROOT / "ran").exists()
        assert (code != 0 and asked is None) or version in asked, (version, asked)


@pytest.mark.parametrize("missing", ["SERVICE", "NAMESPACE", "KUBE_CONTEXT"])
def test_jenkins_asks_no_cluster_that_nobody_named(decide, missing):
    assert decide("jenkins", "rollback", **{missing: ""}) == (2, None)


def test_a_service_that_is_called_like_an_option_is_asked_for(decide):
    """With --help in its place a job would be green, and nothing would have gone back."""
    code, asked = decide("jenkins", "rollback", SERVICE="--help")
    assert (code, asked[-2:]) == (0, ["--", "--help"])
    assert decide("gitlab", "rollback", SERVICE="--help") == (1, None)


def test_a_rollback_waits_for_no_promotion():
    for job in (*of_component().values(), *yaml.safe_load((ROOT / "ci/deploy.gitlab-ci.yml").read_text()).values()):
        if job.get("environment", {}).get("action") == "access":
            assert "resource_group" not in job


def test_the_component_is_one_of_gitlab_s():
    text = COMPONENT.read_text()
    assert re.findall(r"inputs\.([a-z_]+) \]\]", text)
    assert set(re.findall(r"inputs\.([a-z_]+) \]\]", text)) == set(next(yaml.safe_load_all(text))["spec"]["inputs"])
    check = [ROOT / ".venv/bin/check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "-"]
    jobs = of_component() | {"stages": ["deploy"]}
    for job in ("orders-promote", "orders-rollback"):
        assert jobs[job]["before_script"] == []
        assert jobs[job]["variables"]["GIT_STRATEGY"] == "none"
        assert jobs[job]["rules"] == [
            {"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", "when": "manual", "allow_failure": True}
        ]
    done = subprocess.run(check, input=json.dumps(jobs), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
