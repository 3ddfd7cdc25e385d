"""Asks PostgreSQL and Kafka, changes nothing: each transaction is read-only and has a limit of time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, TypeAlias, cast

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from ..config import DatabaseSettings, KafkaSettings
from ..database import Database, transient_as_unavailable
from ..errors import ConfigurationError
from ..events import kafka, replay
from ..events.replay import Filter
from . import comparing
from .declared import Audit, OfTopic
from .streams import Finding, Findings, Stream

STATEMENT_SECONDS = 60
ROWS_AT_ONCE = 1000  # of an invariant's answer
MUST_NOT_BE = "must not be"
LONGEST_SUBJECT = 200  # characters
LINE = "\n"

_Waiting: TypeAlias = dict[str, dict[str, tuple[int, int]]]  # topic → aggregate → lowest and highest version that waits
_Connection: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: over how many things, and what was found."""

    name: str
    of: int
    findings: Findings


Databases = Callable[[str], DatabaseSettings]


def look(audit: Audit, databases: Databases, broker: KafkaSettings | None) -> list[Checked]:
    """One look at everything. The databases first and the topics after them: what a row says was sent before it was
    read. ``broker``: None where nothing that is declared has a topic.
    """
    with _opened(audit.services, databases) as opened:
        rows = {name: _rows(opened[one.service], one) for name, one in audit.aggregates.items()}
        projected = {name: _rows(opened[one.service], one) for name, one in audit.projections.items()}
        checked = [_invariant(name, opened[one.service], one.sql) for name, one in audit.invariants.items()]
        outboxes = {service: _outbox(connection) for service, connection in opened.items()}
        parked = [_parked(service, connection) for service, connection in opened.items()]
    streams = {topic: Stream(topic) for topic in audit.topics}
    for topic, stream in streams.items():
        if broker:
            found = stream.read(kafka.read_topic(broker, topic))
            checked.append(Checked(found.check, stream.events, found))
    for name, aggregate in audit.aggregates.items():
        waiting = outboxes[aggregate.service].get(aggregate.topic, {})
        unsent = {aggregate_id: highest for aggregate_id, (_, highest) in waiting.items()}
        of, found = comparing.aggregates(name, aggregate, rows[name], streams[aggregate.topic], unsent)
        checked.append(Checked(found.check, of, found))
    for name, projection in audit.projections.items():
        of, found = comparing.projections(name, projection, projected[name], streams[projection.topic])
        checked.append(Checked(found.check, of, found))
    checked += [_unsent(service, outbox) for service, outbox in outboxes.items()]
    return [*checked, *parked, *(_letters(broker, audit) if broker else [])]


def settled(before: list[Checked], after: list[Checked]) -> list[Checked]:
    """The later look, with those findings alone that outlast the one before it: the others are on their way."""
    earlier = {each.name: each.findings for each in before}
    return [Checked(each.name, each.of, _lasting(earlier.get(each.name), each.findings)) for each in after]


def _lasting(before: Findings | None, after: Findings) -> Findings:
    if before is None:
        return Findings(after.check)
    if before.cut and after.cut:  # both have more than are kept, and not the same ones: not to be told apart any more
        return after
    known: dict[str, list[Finding]] = {}
    for finding in before.kept:
        known.setdefault(finding.subject, []).append(finding)
    kept = [one for one in after.kept if any(one.outlasts(former) for former in known.get(one.subject, ()))]
    return Findings(after.check, after.count if after.cut and kept else len(kept), kept)


def all_findings(checked: list[Checked]) -> list[Finding]:
    """Those that are kept, of all checks."""
    return [finding for each in checked for finding in each.findings.kept]


