"""What people, branches and tags fill in is no code: make, its shells and the programs behind them take it as words."""

import os
import re
import subprocess

import pytest

from support.repository import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
RECIPES = "\n".join(line for line in MAKEFILE.splitlines() if line.startswith("\t"))
PIPELINES = [ROOT / "Jenkinsfile", ROOT / "Jenkinsfile.decisions", *sorted((ROOT / "ci").glob("*.gitlab-ci.yml"))]
CODE = ['x";touch ran;"', "$(shell touch ran)", "$$(touch ran)", "`touch ran`", "x' y '", "x\ntouch ran", "x|y", "x#y",
        "${x}", "x&", "x>ran", "x\\"]  # fmt: skip
GOOD = {"VERSION": "v1.2.3-rc.1+4", "REGISTRY": "registry:5000/group/project", "AGAINST": "origin/main~1",
        "KUBE_CONTEXT": "group/project:agent@cluster", "T": "tests/orders tests/users/test_*.py"}  # fmt: skip


def make(folder, *words, **environment):
    (folder / "ci").mkdir(exist_ok=True)
    for name in ("Makefile", "ci/versions.env"):
        (folder / name).write_text((ROOT / name).read_text())
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        ["make", "-n", "tools-path", *words], cwd=folder, env=clean | environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def words_that_are_looked_at():
    listed = re.search(r"^ONE_WORD := (.*?)\nWORDS := \$\(ONE_WORD\) (.*?)\n", MAKEFILE, re.MULTILINE | re.DOTALL)
    return set(f"{listed[1]} {listed[2]}".replace("\\\n", " ").split())


@pytest.mark.parametrize("text", CODE)
@pytest.mark.parametrize("name", ["SERVICE", "VERSION", "KUBE_CONTEXT", "T"])
def test_code_is_refused_before_anything_runs(tmp_path, name, text):
    for done in (make(tmp_path, f"{name}={text}"), make(tmp_path, **{name: text})):
        assert done.returncode == 2
        assert f"{name} may be words alone, and has " in done.stderr
        assert not (tmp_path / "ran").exists()


def test_what_names_are_made_of_is_taken(tmp_path):
    done = make(tmp_path, *(f"{name}={text}" for name, text in GOOD.items()))

    assert (done.returncode, done.stdout) == (0, "ci/tools/install.sh --path\n"), done.stderr


def test_a_second_word_is_refused_where_one_is_meant(tmp_path):
    assert "NAME may be words alone, and has a space" in make(tmp_path, "NAME=x --all").stderr
    assert make(tmp_path, NAME="Ada laptop").returncode == 0  # of an environment that is not about us


def test_each_variable_that_somebody_may_fill_in_is_looked_at():
    set_here = {*re.findall(r"^(?:export )?([A-Z_]+) *[:?]?=", MAKEFILE, re.MULTILINE), "MAKE", "MAKEFILE_LIST"}
    optional = {*re.findall(r"^([A-Z_]+) \?=", MAKEFILE, re.MULTILINE)} - {"PYTHON", "TESTS"}
    used = {*re.findall(r"\$\((?:or \$\()?([A-Z_]+)[),]", RECIPES)}

    assert (used - set_here) | optional <= words_that_are_looked_at()
    assert {"SERVICE", "NAMESPACE", "VERSION", "REGISTRY", "NAME"} <= used


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda path: path.name)
def test_pipelines_give_make_one_word_for_each_variable(pipeline):
    """Unquoted, "x --eval=..." would be two, of which make runs the second one."""
    calls = [line for line in pipeline.read_text().splitlines() if re.search(r"\bmake [a-z]", line)]
    unquoted = [line for line in calls if re.search(r'(?<!")\b[A-Z_]+=\$', line)]

    assert unquoted == []


@pytest.mark.parametrize("words", [
    ("--kubeconfig=x", "shop"), ("orders", "--all"), ("orders", "shop", "--to=x"), ("or;ders", "shop"), ("-h", "shop"),
])  # fmt: skip
def test_no_word_of_a_decision_is_an_option(words):
    done = subprocess.run(
        [ROOT / "ci" / "promote.sh", "promote", *words], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert re.match(r"error: '.*' is no (name|version)", done.stderr), done.stderr
