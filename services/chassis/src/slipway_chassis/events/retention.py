"""What outbox, inbox and stored answers need not keep. The outbox needs nothing: what was sent is deleted."""

from datetime import timedelta

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.orm import Session

from .tables import idempotency_keys

# Longer than any client goes on trying.
IDEMPOTENCY_RETENTION = timedelta(hours=24)
FORGET_AT_ONCE = 5_000  # rows in one statement: short locks, small transactions


def forget_idempotency_keys(session: Session, *, older_than: timedelta = IDEMPOTENCY_RETENTION) -> int:
    """Removes some of the answers that are older; returns how many. Call again while there are many."""
    table = idempotency_keys
    key = tuple_(table.c.owner, table.c.key)
    old = (
        select(table.c.owner, table.c.key)
        .where(table.c.created_at < func.now() - older_than)
        .limit(FORGET_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return len(session.execute(delete(table).where(key.in_(old)).returning(table.c.key)).all())
