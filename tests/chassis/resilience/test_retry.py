import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_chassis import deadline
from slipway_chassis.errors import CircuitOpen, DeadlineExceeded, UpstreamUnavailable
from slipway_chassis.resilience import Guard, Retry, RetryBudget


def away():
    raise UpstreamUnavailable("no answer")


def full(budget):
    for _ in range(1000):
        budget.earn()
    return budget


@given(st.lists(st.booleans(), max_size=300))
def test_retries_are_never_more_than_a_fifth_of_the_calls(outcomes):
    """Whatever fails in whatever order: the load on the other side grows by 20 % at most."""
    tries = 0
    retry = Retry("x", sleep=lambda _: None)
    for calls, fails in enumerate(outcomes, start=1):

        def call(fails=fails):
            nonlocal tries
            tries += 1
            if fails:
                away()

        with contextlib.suppress(UpstreamUnavailable):
            retry.call(call)
        assert tries - calls <= calls * 0.2


def test_a_calm_time_saves_up_ten_retries_and_no_more():
    budget = full(RetryBudget())

    assert sum(budget.take() for _ in range(100)) == 10


def test_three_tries_and_pauses_with_full_jitter():
    pauses = []
    retry = Retry("x", budget=full(RetryBudget()), base_seconds=0.1, sleep=pauses.append)

    with pytest.raises(UpstreamUnavailable):
        retry.call(away)

    assert len(pauses) == 2
    assert 0 <= pauses[0] <= 0.1
    assert 0 <= pauses[1] <= 0.2


def test_what_is_not_retriable_is_tried_once():
    tried = []

    def wrong():
        tried.append(1)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        Retry("x", budget=full(RetryBudget())).call(wrong)
    assert len(tried) == 1


def test_an_open_circuit_is_not_tried_again():
    guard, tried = Guard("open"), []
    full(guard.retry.budget)
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            guard.call(away, safe_to_repeat=False)

    with pytest.raises(CircuitOpen):
        guard.call(lambda: tried.append(1))
    assert tried == []


def test_nothing_is_tried_again_when_the_caller_will_not_wait_for_it():
    tried = []

    def call():
        tried.append(1)
        away()

    retry = Retry("x", budget=full(RetryBudget()), base_seconds=100, most_seconds=100)
    with deadline.until(time.time() + 0.01), pytest.raises(UpstreamUnavailable):
        retry.call(call)

    assert len(tried) <= 2  # the jitter may be shorter than the time left


def test_an_inner_deadline_is_never_later_than_an_outer_one():
    with deadline.until(time.time() + 1), deadline.until(time.time() + 100):
        assert deadline.remaining() <= 1
    with deadline.until(time.time() - 1), pytest.raises(DeadlineExceeded):
        deadline.timeout(5)
