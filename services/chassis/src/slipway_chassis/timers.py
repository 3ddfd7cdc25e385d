"""What a service does now and then without being asked: time-outs, rotation, expiry.

Timers run in the process that consumes (consumer or worker), each in a transaction of its own, and in one replica at a
time.

    service("orders", ..., timers=[Timer("time-outs", seconds=1, run=use_cases.expire)])
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter
from sqlalchemy.orm import Session

from .database import Database, try_lock
from .lifecycle import Stop

log = logging.getLogger(__name__)

RUNS = Counter("timer_runs_total", "Timer runs by outcome", ["timer", "outcome"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """``run`` gets the session of a transaction and the service's own settings. It must bound its work: what is
    left waits for the next run, ``seconds`` after this one.
    """

    name: str
    seconds: float
    run: Callable[[Session, Any], None]


def start_timers(timers: Sequence[Timer], database: Database, settings: object, stop: Stop) -> None:
    """A thread for each; a run that fails is logged, and the next one comes all the same."""
    for timer in timers:
        threading.Thread(
            target=_go_on, args=(timer, database, settings, stop), name=f"timer {timer.name}", daemon=True
        ).start()


def _go_on(timer: Timer, database: Database, settings: object, stop: Stop) -> None:
    while not stop.requested:
        try:
            with database.transaction() as session:
                # A lock that ends with the transaction, and with the process if it is killed.
                if try_lock(session, f"timer {timer.name}"):
                    timer.run(session, settings)
                    RUNS.labels(timer.name, "done").inc()
        except Exception:  # whatever one run meets, the next may not
            RUNS.labels(timer.name, "failed").inc()
            log.exception("the timer %s failed and will run again", timer.name)
        stop.wait(timer.seconds)
