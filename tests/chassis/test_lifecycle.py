from slipway_chassis.errors import DatabaseUnavailable
from slipway_chassis.lifecycle import Stop, wait_for


def test_waiting_ends_when_the_dependency_comes(caplog):
    answers = iter([DatabaseUnavailable("not yet"), DatabaseUnavailable("not yet"), None])

    def ready():
        if answer := next(answers):
            raise answer

    with caplog.at_level("INFO"):
        assert wait_for("PostgreSQL", ready, Stop(), retry_seconds=0)
    assert "waiting for PostgreSQL: not yet" in caplog.text
    assert "PostgreSQL is there after 2 tries" in caplog.text


def test_a_stop_ends_the_waiting():
    stop = Stop()

    def never():
        stop.request()
        raise DatabaseUnavailable("away")

    assert not wait_for("PostgreSQL", never, stop)
