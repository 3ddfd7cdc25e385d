from slipway_chassis.errors import DatabaseUnavailable
from slipway_chassis.lifecycle import DrainSignal, Stop, wait_for


def test_waiting_ends_when_the_dependency_comes(caplog):
    answers = iter([DatabaseUnavailable("not yet"), DatabaseUnavailable("not yet"), None])

    def ready():
        if answer := next(answers):
            raise answer

    with caplog.at_level("INFO"):
        assert wait_for("PostgreSQL", ready, Stop(), retry_seconds=0)
    assert "waiting for PostgreSQL: not yet" in caplog.text
    assert "connected to PostgreSQL after 2 attempts" in caplog.text


def test_a_stop_ends_the_waiting():
    stop = Stop()

    def never():
        stop.request()
        raise DatabaseUnavailable("away")

    assert not wait_for("PostgreSQL", never, stop)


def test_a_file_closes_while_it_says_true_and_is_looked_at_a_few_times_a_second(tmp_path):
    now, file = [0.0], tmp_path / "draining"
    closing = DrainSignal(file, clock=lambda: now[0])

    def said(value):
        file.write_text(value)
        now[0] += 0.25
        return closing()

    assert not closing()  # nobody manages this process
    assert [said(value) for value in ("", "true", "true\n", "false", "true")] == [False, True, True, False, True]
    file.unlink()
    assert closing()  # as it was at the last look
    now[0] += 0.25
    assert not closing()
