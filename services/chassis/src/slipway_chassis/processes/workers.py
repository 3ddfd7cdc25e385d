"""The processes without HTTP: relay, consumer, and worker, which is both. Each waits for what it needs, works, and
drains on SIGTERM.

Order of a stop: readiness off → no new batch → the batch in hand is finished and committed → the group is left, locks
are released → connections are closed. A worker's consumer ends first: what its last handlers wrote is in the outbox
by then, and the relay sends it before it ends as well.
"""

import logging
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from pydantic import Field

from ..config import DatabaseSettings, KafkaSettings, ProcessSettings, load_or_exit
from ..database import Database
from ..events import kafka
from ..events.consumer import Consumer
from ..events.dead_letters import dead_letter_topic, retry_topic
from ..events.relay import Relay
from ..events.wakeup import WakeupSender
from ..lifecycle import Stop, wait_for
from ..service import Service
from ..telemetry import traces
from ..telemetry.admin import serve_admin
from ..telemetry.health import Health
from ..telemetry.levels import LevelSettings, follow_levels
from ..telemetry.logs import configure_logs
from ..timers import start_timers
from .loops import Loop, run_together

log = logging.getLogger(__name__)

POOL = 2  # the wakeup, the readiness check; and one for each loop and each timer


class WorkerSettings(DatabaseSettings, KafkaSettings, LevelSettings):
    """Settings of a process that relays or consumes."""

    consumer_group: str = Field(default="", description="the group that the operator and autoscalers look at")


def run_relay(declared: Service) -> None:
    """Moves the service's events from its outbox to Kafka until SIGTERM."""
    _run(declared, "relay", relays=True)


def run_consumer(declared: Service) -> None:
    """Applies other services' events until SIGTERM. The consumer group is the service's name."""
    _run(declared, "consumer", consumes=True)


def run_worker(declared: Service) -> None:
    """Relay and consumer in one process until SIGTERM; of a service that has one of them alone, that one."""
    _run(declared, "worker", relays=bool(declared.publishes), consumes=bool(declared.consumes))


@dataclass(frozen=True)
class _Work:
    """What the loops of a process work with."""

    declared: Service
    settings: WorkerSettings
    database: Database
    topics: kafka.TopicWatch

    def consume(self, stop: Stop, closing: ExitStack) -> None:
        settings, group = self.settings, self.declared.name
        client = kafka.consumer_id(group, settings.service_version, socket.gethostname())
        publisher = kafka.publisher(settings, client_id=client)
        closing.callback(publisher.close)
        topics = _consumed(self.declared)
        is_outdated = self.topics.changed()  # before subscribing: what changes from now on is noticed
        subscription = kafka.subscription(settings, group=group, topics=topics, client_id=client)
        closing.callback(subscription.close)
        consumer = Consumer(
            group,
            database=self.database,
            subscription=subscription,
            publisher=publisher,
            sources=self.declared.consumes,
            retention=partial(kafka.longest_life, settings, topics),
            is_outdated=is_outdated,
        )
        consumer.run(stop)

    def relay(self, stop: Stop, closing: ExitStack, *, sends_the_rest: bool) -> None:
        client = f"{self.declared.name}-relay-{socket.gethostname()}"
        publisher = kafka.publisher(self.settings, client_id=client)
        closing.callback(publisher.close)
        companions: dict[str, str] = {}
        for stream in self.declared.publishes.values():
            companions |= stream.companions()
        Relay(self.database, publisher, sends_the_rest=sends_the_rest, companions=companions).run(stop)


def _loops(work: _Work, *, relays: bool, consumes: bool) -> list[Loop]:
    """In the order in which they end."""
    loops = [Loop("consumer", work.consume)] if consumes else []
    if relays:
        loops.append(Loop("relay", partial(work.relay, sends_the_rest=consumes)))
    return loops


def _consumed(declared: Service) -> list[str]:
    return [topic for source in declared.consumes for topic in (source.topic, retry_topic(source.topic, declared.name))]


def _topics(declared: Service, *, relays: bool, consumes: bool) -> list[str]:
    """All that must be there before the process begins."""
    topics = [stream.topic for stream in declared.publishes.values()] if relays else []
    if consumes:
        topics += _consumed(declared)
        topics += [dead_letter_topic(source.topic, declared.name) for source in declared.consumes]
    return list(dict.fromkeys(topics))


def _same_group_or_exit(looked_at: str, joined: str) -> None:
    """Who looks at a group that nobody joins takes it for empty, and lets two versions consume at once."""
    if looked_at not in {"", joined}:
        sys.exit(
            f"error: CONSUMER_GROUP is {looked_at}, and this service joins {joined}: "
            f"set release.consumerGroup of its chart to {joined}"
        )


def _run(declared: Service, process: str, *, relays: bool = False, consumes: bool = False) -> None:
    settings = load_or_exit(WorkerSettings, beside=declared.settings)
    if consumes:
        _same_group_or_exit(settings.consumer_group, declared.name)
    own_settings = load_or_exit(declared.settings) if declared.settings and consumes else None
    configure_logs(declared.name, process=process, version=settings.service_version, level=settings.log_level)
    recorder = traces.configure(declared.name, settings.service_version, settings)
    follow_levels(settings)
    stop = Stop().install()
    timers = declared.timers if consumes else ()
    database = Database(
        settings.database_url,
        application_name=f"{declared.name}-{process}",
        pool_size=POOL + relays + consumes + len(timers),
    )
    schema = declared.schema(database)
    names: Sequence[str] = _topics(declared, relays=relays, consumes=consumes)
    topics = kafka.TopicWatch(settings, names)
    health = Health({"postgresql": schema.usable, "kafka": topics.usable})
    health.drain_when(lambda: stop.requested)
    serve_admin(settings.bind_host, settings.admin_port, health)
    try:
        if wait_for("PostgreSQL", schema.check, stop) and wait_for(
            "Kafka", lambda: kafka.ensure_topics(settings, names), stop
        ):
            log.info("%s started", process)
            if consumes and declared.publishes:
                WakeupSender(database).start()
            start_timers(timers, database, own_settings, stop)
            topics.look()
            topics.start(stop)
            work = _Work(declared, settings, database, topics)
            run_together(_loops(work, relays=relays, consumes=consumes), stop)
    finally:
        database.close()
        if recorder:
            recorder.close()
        log.info("%s stopped", process)


class MigrateSettings(ProcessSettings, DatabaseSettings):
    """Settings of the process that migrates the schema and ends."""


def run_migrate(declared: Service) -> None:
    """Brings the service's schema up to date, waiting for the database if need be, and ends."""
    settings = load_or_exit(MigrateSettings, beside=declared.settings)
    configure_logs(declared.name, process="migrate", version=settings.service_version, level=settings.log_level)
    stop = Stop().install()
    database = Database(settings.database_url, application_name=f"{declared.name}-migrate", pool_size=1)
    schema = declared.schema(database)
    if not wait_for("PostgreSQL", lambda: log.info(schema.upgrade(stop)), stop):
        raise SystemExit("stopped before the migration ended")
    database.close()
