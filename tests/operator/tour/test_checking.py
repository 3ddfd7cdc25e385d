"""What counts as noticed, without a repository."""

from contextlib import contextmanager

import pytest

from slipway_operator.errors import LessonFailed
from slipway_operator.tour.checking import CheckRun
from slipway_operator.tour.checks import Checks


class Copy:
    """``red``: what is red by which check while which change is there."""

    def __init__(self, red):
        self._red, self._now = red, None

    @contextmanager
    def planted(self, change):
        self._now = change.says.en
        yield
        self._now = None

    def red(self, check):
        return self._red.get((self._now, check.tests), ())


def run(red, told=None):
    edits = [{"file": "tests/a", "old": "a", "new": "b"}]
    changes = [{"says": {"en": name, "zh": name}, "named": f"test_{name}", "edits": edits} for name in ("a", "b")]
    declared = {"real": {"tests": ["tests/real"]}, "naive": {"tests": ["tests/naive"]}, "change": changes}
    told = [] if told is None else told
    return CheckRun(
        Checks.model_validate(declared), Copy(red), lambda change, names: told.append((change.says.en, names))
    )


REAL, NAIVE = ("tests/real",), ("tests/naive",)
ALL = {("a", REAL): ("test_a",), ("b", REAL): ("test_x", "test_b")}


def test_the_real_checks_find_each_change_by_name_and_the_naive_ones_miss_some():
    told = []
    lesson = run(ALL | {("a", NAIVE): ("test_z",)}, told)

    lesson.require_green()
    real, naive = lesson.real(), lesson.naive()

    assert real.counts.counts == {"planted": 2, "caught": 2, "missed": 0}
    assert naive.counts.counts == {"planted": 2, "caught": 1, "missed": 1}
    assert naive.red == (("test_z",), ())
    assert lesson.judged(real, naive) == ()
    assert told == [("a", ("test_a",)), ("b", ("test_x", "test_b")), ("a", ("test_z",)), ("b", ())]


def test_what_is_red_by_another_name_is_not_found():
    lesson = run(ALL | {("b", REAL): ("test_x",)})

    assert lesson.judged(lesson.real(), lesson.naive()) == ("missed.with = 0",)


def test_a_lesson_whose_naive_checks_miss_nothing_has_failed():
    lesson = run(ALL | {("a", NAIVE): ("test_z",), ("b", NAIVE): ("test_z",)})

    assert lesson.judged(lesson.real(), lesson.naive()) == ("missed.without > 0",)


def test_of_checks_that_are_red_already_nothing_is_learned():
    with pytest.raises(LessonFailed, match="before anything is changed, test_a is red: mend that first"):
        run({(None, REAL + NAIVE): ("test_a",)}).require_green()
