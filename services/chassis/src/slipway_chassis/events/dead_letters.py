"""Dead letters: records a group can't process, kept with the reason in ``<topic>.<group>.dlq``."""

from datetime import datetime

from .ports import Record


def dead_letter_topic(topic: str, group: str) -> str:
    return f"{topic}.{group}.dlq"


def dead_letter(record: Record, group: str, *, reason: str, error: Exception, attempts: int, now: datetime) -> Record:
    """The record as it was, with headers that say where it came from and why it failed."""
    why = {
        "dlq_reason": reason,
        "dlq_exception": f"{type(error).__name__}: {error}"[:1000],
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_attempts": str(attempts),
        "dlq_time": now.isoformat(),
    }
    headers = record.headers + tuple((name, value.encode()) for name, value in why.items())
    return Record(topic=dead_letter_topic(record.topic, group), key=record.key, value=record.value, headers=headers)
