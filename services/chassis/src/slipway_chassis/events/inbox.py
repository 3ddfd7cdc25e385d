"""The inbox: which events a group has applied already, recorded in the transaction of their effect."""

from collections.abc import Sequence
from uuid import UUID

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
