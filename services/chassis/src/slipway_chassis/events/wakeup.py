"""Wakes relays when events were committed, so that they need not poll often.

The NOTIFY runs in a transaction of its own, in a thread, after the business transaction: inside it, every
commit of the database would queue behind one lock. A wakeup that is lost costs latency only: relays poll
as well. Several commits share one wakeup.
"""

import logging
import threading
import time
from collections.abc import Iterable

from sqlalchemy import Connection, text

from ..database import Database, scope_of
from .tables import outbox

log = logging.getLogger(__name__)

CHANNEL = "slipway_outbox"
PAUSE_SECONDS = 0.003  # commits within it are told together


class WakeupSender:
    """One per process that writes events. ``committed`` never blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._channel: str | None = None
        self._shards: set[int] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wakeup", daemon=True)

    def start(self) -> "WakeupSender":
        self._database.on_outbox = self.committed
        self._thread.start()
        return self

    def committed(self, shards: Iterable[int]) -> None:
        with self._lock:
            self._shards.update(shards)
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                shards, self._shards = self._shards, set()
            if shards:
                self._tell(shards)
                time.sleep(PAUSE_SECONDS)

    def _tell(self, shards: set[int]) -> None:
        payload = ",".join(str(shard) for shard in sorted(shards))
        try:
            with self._database.autocommit() as connection:
                if self._channel is None:
                    self._channel = channel_of(connection)
                connection.execute(
                    text("SELECT pg_notify(:channel, :payload)"), {"channel": self._channel, "payload": payload}
                )
        except Exception as error:  # noqa: BLE001 # a thread that ended would tell no relay any more
            log.debug("relays were not told: %s", error)


def channel_of(connection: Connection) -> str:
    """The channel of the outbox that this connection finds: others may be in other schemas of the database."""
    scope = scope_of(connection, outbox.name)
    return f"{CHANNEL}_{scope}" if scope else CHANNEL


def shards_of(payload: str) -> set[int]:
    """The shards a wakeup names; anything else on the channel names none."""
    return {int(part) for part in payload.split(",") if part.isdecimal()}
