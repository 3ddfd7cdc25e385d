"""A copy of a small project: its package says 1, a test asks for that."""

import pytest

from slipway_operator.errors import LessonFailed
from slipway_operator.tour import working_copy as module
from slipway_operator.tour.checks import Change, Check
from slipway_operator.tour.working_copy import working_copy

CHECK = Check(tests=("tests/one",))
TEST = """
import tempfile
from one import NUMBER, __file__ as where

def test_it_is_one():
    assert NUMBER == 1

def test_of_the_copy(request):
    open("beside.txt", "w").write(where)
    tempfile.mkdtemp()
    assert where.startswith(str(request.config.rootpath))
"""


@pytest.fixture(name="project")
def _project(tmp_path):
    files = {
        "pyproject.toml": "[tool.pytest.ini_options]\n",
        "services/one/src/one/__init__.py": "NUMBER = 1\n",
        "services/one/src/one/__pycache__/old.pyc": "",
        "tests/one/test_one.py": TEST,
        "docs/patterns/13-x/lesson.toml": "",
    }
    for name, text in files.items():
        path = tmp_path / "clone" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "clone"


def change(**edit):
    edits = [{"file": "services/one/src/one/__init__.py", "old": "1", "new": "2"} | edit]
    return Change.model_validate({"says": {"en": "-", "zh": "-"}, "named": "test_it_is_one", "edits": edits})


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_change_is_red_by_name_until_it_is_taken_back_and_the_clone_is_left_alone(project, tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))
    before = contents(project)

    with working_copy(project) as copy:
        assert copy.red(CHECK) == ()
        with copy.planted(change()):
            assert copy.red(CHECK) == ("test_it_is_one",)
        assert copy.red(CHECK) == ()

    assert contents(project) == before
    assert [path.name for path in tmp_path.iterdir()] == ["clone"]


def test_changes_are_taken_back_whatever_happens(project):
    with working_copy(project) as copy:
        with pytest.raises(KeyboardInterrupt), copy.planted(change()):
            raise KeyboardInterrupt
        assert copy.red(CHECK) == ()


def test_code_that_is_not_what_the_lesson_knows_is_told(project):
    with (
        working_copy(project) as copy,
        pytest.raises(LessonFailed, match="has no 'three' that could be changed"),
        copy.planted(change(old="three")),
    ):
        pass


@pytest.mark.parametrize("text", ["def test_x(: pass", "", "import os; os._exit(0)", "import os; os._exit(1)"])
def test_tests_that_do_not_run_to_their_end_are_neither_red_nor_green(project, text):
    """No test, a file that can't be read, a process that ends: each would count as noticed, or as missed."""
    (project / "tests" / "one" / "test_one.py").write_text(text)

    with working_copy(project) as copy, pytest.raises(LessonFailed, match="could not be run to their end"):
        copy.red(CHECK)


def test_a_check_that_hangs_is_ended(project, monkeypatch):
    monkeypatch.setattr(module, "CHECK_SECONDS", 1)
    (project / "tests" / "one" / "test_one.py").write_text("import time\n\ndef test_x():\n    time.sleep(600)\n")

    with working_copy(project) as copy, pytest.raises(LessonFailed, match="did not end within"):
        copy.red(CHECK)


def test_contracts_that_can_t_be_compared_are_neither_red_nor_green(project):
    with working_copy(project) as copy, pytest.raises(LessonFailed, match="contracts could not be compared"):
        copy.red(Check(contracts=True))


def test_installed_packages_without_a_clone_are_told_what_is_missing(project):
    (project / "pyproject.toml").unlink()

    with (
        pytest.raises(LessonFailed, match=r"of a clone of Slipway, and .* has no pyproject"),
        working_copy(project),
    ):
        pass


def test_a_python_without_pytest_is_told_how_to_get_one(project, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", {}.get)

    with pytest.raises(LessonFailed, match="make setup"), working_copy(project):
        pass