@contextmanager
def _opened(services: list[str], databases: Databases) -> Iterator[dict[str, _Connection]]:
    """A read-only snapshot of each database."""
    made = {
        name: Database(databases(name).database_url, application_name="slipway-audit", pool_size=1) for name in services
    }
    with ExitStack() as closing, transient_as_unavailable():
        opened: dict[str, _Connection] = {}
        for name, database in made.items():
            closing.callback(database.close)
            connection = closing.enter_context(database.engine.connect())
            closing.callback(connection.invalidate)
            opened[name] = cast("_Connection", connection.connection.driver_connection)
            opened[name].execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            opened[name].execute(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'")
        yield opened


def _asked(connection: _Connection, query: str | Composed, what: str) -> "psycopg.Cursor[tuple[Any, ...]]":
    """Answers in binary: PostgreSQL takes one statement for that, and not another one that ends the transaction."""
    try:
        return connection.execute(cast("LiteralString", query), binary=True)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise ConfigurationError(f"{what} can't be read: {str(error).partition(LINE)[0]}") from error


def _rows(connection: _Connection, declared: OfTopic) -> list[comparing.Row]:
    query = SQL("SELECT {id}::text, coalesce({version}, 0)::bigint FROM {table}").format(
        id=Identifier(declared.id), version=Identifier(declared.version), table=Identifier(*declared.table.split("."))
    )
    return _asked(connection, query, f"{declared.table} of {declared.service}").fetchall()


def _invariant(name: str, connection: _Connection, sql: str) -> Checked:
    findings = Findings(f"invariants {name}")
    cursor = _asked(connection, sql, f"the invariant {name}")
    columns = [column.name for column in cursor.description or ()]
    while columns and (rows := cursor.fetchmany(ROWS_AT_ONCE)):
        for row in rows:
            first, *others = (f"{column}={value}" for column, value in zip(columns, row, strict=True))
            # The first column says which row it is: others may hold an age, or a count that grows.
            findings.add(first[:LONGEST_SUBJECT], ", ".join([*others, MUST_NOT_BE])[-LONGEST_SUBJECT:], wanted=1)
    return Checked(findings.check, findings.count, findings)


def _has(connection: _Connection, table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone() == (True,)


def _outbox(connection: _Connection) -> _Waiting:
    """Of a service without an outbox nothing."""
    waiting: _Waiting = {}
    if _has(connection, "outbox"):
        query = "SELECT topic, aggregate_id, min(aggregate_version), max(aggregate_version) FROM outbox GROUP BY 1, 2"
        for topic, aggregate_id, lowest, highest in connection.execute(query):
            waiting.setdefault(topic, {})[aggregate_id] = lowest, highest
    return waiting


def _unsent(service: str, waiting: _Waiting) -> Checked:
    findings = Findings(f"outbox {service}")
    for topic, versions in waiting.items():
        for aggregate_id, (lowest, highest) in versions.items():
            what = f"version {highest} waits to be sent to {topic}"
            findings.add(aggregate_id, what, reached=lowest - 1, wanted=highest)
    return Checked(findings.check, findings.count, findings)


def _parked(service: str, connection: _Connection) -> Checked:
    findings = Findings(f"parked keys {service}")
    if _has(connection, "parked_keys"):
        query = "SELECT topic, encode(key, 'escape'), letters - settled FROM parked_keys ORDER BY 1, 2"
        for topic, key, letters in connection.execute(query):
            what = f"is parked on {topic} with {letters} letters: slipway dlq ls {topic} {service}"
            findings.add(key, what, wanted=1)
    return Checked(findings.check, findings.count, findings)


def _letters(broker: KafkaSettings, audit: Audit) -> Iterator[Checked]:
    """Of the topics that are read: letters are findings until they are purged."""
    for queue in replay.queues(broker):
        if queue.topic in audit.topics:
            findings = Findings(f"dead letters {queue.topic} {queue.group}")
            for letter in replay.dead_letters(broker, queue, Filter()):
                findings.add(f"{letter.partition}:{letter.offset}", letter.header("dlq_reason") or "no reason")
            yield Checked(findings.check, findings.count, findings)
