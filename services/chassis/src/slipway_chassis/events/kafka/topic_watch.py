"""Topics while a process runs: they are deleted, or a broker comes back without its data.

What was there at start need not be there later. A look every few seconds creates again what is missing, or lets
readiness name it where others own the topics. It also notices a topic that was made anew under its old name: offsets
of the former one say nothing about it.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from ...config import KafkaSettings
from ...errors import BrokerUnavailable
from ...lifecycle import Stop
from .connecting import kafka_python
from .prefixes import on_broker
from .topics import create_missing, ids_of, ping, wrapped

log = logging.getLogger(__name__)
LOOK_SECONDS = 3.0


class TopicWatch:
    """Watches ``topics`` from ``start`` on; ``usable`` is the readiness check of the process. It keeps one connection
    to the brokers.
    """

    def __init__(self, settings: KafkaSettings, topics: Sequence[str]) -> None:
        self._settings = settings
        self._topics = on_broker(settings.kafka_prefix, topics)
        self._admin: KafkaAdminClient | None = None
        self._why_not = ""
        self._ids: dict[str, str] = {}
        self._generation = 0

    def start(self, stop: Stop) -> None:
        """Looks in a thread of its own until ``stop`` is requested."""

        def run() -> None:
            while not stop.wait(LOOK_SECONDS):
                self.look()
            self._close()

        threading.Thread(target=run, name="topics", daemon=True).start()

    def look(self) -> None:
        """One look. Raises nothing: what is wrong, ``usable`` says."""
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 # whatever one look meets, the next may not
            self._close()
            if not self._why_not:
                log.warning("topics: %s", error)
            self._why_not = str(error) or type(error).__name__
        else:
            if self._why_not:
                log.info("topics: all are there again")
            self._why_not = ""

    def usable(self) -> None:
        """BrokerUnavailable while no broker answers or a topic is missing; it names which."""
        ping(self._settings)
        if self._why_not:
            raise BrokerUnavailable(self._why_not)

    def changed(self) -> Callable[[], bool]:
        """A question: was one of the topics made anew since now?"""
        generation = self._generation
        return lambda: self._generation != generation

    def _look(self) -> None:
        with wrapped("looking for topics"):
            if self._admin is None:
                ping(self._settings)
                self._admin = KafkaAdminClient(**kafka_python(self._settings), bootstrap_timeout_ms=10_000)
            create_missing(self._admin, self._settings, self._topics)
            ids = ids_of(self._admin, self._topics)
        anew = sorted(topic for topic, number in ids.items() if self._ids.get(topic, number) != number)
        if anew:
            log.warning("topics were made anew, and are read from their beginning: %s", ", ".join(anew))
            self._generation += 1
        self._ids |= ids

    def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError, OSError):
                admin.close()
