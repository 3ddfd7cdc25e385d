"""The circuit breaker against a model of it, and what it promises to callers."""

import threading
import time

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from slipway_chassis import deadline
from slipway_chassis.errors import BulkheadFull, CircuitOpen, DeadlineExceeded, UpstreamUnavailable
from slipway_chassis.resilience import Breaker, Bulkhead, Guard, State, breaker_states
from slipway_chassis.telemetry.health import Health
from slipway_chassis.testing.clock import Clock

THRESHOLD, RESET = 3, 30.0


def fail(error=None):
    if error:
        raise error
    raise UpstreamUnavailable("no answer")


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin, end well or badly in any order, time passes; a model says what must hold."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker("model", failure_threshold=THRESHOLD, reset_timeout=RESET, clock=self.clock)
        self.under_way = []
        self.failures_in_a_row = 0
        self.opened_at = None
        self.probes = 0

    @rule()
    def begin(self):
        try:
            period = self.breaker._enter()
        except CircuitOpen:
            assert self.opened_at is not None
            assert self.clock() - self.opened_at < RESET, "refused although the time is over"
            return
        if self.opened_at is not None:
            assert self.clock() - self.opened_at >= RESET, "let through although it is open"
            self.opened_at, self.probes = self.clock(), self.probes + 1
        self.under_way.append(period)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 100), failed=st.booleans())
    def end(self, which, failed):
        period = self.under_way.pop(which % len(self.under_way))
        current = period == self.breaker._period
        before = self.breaker.state
        self.breaker._leave(period, failed=failed)
        if not current:
            assert self.breaker.state is before, "a call of an earlier period changed the state"
        elif not failed:
            assert self.breaker.state is State.CLOSED
            self.failures_in_a_row, self.opened_at = 0, None
        else:
            self.failures_in_a_row += 1
            if before is State.HALF_OPEN or self.failures_in_a_row >= THRESHOLD:
                assert self.breaker.state is State.OPEN
                self.failures_in_a_row, self.opened_at = 0, self.clock()

    @rule(seconds=st.floats(0.1, 2 * RESET))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @invariant()
    def open_and_refusing_are_one(self):
        assert (self.breaker.state is State.CLOSED) == (self.opened_at is None)


BreakerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase


@pytest.fixture(name="clock")
def _clock():
    return Clock()


@pytest.fixture(name="breaker")
def _breaker(clock):
    return Breaker("payments", clock=clock)


def open_it(breaker):
    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            breaker.call(fail)


def test_three_failures_open_it_and_calls_are_refused_with_the_time_left(breaker, clock):
    open_it(breaker)
    clock.advance(10)

    with pytest.raises(CircuitOpen, match=r"payments: the circuit is open, tried again in 20.0 s"):
        breaker.call(lambda: "never run")


def test_one_probe_is_let_through_and_closes_it(breaker, clock):
    open_it(breaker)
    clock.advance(30)

    def probe():
        with pytest.raises(CircuitOpen):
            breaker.call(lambda: "a second probe")
        return "ok"

    assert breaker.call(probe) == "ok"
    assert breaker.state is State.CLOSED


def test_a_probe_that_never_comes_back_is_replaced(breaker, clock):
    open_it(breaker)
    clock.advance(30)
    breaker._enter()  # and its thread died

    clock.advance(30)

    assert breaker.call(lambda: "ok") == "ok"


def test_a_fallback_answers_for_a_failed_call_and_for_an_open_circuit(breaker):
    answers = [breaker.call(fail, fallback=lambda: "cached") for _ in range(3)]
    assert breaker.state is State.OPEN

    assert [*answers, breaker.call(lambda: "never run", fallback=lambda: "cached")] == ["cached"] * 4


def test_errors_that_are_answers_do_not_count(breaker):
    for _ in range(10):
        with pytest.raises(ValueError, match="wrong"):
            breaker.call(lambda: fail(ValueError("wrong")))

    assert breaker.state is State.CLOSED


def test_calls_do_not_wait_for_each_other(breaker):
    """What pybreaker does: its lock is held while the call runs."""
    both = threading.Barrier(2, timeout=10)
    threads = [threading.Thread(target=breaker.call, args=(both.wait,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert not both.broken


def test_readiness_shows_open_circuits_and_stays_ready(breaker):
    open_it(breaker)

    ready, body = Health({}).readiness()

    assert ready
    assert body["circuit_breakers"]["payments"] == "open"
    assert breaker_states()["payments"] == "open"


def test_a_full_bulkhead_refuses_and_says_nothing_of_the_other_side():
    guard = Guard("stock", bulkhead=Bulkhead("stock", most=1, wait_seconds=0))
    with guard.bulkhead.entering():
        for _ in range(5):
            with pytest.raises(BulkheadFull):
                guard.call(lambda: "never run")

    assert guard.call(lambda: "ok") == "ok"
    assert guard.breaker.state is State.CLOSED


def test_one_caller_leaves_places_for_the_others():
    bulkhead = Bulkhead("streams", most=3, each=2, wait_seconds=0)
    with bulkhead.entering("ada"), bulkhead.entering("ada"):
        with pytest.raises(BulkheadFull, match="2 calls of this caller"):
            bulkhead.entering("ada").__enter__()
        with bulkhead.entering("eve"), pytest.raises(BulkheadFull, match="3 calls are under way"):
            bulkhead.entering("bob").__enter__()
    for _ in range(3):
        with bulkhead.entering("ada"), bulkhead.entering("ada"):
            assert bulkhead._of_callers == {"ada": 2}
    assert bulkhead._of_callers == {}


def test_a_full_bulkhead_leaves_an_open_circuit_open(breaker, clock):
    guard = Guard("payments", breaker=breaker, bulkhead=Bulkhead("payments", most=1, wait_seconds=0))
    open_it(breaker)
    with guard.bulkhead.entering():
        with pytest.raises(CircuitOpen):
            guard.call(lambda: "never run")
        clock.advance(30)
        with pytest.raises(BulkheadFull):
            guard.call(lambda: "never run")

    assert breaker.state is State.OPEN
    assert guard.call(lambda: "ok") == "ok", "the next call probes"


def test_who_hangs_is_at_fault_and_who_was_asked_too_late_is_not(breaker):
    for given, state in ((0.1, State.CLOSED), (1.9, State.OPEN)):
        for _ in range(3):
            with deadline.until(time.time() - 1), pytest.raises(DeadlineExceeded):
                breaker.call(lambda given=given: deadline.refuse_if_over(given=given, usual=2.0))
        assert breaker.state is state


def test_a_probe_cut_short_by_its_caller_says_nothing_and_another_may_probe(breaker, clock):
    open_it(breaker)
    clock.advance(30)

    with pytest.raises(DeadlineExceeded):
        breaker.call(lambda: fail(DeadlineExceeded("over")))

    assert breaker.state is State.OPEN
    assert breaker.call(lambda: "ok") == "ok"
    assert breaker.state is State.CLOSED


def test_an_open_circuit_refuses_streams_too(breaker, clock):
    breaker.refuse_if_open()
    open_it(breaker)
    with pytest.raises(CircuitOpen):
        breaker.refuse_if_open()
    clock.advance(30)
    breaker.refuse_if_open()
