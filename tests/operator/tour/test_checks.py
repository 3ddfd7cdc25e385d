import pytest
from pydantic import ValidationError

from slipway_operator.tour.checks import Checks
from slipway_operator.tour.lesson import read_lessons
from support.repository import ROOT

EDIT = {"file": "services/orders/src/orders/errors.py", "old": "a", "new": "b"}
CHANGE = {"says": {"en": "-", "zh": "-"}, "named": "test_a", "edits": [EDIT]}
CHECKS = {"real": {"tests": ["tests/orders"]}, "naive": {"tests": ["tests/users"]}, "change": [CHANGE]}
LESSONS = [lesson for lesson in read_lessons(ROOT) if lesson.checks]


def test_both_checks_are_asked_once_before_anything_is_changed():
    real = {"tests": ["tests/orders"], "contracts": True}
    checks = Checks.model_validate(CHECKS | {"real": real, "naive": {"tests": ["tests/orders", "tests/users"]}})

    assert checks.both.tests == ("tests/orders", "tests/users")
    assert checks.both.contracts


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"real": {}}, "a check has tests, or contracts = true"),
        ({"real": {"tests": ["/etc/passwd"]}}, "/etc/passwd is no test of this repository"),
        ({"real": {"tests": ["-p", "os"]}}, "-p is no test of this repository"),
        ({"real": {"tests": ["tests/../../x"]}}, "leads out of the copy"),
        ({"change": []}, "at least 1 item"),
        ({"change": [CHANGE | {"edits": []}]}, "at least 1 item"),
        ({"change": [CHANGE | {"edits": [EDIT | {"file": "../x"}]}]}, "String should match pattern"),
        ({"change": [CHANGE | {"edits": [EDIT | {"file": "tests/../../x"}]}]}, "leads out of the copy"),
        ({"change": [CHANGE | {"edits": [EDIT | {"old": ""}]}]}, "at least 1 character"),
        ({"change": [CHANGE | {"exported": "../x"}]}, "String should match pattern"),
        ({"holds": ["soon"]}, "'soon' is no relation"),
        ({"shell": "make"}, "Extra inputs are not permitted"),
    ],
)
def test_checks_are_those_of_the_repository_and_nothing_else(wrong, said):
    with pytest.raises(ValidationError, match=said):
        Checks.model_validate(CHECKS | wrong)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.folder.name)
def test_what_lessons_change_is_in_the_repository_and_their_tests_too(lesson):
    """Who changes the code of such a line sees here that a lesson knows it, and not minutes later."""
    for change in lesson.checks.change:
        for edit in change.edits:
            assert edit.old in (ROOT / edit.file).read_text()
            assert edit.new not in edit.old
        if change.named.startswith("test_"):
            [test] = lesson.checks.real.tests
            assert [path for path in (ROOT / test).rglob("test_*.py") if f"def {change.named}(" in path.read_text()]
    for test in lesson.checks.both.tests:
        assert (ROOT / test).exists()
