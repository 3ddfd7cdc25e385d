"""The inbox: which events a group has applied already, recorded in the transaction of their effect."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from .tables import inbox


def claim(session: Session, group: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Marks the events as applied; returns those that were new.

    ``ON CONFLICT DO NOTHING`` rather than catching an error: an error would abort the transaction. A
    second consumer that claims the same event waits here until the first commits or rolls back.
    """
    if not event_ids:
        return set()
    # In one order everywhere, so that two consumers can't wait for each other.
    rows = [{"consumer_group": group, "event_id": event_id} for event_id in sorted(set(event_ids))]
    statement = insert(inbox).on_conflict_do_nothing().returning(inbox.c.event_id)
    return set(session.scalars(statement, rows))


# Longer than Kafka keeps records by default (7 days): what can still come again must be remembered.
RETENTION = timedelta(days=8)
FORGET_AT_ONCE = 5_000  # rows in one statement: short locks, small transactions


def forget(session: Session, group: str, *, older_than: timedelta = RETENTION) -> int:
    """Removes some of the group's rows that are older; returns how many. Call again while there are many."""
    key = tuple_(inbox.c.consumer_group, inbox.c.event_id)
    old = (
        select(inbox.c.consumer_group, inbox.c.event_id)
        .where(inbox.c.consumer_group == group, inbox.c.seen_at < func.now() - older_than)
        .limit(FORGET_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return len(session.execute(delete(inbox).where(key.in_(old)).returning(inbox.c.event_id)).all())
