import pytest

from slipway_operator.errors import LessonUnreadable
from slipway_operator.tour.relations import broken, read_relation


@pytest.mark.parametrize(
    ("text", "with_it", "without_it", "holds"),
    [
        ("lost.with = 0", {"lost": 0}, {}, True),
        ("lost.with = 0", {"lost": 1}, {}, False),
        ("answered.with>3*answered.without", {"answered": 7}, {"answered": 2}, True),
        ("answered.with > 3 * answered.without", {"answered": 6}, {"answered": 2}, False),
        ("refused.without >= refused.with", {"refused": 2}, {"refused": 2}, True),
        ("refused.without < 5", {}, {"refused": 5}, False),
        ("refused.without <= 5", {}, {"refused": 5}, True),
    ],
)
def test_a_relation_compares_counts_of_the_two_runs(text, with_it, without_it, holds):
    assert read_relation(text).holds(with_it, without_it) is holds


@pytest.mark.parametrize(
    "text", ["", "lost", "lost.with", "lost.with = many", "lost.with == 0", "1 = 1", "lost.now = 0"]
)
def test_what_is_no_relation_is_told_with_an_example(text):
    with pytest.raises(LessonUnreadable, match=r"is no relation: write lost\.without > 0"):
        read_relation(text)


@pytest.mark.parametrize(
    "text", ["p50.with < 5", "milliseconds.with < 5 * milliseconds.without", "answered.with > p50.with"]
)
def test_times_are_never_judged(text):
    with pytest.raises(LessonUnreadable, match="is nothing that a lesson may judge, only: sent, answered"):
        read_relation(text)


def test_a_lesson_without_harm_has_failed():
    assert broken("lost", (), {"lost": 0}, {"lost": 3}) == []
    assert broken("lost", (), {"lost": 0}, {"lost": 0}) == ["lost.without > 0"]
    assert broken("lost", (), {"lost": 2}, {"lost": 3}) == ["lost.with = 0"]


def test_all_that_does_not_hold_is_named():
    holds = (read_relation("answered.with > 3 * answered.without"),)

    assert broken("late", holds, {"answered": 3}, {"answered": 1, "late": 0}) == ["late.without > 0", holds[0].text]
