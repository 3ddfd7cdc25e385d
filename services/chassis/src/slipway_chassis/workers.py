"""The processes without HTTP: relay and consumer. Each waits for what it needs, works, and drains on SIGTERM.

Order of a stop: readiness off → no new batch → the batch in hand is finished and committed → the group
is left, locks are released → connections are closed.
"""

import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from .config import DatabaseSettings, KafkaSettings, ProcessSettings
from .database import Database, Schema
from .errors import BrokerUnavailable
from .events import kafka
from .events.consumer import Consumer, Reaction
from .events.dead_letters import dead_letter_topic
from .events.relay import Relay
from .events.stream import Stream
from .lifecycle import Stop, wait_for
from .telemetry.admin import serve_admin
from .telemetry.health import Health
from .telemetry.logs import configure_logs

log = logging.getLogger(__name__)


class WorkerSettings(ProcessSettings, DatabaseSettings, KafkaSettings):
    """Settings of a process that relays or consumes."""


def run_relay(service: str, settings: WorkerSettings, streams: Sequence[Stream]) -> None:
    """Moves the service's events from its outbox to Kafka until SIGTERM."""

    def work(database: Database, stop: Stop, closing: ExitStack) -> None:
        publisher = kafka.KafkaPublisher(settings, client_id=f"{service}-relay-{socket.gethostname()}")
        closing.callback(publisher.close)
        Relay(database, publisher).run(stop)

    _run(service, "relay", settings, topics=[stream.topic for stream in streams], work=work)


def run_consumer(
    service: str, settings: WorkerSettings, *, topics: Sequence[str], reactions: Mapping[str, Reaction]
) -> None:
    """Applies other services' events until SIGTERM. The consumer group is the service's name."""

    def work(database: Database, stop: Stop, closing: ExitStack) -> None:
        client = f"{service}-consumer-{socket.gethostname()}"
        publisher = kafka.KafkaPublisher(settings, client_id=client)
        closing.callback(publisher.close)
        subscription = kafka.KafkaSubscription(settings, group=service, topics=topics, client_id=client)
        closing.callback(subscription.close)
        consumer = Consumer(
            service, database=database, subscription=subscription, publisher=publisher, reactions=reactions
        )
        consumer.run(stop)

    needed = [*topics, *(dead_letter_topic(topic, service) for topic in topics)]
    _run(service, "consumer", settings, topics=needed, work=work)


def _run(
    service: str,
    process: str,
    settings: WorkerSettings,
    *,
    topics: Sequence[str],
    work: Callable[[Database, Stop, ExitStack], None],
) -> None:
    configure_logs(service, process=process, version=settings.service_version, level=settings.log_level)
    stop = Stop().install()
    database = Database(settings.database_url, application_name=f"{service}-{process}", pool_size=3)
    schema = Schema(database, service)
    health = Health({"postgresql": schema.usable, "kafka": lambda: kafka.ping(settings)})
    health.drain_when(lambda: stop.requested)
    serve_admin(settings.bind_host, settings.admin_port, health)
    try:
        if wait_for("PostgreSQL", schema.check, stop) and wait_for(
            "Kafka", lambda: kafka.ensure_topics(settings, topics), stop
        ):
            log.info("%s started", process)
            while not stop.requested:
                try:
                    with ExitStack() as closing:
                        work(database, stop, closing)
                except BrokerUnavailable as error:  # it went away between the check and the connection
                    log.warning("starting again: %s", error)
                    stop.wait(1.0)
    finally:
        database.close()
        log.info("%s stopped", process)


class MigrateSettings(ProcessSettings, DatabaseSettings):
    """Settings of the process that migrates the schema and ends."""


def run_migrate(service: str, settings: MigrateSettings) -> None:
    """Brings the service's schema up to date, waiting for the database if need be, and ends."""
    configure_logs(service, process="migrate", version=settings.service_version, level=settings.log_level)
    stop = Stop().install()
    database = Database(settings.database_url, application_name=f"{service}-migrate", pool_size=1)
    schema = Schema(database, service)
    if not wait_for("PostgreSQL", lambda: log.info(schema.upgrade()), stop):
        raise SystemExit("stopped before the migration ended")
    database.close()
