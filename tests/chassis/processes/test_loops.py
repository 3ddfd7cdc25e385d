"""Loops of one process end in their order, and none of them alone."""

import threading

import pytest

from slipway_chassis.errors import BrokerUnavailable, LoopEnded
from slipway_chassis.lifecycle import Stop
from slipway_chassis.processes.loops import Loop, run_together

STOP_TIMEOUT = 0.05


@pytest.fixture(name="stop")
def _stop():
    return Stop()


def obedient(name, told):
    def work(stop, closing):
        closing.callback(told.append, f"{name} is closed")
        stop.wait(30)
        told.append(f"{name} was asked to end")

    return Loop(name, work)


def failing(name, error, after=None):
    def work(_stop, _closing):
        if after:
            after.wait(30)
        raise error

    return Loop(name, work)


def test_both_work_until_a_stop_and_end_one_after_the_other(stop):
    told, both = [], threading.Barrier(3)

    def loop(name):
        def work(asked, closing):
            closing.callback(told.append, f"{name} is closed")
            both.wait(30)
            asked.wait(30)
            told.append(f"{name} was asked to end")

        return Loop(name, work)

    def ask():
        both.wait(30)
        stop.request()

    threading.Thread(target=ask).start()
    run_together([loop("consumer"), loop("relay")], stop)

    assert told == ["consumer was asked to end", "consumer is closed", "relay was asked to end", "relay is closed"]


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(0), MemoryError()], ids=repr)
def test_one_that_fails_ends_the_others_and_then_the_process(stop, error):
    told = []

    with pytest.raises(LoopEnded, match="the relay ended by itself") as raised:
        run_together([obedient("consumer", told), failing("relay", error)], stop)

    assert told == ["consumer was asked to end", "consumer is closed"]
    assert raised.value.__cause__ is error
    assert stop.requested, "by it, the process is not ready any more"


def test_one_that_returns_without_being_asked_has_failed(stop):
    told = []

    with pytest.raises(LoopEnded, match=r"the relay ended by itself.*nobody had asked"):
        run_together([obedient("consumer", told), Loop("relay", lambda _stop, _closing: None)], stop)

    assert told == ["consumer was asked to end", "consumer is closed"]


def test_one_whose_broker_went_away_begins_again_and_the_other_goes_on(stop, monkeypatch):
    monkeypatch.setattr("slipway_chassis.processes.loops.AGAIN_SECONDS", 0)
    told, tries = [], []

    def work(asked, closing):
        tries.append(closing)
        if len(tries) < 3:
            raise BrokerUnavailable("Kafka: connection refused")
        stop.request()
        asked.wait(30)

    run_together([Loop("consumer", work), obedient("relay", told)], stop)

    assert len(tries) == 3
    assert told == ["relay was asked to end", "relay is closed"]


def test_one_that_hangs_does_not_keep_a_process_alive_that_has_failed(stop):
    release = threading.Event()

    with pytest.raises(LoopEnded, match="the relay"):
        run_together(
            [Loop("consumer", lambda _stop, _closing: release.wait(30)), failing("relay", ValueError("a bug"))],
            stop,
            stop_timeout=STOP_TIMEOUT,
        )

    release.set()


def test_a_failure_while_ending_is_not_swallowed(stop):
    def work(asked, _closing):
        stop.request()
        asked.wait(30)
        raise ValueError("the last commit failed")

    with pytest.raises(LoopEnded, match="the last commit failed"):
        run_together([Loop("consumer", work)], stop)
