"""The Jenkinsfile calls what .gitlab-ci.yml calls."""

import re
import subprocess

from support.pipeline.gitlab import make_targets
from support.repository import ROOT

TEXT = (ROOT / "Jenkinsfile").read_text()
SHELL = re.findall(r"sh '([^']+)'", TEXT)


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
    stages = re.findall(r"stage\('([a-z0-9]+)'\)", TEXT)
    assert stages == ["prepare", "lint", "unit", "charts", "build", "e2e", "release", "promote"]


def test_its_blocks_are_closed():
    assert TEXT.count("{") == TEXT.count("}")
