"""Parked keys: on strict topics, what comes after a dead letter of the same key follows it.

A row counts the letters a key ever had (``letters``, never restarted) and how many of them are settled; a key
is parked while the two differ. A replay sends the letters again, framed:

1. ``begin``: from now on retried records of the key are processed.
2. the letters, in order; settled ones are passed over. One that fails again becomes a letter again, with a
   higher number, and so do those behind it.
3. ``end`` with the number of the last letter sent: when it is the last one there is, all are settled and the
   key's new events are processed again. Else more letters came meanwhile: replay once more.

The row's lock orders a release and a new letter of the same key, whichever process does either.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from prometheus_client import Gauge
from sqlalchemy import ColumnElement, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from .tables import parked_keys

PARKED = Gauge("parked_keys", "Keys whose events wait for a replay of their dead letters", ["consumer_group"])

Key = tuple[str, bytes]
"""A topic (of origin) and a record's key."""

_WAITING = parked_keys.c.letters > parked_keys.c.settled


@dataclass(frozen=True, slots=True)
class Parked:
    """What is known of a key that was parked once; ``waiting``: it still is."""

    waiting: bool
    settled: int
    replaying: bool


def state_of(session: Session, group: str, key: Key) -> Parked | None:
    table = parked_keys
    statement = select(_WAITING, table.c.settled, table.c.replaying).where(*_row(group, key))
    row = session.execute(statement).one_or_none()
    return Parked(*row) if row else None


def parked_among(session: Session, group: str, keys: Collection[Key]) -> set[Key]:
    """Which of the keys are parked."""
    table = parked_keys
    statement = select(table.c.topic, table.c.key).where(
        table.c.consumer_group == group, _WAITING, tuple_(table.c.topic, table.c.key).in_(sorted(keys))
    )
    return {(topic, key) for topic, key in session.execute(statement)}


def park(session: Session, group: str, keys: Iterable[Key]) -> list[int]:
    """Counts one more letter for each; returns their numbers. A replay under way is broken off."""
    numbers = []
    for topic, key in keys:
        statement = insert(parked_keys).values(
            consumer_group=group, topic=topic, key=key, letters=1, settled=0, replaying=False
        )
        statement = statement.on_conflict_do_update(
            index_elements=["consumer_group", "topic", "key"],
            set_={"letters": parked_keys.c.letters + 1, "replaying": False},
        )
        numbers.append(session.execute(statement.returning(parked_keys.c.letters)).scalar_one())
    return numbers


def follow(session: Session, group: str, key: Key) -> int | None:
    """Counts one more letter behind those of a parked key; None when it was released meanwhile."""
    statement = update(parked_keys).where(*_row(group, key), _WAITING).values(letters=parked_keys.c.letters + 1)
    return session.execute(statement.returning(parked_keys.c.letters)).scalar_one_or_none()


def begin_replay(session: Session, group: str, key: Key) -> None:
    session.execute(update(parked_keys).where(*_row(group, key)).values(replaying=True))


def end_replay(session: Session, group: str, key: Key, last: int) -> bool:
    """Releases the key if ``last`` is its last letter and none failed again; returns whether it did."""
    released = update(parked_keys).where(
        *_row(group, key), _WAITING, parked_keys.c.letters == last, parked_keys.c.replaying.is_(True)
    )
    released = released.values(settled=last, replaying=False)
    if session.execute(released.returning(parked_keys.c.key)).one_or_none() is not None:
        return True
    session.execute(update(parked_keys).where(*_row(group, key)).values(replaying=False))
    return False


def count_parked(session: Session, group: str) -> int:
    statement = select(func.count()).select_from(parked_keys).where(parked_keys.c.consumer_group == group, _WAITING)
    return session.execute(statement).scalar_one()


def _row(group: str, key: Key) -> tuple[ColumnElement[bool], ...]:
    return parked_keys.c.consumer_group == group, parked_keys.c.topic == key[0], parked_keys.c.key == key[1]
