"""The Jenkinsfile calls what .gitlab-ci.yml calls, in its order. No Jenkins runs here: it is read."""

import re
import subprocess

from support.pipeline.gitlab import make_targets
from support.repository import ROOT

TEXT = (ROOT / "Jenkinsfile").read_text()
SHELL = re.findall(r"sh '([^']+)'", TEXT)
STAGES = ["prepare", "lint", "unit", "charts", "build", "push", "e2e", "release"]


def stage(name):
    [text] = re.findall(rf"stage\('{name}'\)(.*?)(?=\n    stage\(|\n  \}}\n)", TEXT, re.DOTALL)
    return text


def test_it_calls_nothing_but_scripts_and_targets_that_exist():
    assert len(SHELL) >= 8
    for line in (part.strip() for shell in SHELL for part in shell.split("&&")):
        if line.startswith("ci/"):
            assert (ROOT / line).exists(), line
        else:
            assert line.startswith("make "), line
            dry = ["make", "-n", *make_targets(line)]
            assert subprocess.run(dry, capture_output=True, check=False, cwd=ROOT).returncode == 0, line


def test_its_stages_are_those_of_gitlab():
    assert re.findall(r"stage\('([a-z0-9]+)'\)", TEXT) == STAGES


def test_what_is_released_was_pushed_and_tested_by_its_digest():
    """As in GitLab: pushed before e2e, which takes it from the registry, as the release does."""
    assert make_targets(re.findall(r"sh '(.*?)'", stage("push"))[0]) == ["push", "pull"]
    assert "push " not in stage("release")
    assert STAGES.index("push") < STAGES.index("e2e") < STAGES.index("release")
    for name in ("push", "release"):
        assert "expression { params.REGISTRY }" in stage(name)
        assert '"REGISTRY=$IMAGES"' in stage(name)


def test_branches_have_a_place_of_their_own_in_the_registry():
    assert """env.TAG_NAME || env.BRANCH_IS_PRIMARY == 'true' ? '' : '/branches'""" in TEXT


def test_no_decision_waits_for_checks_and_builds():
    assert "promote" not in TEXT.replace("promoted", "")


def test_who_may_decide_chooses_neither_image_nor_credential_nor_cluster():
    text = (ROOT / "Jenkinsfile.decisions").read_text()
    assert re.findall(r"(?:string|choice)\(name: '(\w+)'", text) == ["DECISION", "SERVICE", "NAMESPACE", "VERSION"]
    assert "params." not in text
    assert "disableConcurrentBuilds" not in text, "a rollback would wait for a promotion"


def test_its_blocks_are_closed():
    for path in (ROOT / "Jenkinsfile", ROOT / "Jenkinsfile.decisions"):
        assert path.read_text().count("{") == path.read_text().count("}")
