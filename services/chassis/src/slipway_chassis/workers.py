"""The processes without HTTP: relay and consumer. Each waits for what it needs, works, and drains on SIGTERM.

Order of a stop: readiness off → no new batch → the batch in hand is finished and committed → the group
is left, locks are released → connections are closed.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from .config import DatabaseSettings, KafkaSettings, ProcessSettings, TraceSettings, load_or_exit
from .database import Database
from .errors import BrokerUnavailable
from .events import kafka
from .events.consumer import Consumer
from .events.dead_letters import dead_letter_topic, retry_topic
from .events.nudge import Nudger
from .events.relay import Relay
from .lifecycle import Stop, wait_for
from .telemetry import traces
from .telemetry.admin import serve_admin
from .telemetry.health import Health
from .telemetry.logs import configure_logs
from .timers import start_timers

if TYPE_CHECKING:
    from .service import Service

log = logging.getLogger(__name__)

POOL = 3  # the work, the nudge, the readiness check; and one for each timer


class WorkerSettings(ProcessSettings, DatabaseSettings, KafkaSettings, TraceSettings):
    """Settings of a process that relays or consumes."""


def run_relay(declared: "Service") -> None:
    """Moves the service's events from its outbox to Kafka until SIGTERM."""
    settings = load_or_exit(WorkerSettings)

    def work(database: Database, stop: Stop, closing: ExitStack) -> None:
        publisher = kafka.publisher(settings, client_id=f"{declared.name}-relay-{socket.gethostname()}")
        closing.callback(publisher.close)
        Relay(database, publisher).run(stop)

    _run(declared, "relay", settings, topics=[stream.topic for stream in declared.publishes.values()], work=work)


def run_consumer(declared: "Service") -> None:
    """Applies other services' events until SIGTERM. The consumer group is the service's name."""
    settings = load_or_exit(WorkerSettings)
    own_settings = load_or_exit(declared.settings) if declared.settings else None
    group = declared.name
    topics = [topic for source in declared.consumes for topic in (source.topic, retry_topic(source.topic, group))]

    def work(database: Database, stop: Stop, closing: ExitStack) -> None:
        client = kafka.consumer_id(group, settings.service_version, socket.gethostname())
        publisher = kafka.publisher(settings, client_id=client)
        closing.callback(publisher.close)
        subscription = kafka.subscription(settings, group=group, topics=topics, client_id=client)
        closing.callback(subscription.close)
        Consumer(
            group, database=database, subscription=subscription, publisher=publisher, sources=declared.consumes
        ).run(stop)

    def begin(database: Database, stop: Stop) -> None:
        if declared.publishes:
            Nudger(database).start()
        start_timers(declared.timers, database, own_settings, stop)

    needed = [*topics, *(dead_letter_topic(source.topic, group) for source in declared.consumes)]
    _run(declared, "consumer", settings, topics=needed, work=work, begin=begin)


def _run(
    declared: "Service",
    process: str,
    settings: WorkerSettings,
    *,
    topics: Sequence[str],
    work: Callable[[Database, Stop, ExitStack], None],
    begin: Callable[[Database, Stop], None] = lambda _database, _stop: None,
) -> None:
    configure_logs(declared.name, process=process, version=settings.service_version, level=settings.log_level)
    recorder = traces.configure(declared.name, settings.service_version, settings)
    stop = Stop().install()
    database = Database(
        settings.database_url, application_name=f"{declared.name}-{process}", pool_size=POOL + len(declared.timers)
    )
    schema = declared.schema(database)
    health = Health({"postgresql": schema.usable, "kafka": lambda: kafka.ping(settings)})
    health.drain_when(lambda: stop.requested)
    serve_admin(settings.bind_host, settings.admin_port, health)
    try:
        if wait_for("PostgreSQL", schema.check, stop) and wait_for(
            "Kafka", lambda: kafka.ensure_topics(settings, topics), stop
        ):
            log.info("%s started", process)
            begin(database, stop)
            while not stop.requested:
                try:
                    with ExitStack() as closing:
                        work(database, stop, closing)
                except BrokerUnavailable as error:  # it went away between the check and the connection
                    log.warning("starting again: %s", error)
                    stop.wait(1.0)
    finally:
        database.close()
        if recorder:
            recorder.close()
        log.info("%s stopped", process)


class MigrateSettings(ProcessSettings, DatabaseSettings):
    """Settings of the process that migrates the schema and ends."""


def run_migrate(declared: "Service") -> None:
    """Brings the service's schema up to date, waiting for the database if need be, and ends."""
    settings = load_or_exit(MigrateSettings)
    configure_logs(declared.name, process="migrate", version=settings.service_version, level=settings.log_level)
    stop = Stop().install()
    database = Database(settings.database_url, application_name=f"{declared.name}-migrate", pool_size=1)
    schema = declared.schema(database)
    if not wait_for("PostgreSQL", lambda: log.info(schema.upgrade()), stop):
        raise SystemExit("stopped before the migration ended")
    database.close()
