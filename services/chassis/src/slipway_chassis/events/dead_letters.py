"""Dead letters: records a group can't process, kept with the reason in ``<topic>.<group>.dlq``.

They come back by ``<topic>.<group>.retry``, which only that group reads: other groups never see an event
twice because one of them had a fault. On strict topics a replay is framed per key by two control records,
so that the consumer knows when a key may go on (see ``parking``).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import Counter

from ..errors import DependencyUnavailable, InvalidEvent, UnknownEventVersion
from ..telemetry.correlation import TRACEPARENT
from ..telemetry.logs import event_fields
from .ports import Publisher, Record

log = logging.getLogger(__name__)

FAILED_REASON, PARKED_REASON = "failed", "parked"
DEAD_LETTERS = Counter("dlq_total", "Records moved to a dead-letter topic", ["reason"])
for _reason in (FAILED_REASON, PARKED_REASON, InvalidEvent.reason, UnknownEventVersion.reason):
    # Prometheus sees no increase in a series that begins with 1: nobody would be told of the first letter.
    DEAD_LETTERS.labels(_reason)

DLQ, RETRY = "dlq", "retry"
BEGIN, END = "begin", "end"
CONTROL = "dlq_replay"
SEQUENCE = "dlq_sequence"
WORDS = 1000  # of the exception's text


def dead_letter_topic(topic: str, group: str) -> str:
    return f"{topic}.{group}.{DLQ}"


def retry_topic(topic: str, group: str) -> str:
    return f"{topic}.{group}.{RETRY}"


def origin_topic(topic: str, group: str) -> str:
    """The topic a record was published to, whether it came from there or by the retry topic."""
    return topic.removesuffix(f".{group}.{RETRY}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A record that can't be processed, and why. ``attempts`` counts tries; ``reason`` is one word."""

    record: Record
    reason: str
    error: str
    attempts: int


def failure_of(record: Record, error: Exception, *, attempts: int) -> Failure:
    reason = error.reason if isinstance(error, InvalidEvent) else FAILED_REASON
    return Failure(record=record, reason=reason, error=words_of(error), attempts=attempts)


def words_of(error: Exception) -> str:
    """The error's class and text, without values of rows."""
    said = str(error)
    # PostgreSQL's DETAIL quotes the row it refused: values have no place in logs and headers.
    return f"{type(error).__name__}: {said.partition('DETAIL:')[0].strip()}"


def fields_of(record: Record) -> dict[str, str]:
    """``extra`` of a line about a record that may be anything."""
    key = (record.key or b"").decode("utf-8", errors="replace")
    return event_fields(record.header("ce_id"), record.header("ce_type"), key, record.header(TRACEPARENT))


def dead_letter(failure: Failure, group: str, *, sequence: int, now: datetime) -> Record:
    """The record as it was, with headers that say where it came from and why it failed.

    ``sequence`` numbers the letters of a parked key; 0 where keys are not parked.
    """
    record = failure.record
    why = {
        "dlq_reason": failure.reason,
        "dlq_exception": failure.error[:WORDS],
        "dlq_topic": origin_topic(record.topic, group),
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_attempts": str(failure.attempts),
        "dlq_time": now.isoformat(),
        SEQUENCE: str(sequence),
    }
    headers = bare_headers(record) + tuple((name, value.encode()) for name, value in why.items())
    topic = dead_letter_topic(origin_topic(record.topic, group), group)
    return Record(topic=topic, key=record.key, value=record.value, headers=headers)


def publish_dead_letters(
    publisher: Publisher, failures: Sequence[Failure], sequences: Sequence[int], *, group: str
) -> None:
    """Publishes the letters, or raises DependencyUnavailable; ``sequences`` as of ``dead_letter``."""
    now = datetime.now(UTC)
    letters = [
        dead_letter(failure, group, sequence=number, now=now)
        for failure, number in zip(failures, sequences, strict=True)
    ]
    outcomes = publisher.publish(letters)
    refused = [letter for letter, outcome in zip(letters, outcomes, strict=True) if outcome and not outcome.retriable]
    if refused and not any(outcome and outcome.retriable for outcome in outcomes):
        # Too large with its new headers: without the value they still say where it is.
        outcomes = publisher.publish([letter._replace(value=None) for letter in refused])
    if any(outcomes):
        raise DependencyUnavailable(f"a dead letter was not accepted: {next(filter(None, outcomes))}")
    for failure in failures:
        DEAD_LETTERS.labels(failure.reason).inc()
        at = failure.record
        place = f"{at.topic} partition {at.partition} offset {at.offset}"
        log.error("dead letter: %s: %s: %s", place, failure.reason, failure.error, extra=fields_of(at))


def bare_headers(record: Record) -> tuple[tuple[str, bytes | None], ...]:
    """The headers the record was published with."""
    return tuple((name, value) for name, value in record.headers if not name.startswith("dlq_"))


def retried(letter: Record, group: str) -> Record:
    """A dead letter as it is sent to the retry topic."""
    topic = retry_topic(letter.header("dlq_topic"), group)
    number = ((SEQUENCE, str(sequence_of(letter)).encode()),) if sequence_of(letter) else ()
    return Record(topic=topic, key=letter.key, value=letter.value, headers=bare_headers(letter) + number)


def frame(mark: str, key: bytes | None, topic: str, group: str, *, sequence: int = 0) -> Record:
    """A control record: a replay of the key's letters begins, or ended with the letter ``sequence``."""
    headers = ((CONTROL, mark.encode()), (SEQUENCE, str(sequence).encode()))
    return Record(topic=retry_topic(topic, group), key=key, value=None, headers=headers)


def sequence_of(record: Record) -> int:
    """The letter's or frame's number; 0 when it has none."""
    text = record.header(SEQUENCE)
    return int(text) if text.isdecimal() and len(text) < 18 else 0  # noqa: PLR2004 # fits PostgreSQL's bigint
