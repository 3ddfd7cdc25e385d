"""The inbox: which events a group has applied already, recorded in the transaction of their effect."""

from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.orm import Session

from .retention import forget_rows
from .tables import inbox

# One array instead of a row of parameters each: a batch costs little more than one event.
_CLAIM = text(
    "INSERT INTO inbox (consumer_group, event_id) SELECT :group, unnest(CAST(:ids AS uuid[]))"
    " ON CONFLICT DO NOTHING RETURNING event_id"
)

_KNOWN = text("SELECT event_id FROM inbox WHERE consumer_group = :group AND event_id = ANY(CAST(:ids AS uuid[]))")

_number = attrgetter("int")  # sorts UUIDs without a call in Python for each comparison


def known_among(session: Session, group: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Which of the events were applied already. It locks nothing: who applies one claims it as well."""
    values = {"group": group, "ids": list(event_ids)}
    return {row[0] for row in session.connection().execute(_KNOWN, values).all()}


def claim(session: Session, group: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Marks the events as applied; returns those that were new.

    ``ON CONFLICT DO NOTHING`` rather than catching an error: an error would abort the transaction. A
    second consumer that claims the same event waits here until the first commits or rolls back.
    """
    if not event_ids:
        return set()
    # In one order everywhere, so that two consumers can't wait for each other.
    values = {"group": group, "ids": sorted(set(event_ids), key=_number)}
    return {row[0] for row in session.connection().execute(_CLAIM, values).all()}


# As long as a record may stay in topics that the chassis makes: 7 days, half a day until its segment is full, and time
# for Kafka to delete it. What can still come again must be remembered; other topics are asked (kafka.longest_life).
RETENTION_BY_DEFAULT = timedelta(days=8)


def forget(session: Session, group: str, *, older_than: timedelta = RETENTION_BY_DEFAULT) -> int:
    """Removes some of the group's rows that are older; returns how many. Call again while there are many."""
    return forget_rows(session, inbox, inbox.c.consumer_group == group, inbox.c.seen_at < func.now() - older_than)
