"""Who is handed a session works in a transaction of others, and is never told that it was saved when it was not."""

import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, registry

from slipway_chassis.errors import TransactionRefused
from slipway_chassis.events import tables
from slipway_chassis.events.consumer import Consumer
from slipway_chassis.events.dead_letters import dead_letter_topic
from slipway_chassis.events.ports import Record
from slipway_chassis.events.sources import Source
from slipway_chassis.events.stream import Envelope, encode
from slipway_chassis.http import Api
from slipway_chassis.lifecycle import Stop
from slipway_chassis.resources import Resources
from slipway_chassis.service import service
from slipway_chassis.testing.plugin import eventually
from slipway_chassis.timers import Timer, start_timers

pytestmark = [pytest.mark.integration, pytest.mark.core]
metadata = MetaData()
names = Table(
    "names", metadata, Column("n", Integer, primary_key=True, autoincrement=True), Column("name", Text, unique=True)
)
named = registry(metadata=metadata)


class Name:
    pass


@dataclass(frozen=True)
class Named:
    name: str


named.map_imperatively(Name, names)


@pytest.fixture(autouse=True)
def _schema(database):
    with database.engine.begin() as connection:
        metadata.create_all(connection)
        tables.create_v1(connection)
        tables.create_v2(connection)


def saved(database):
    with database.transaction() as session:
        return list(session.scalars(select(names.c.name).order_by(names.c.n)))


def add(session, name):
    session.execute(insert(names).values(name=name))


def catches_an_error(session, name):
    add(session, name)
    with suppress(IntegrityError):
        add(session, name)


def catches_an_error_of_a_flush(session, name):
    add(session, name)
    session.add(twice := Name())
    twice.name = name
    with suppress(IntegrityError):
        session.flush()


def swallows(end):
    def handler(session, name):
        add(session, name)
        with suppress(TransactionRefused):
            end(session)

    return handler


def then(end):
    def handler(session, name):
        add(session, name)
        end(session)

    return handler


ENDS = {
    "commit": lambda session: session.commit(),
    "rollback": lambda session: session.rollback(),
    "close": lambda session: session.close(),
    "reset": lambda session: session.reset(),
    "block": lambda session: session.__exit__(None, None, None),
    "connection commit": lambda session: session.connection().commit(),
    "transaction commit": lambda session: session.get_transaction().commit(),
    "COMMIT": lambda session: session.execute(text("COMMIT")),
    "end": lambda session: session.connection().exec_driver_sql("/* now */ end"),
    "ROLLBACK": lambda session: session.execute(text("  rollback work")),
    "two statements": lambda session: session.connection().exec_driver_sql("SELECT 1; COMMIT"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_handler_cannot_end_the_transaction_it_is_lent(database, end):
    with pytest.raises(TransactionRefused, match="begin_nested"), database.transaction() as session:
        then(end)(session, "lost")

    assert saved(database) == []


@pytest.mark.parametrize(
    "handler",
    [
        catches_an_error,
        catches_an_error_of_a_flush,
        swallows(ENDS["rollback"]),
        then(lambda session: session.connection().rollback()),
        then(lambda session: session.get_transaction().rollback()),
        then(lambda session: session.connection().close()),
    ],
)
def test_what_postgresql_gave_up_is_an_error(database, handler):
    said = r"nothing of it is saved|nothing is saved|inactive|closed"
    with pytest.raises(Exception, match=said), database.transaction() as session:
        handler(session, "lost")

    assert saved(database) == []


def test_savepoints_are_for_what_may_fail(database):
    with database.transaction() as session:
        add(session, "first")
        for name in ("first", "second"):
            with suppress(IntegrityError), session.begin_nested():
                add(session, name)
        session.execute(text("SAVEPOINT own"))
        add(session, "third")
        session.execute(text("ROLLBACK TO SAVEPOINT own"))
        with session.begin_nested() as undone:
            add(session, "fourth")
            undone.rollback()

    assert saved(database) == ["first", "second"]


@pytest.mark.parametrize("handler", [catches_an_error, then(ENDS["commit"])])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
def test_a_request_is_answered_500_and_has_no_effect(database, handler, headers):
    api = Api("v1")

    @api.post("/v1/names", idempotent=True)
    def add_name(session: Session) -> None:
        handler(session, "lost")

    client = service("t", apis=[api], tables=metadata).build_app(Resources(database=database)).test_client()
    for _ in range(2):
        assert client.post("/v1/names", headers=headers).status_code == 500

    assert saved(database) == []


@pytest.mark.parametrize("bad", [catches_an_error, then(ENDS["commit"]), then(ENDS["COMMIT"])])
def test_an_event_whose_handler_does_so_becomes_a_dead_letter_alone(database, broker, bad):
    source = Source("in")

    @source.on("t.Named.v1")
    def handle(session, event: Named):
        (bad if event.name == "bad" else add)(session, event.name)

    consumer = Consumer(
        "group",
        database=database,
        subscription=broker.subscription(group="group", topics=["in", "in.group.retry"]),
        publisher=broker.publisher(),
        sources=[source],
    )
    broker.publisher().publish([_record(name) for name in ("a", "bad", "b", "c")])
    stop = Stop()
    running = threading.Thread(target=consumer.run, args=(stop,))
    running.start()
    eventually(lambda: sorted(saved(database)) == ["a", "b", "c"])
    eventually(lambda: len(broker.records(dead_letter_topic("in", "group"))) == 1)
    stop.request()
    running.join(60)
    assert not running.is_alive()

    with database.transaction() as session:
        assert len(session.execute(select(tables.inbox)).all()) == 3


def _record(name):
    envelope = Envelope(
        id=uuid.uuid4(), type="t.Named.v1", source="/t", subject=name, time=datetime(2026, 1, 1, tzinfo=UTC), version=1
    )
    return Record(topic="in", key=name.encode(), value=encode(Named(name)), headers=envelope.headers())


def test_a_timer_that_does_so_has_failed(database, caplog):
    stop = Stop()
    start_timers(
        [Timer(name="t", seconds=0.05, run=lambda session, _settings: catches_an_error(session, "lost"))],
        database,
        None,
        stop,
    )
    eventually(lambda: "begin_nested" in caplog.text)
    stop.request()

    assert saved(database) == []
