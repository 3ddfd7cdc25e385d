import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

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


def test_a_signal_is_heard_wherever_the_main_thread_stands():
    """Signals without end among waits that never sleep: a handler that took the lock of a wait would stop here."""
    program = """
import os, signal, threading, time
from slipway_chassis.lifecycle import Stop

def send():
    while True:
        time.sleep(0)
        os.kill(os.getpid(), signal.SIGTERM)

stop = Stop().install()
threading.Thread(target=send, daemon=True).start()
for _ in range(200):
    stop = Stop().install()
    while not stop.wait(0):
        pass
print("heard", flush=True)
os._exit(0)
"""
    heard = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert heard.stdout == "heard\n", heard.stderr


def test_whoever_waits_wakes_at_a_stop_and_its_signal_is_told_once(caplog):
    stop = Stop().install()
    try:
        with caplog.at_level("INFO"), ThreadPoolExecutor(3) as threads:
            waiting = [threads.submit(stop.wait) for _ in range(3)]
            signal.raise_signal(signal.SIGTERM)
            assert [each.result(timeout=10) for each in waiting] == [True] * 3
            assert stop.wait()
            assert stop.requested
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert caplog.messages == ["stopping on SIGTERM"]


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
