import gc

import pytest

from slipway_chassis.errors import DatabaseUnavailable
from slipway_chassis.telemetry.health import Health


@pytest.fixture(autouse=True)
def _breakers_of_other_tests_are_gone():
    """They are known as long as somebody holds them, and a cycle holds on until it is collected."""
    gc.collect()


def _fail():
    raise DatabaseUnavailable("PostgreSQL: connection refused")


def test_not_ready_says_which_dependency_and_why():
    ready, body = Health({"postgresql": _fail, "kafka": lambda: None}).readiness()

    assert not ready
    assert body == {
        "status": "unavailable",
        "checks": {"postgresql": {"ok": False, "detail": "PostgreSQL: connection refused"}, "kafka": {"ok": True}},
    }


def test_draining_is_not_ready():
    health = Health({"kafka": lambda: None})
    assert health.readiness()[0]

    health.drain_when(lambda: True)

    assert health.readiness() == (False, {"status": "draining", "checks": {"kafka": {"ok": True}}})


def test_checks_are_asked_at_most_once_a_second():
    asked, now = [], [0.0]
    health = Health({"x": lambda: asked.append(now[0])}, clock=lambda: now[0])

    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.5, 2.1):
        health.readiness()

    assert asked == [0.0, 1.0, 2.1]


def test_a_file_drains_and_one_left_by_a_predecessor_does_not(tmp_path):
    file = tmp_path / "draining"
    file.touch()
    health = Health({}, file)
    assert health.readiness()[0]

    file.touch()

    assert health.readiness() == (False, {"status": "draining", "checks": {}})
