"""Dead letters seen from outside: list them, show one, send them back to their group, purge them.

A replay goes to the group's retry topic alone. It may be repeated: what was applied already is known to
the inbox. On strict topics the letters of a key go back together and in order (see ``parking``), so a
filter chooses keys there, not letters.
"""

import base64
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..config import KafkaSettings
from ..errors import BrokerUnavailable, ConfigurationError
from . import kafka
from .dead_letters import BEGIN, CONTROL, DLQ, END, dead_letter_topic, frame, retried, retry_topic, sequence_of
from .ports import Partition, Publisher, Record

ROUND = 100  # records sent at once, at most; fewer at low rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which letters: by reason, key or type; an empty string means any."""

    reason: str = ""
    key: str = ""
    kind: str = ""

    def takes(self, letter: Record) -> bool:
        return (
            (not self.reason or letter.header("dlq_reason") == self.reason)
            and (not self.key or letter.key == self.key.encode())
            and (not self.kind or letter.header("ce_type") == self.kind)
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """The dead letters of one group on one topic."""

    topic: str
    group: str

    @property
    def name(self) -> str:
        return dead_letter_topic(self.topic, self.group)


def queues(settings: KafkaSettings) -> list[Queue]:
    """All dead-letter topics there are."""
    found = []
    for name in kafka.list_topics(settings):
        topic, _, ending = name.rpartition(".")
        origin, _, owner = topic.rpartition(".")
        if ending == DLQ and origin:
            found.append(Queue(origin, owner))
    return found


def dead_letters(settings: KafkaSettings, queue: Queue, wanted: Filter) -> Iterator[Record]:
    return (letter for letter in kafka.read_topic(settings, queue.name) if wanted.takes(letter))


def find(settings: KafkaSettings, queue: Queue, partition: int, offset: int) -> Record:
    for letter in kafka.read_topic(settings, queue.name):
        if (letter.partition, letter.offset) == (partition, offset):
            return letter
    raise ConfigurationError(
        f"{queue.name} has no letter at partition {partition} offset {offset}; `slipway dlq ls` lists them"
    )


def described(letter: Record) -> dict[str, Any]:
    """A letter as plain data, without its value."""
    names = ("reason", "exception", "topic", "partition", "offset", "attempts", "time")
    return {
        "at": f"{letter.partition}:{letter.offset}",
        "key": (letter.key or b"").decode(errors="replace"),
        "type": letter.header("ce_type"),
        "event_id": letter.header("ce_id"),
        **{name: letter.header(f"dlq_{name}") for name in names},
    }


def value_of(letter: Record) -> dict[str, str]:
    """The value as text, or in base64 where it is none."""
    value = letter.value or b""
    try:
        return {"value": value.decode()}
    except UnicodeDecodeError:
        return {"value_base64": base64.b64encode(value).decode()}


def plan(found: Iterable[Record], queue: Queue) -> list[list[Record]]:
    """What to send, as groups that stay together: the letters of a parked key with their frame, in order."""
    loose: list[list[Record]] = []
    parked: dict[bytes, list[Record]] = {}
    for letter in found:
        if sequence_of(letter):
            parked.setdefault(letter.key or b"", []).append(letter)
        else:
            loose.append([retried(letter, queue.group)])
    framed = []
    for key, of_key in parked.items():
        of_key.sort(key=sequence_of)
        begin = frame(BEGIN, key, queue.topic, queue.group)
        end = frame(END, key, queue.topic, queue.group, sequence=sequence_of(of_key[-1]))
        framed.append([begin, *(retried(letter, queue.group) for letter in of_key), end])
    return [*framed, *loose]


def chosen(settings: KafkaSettings, queue: Queue, wanted: Filter) -> list[Record]:
    """What a replay sends: a parked key's letters go back together, whichever of them the filter named."""
    everything = list(kafka.read_topic(settings, queue.name))
    keys = {letter.key for letter in everything if wanted.takes(letter)}
    return [one for one in everything if wanted.takes(one) or (sequence_of(one) and one.key in keys)]


def replay(
    settings: KafkaSettings,
    queue: Queue,
    wanted: Filter,
    *,
    rate: float,
    tell: Callable[[int], None],
) -> int:
    """Sends the letters to the group again, at most ``rate`` a second; returns how many."""
    found = chosen(settings, queue, wanted)
    kafka.ensure_topics(settings, [retry_topic(queue.topic, queue.group)])
    publisher = kafka.publisher(settings, client_id="slipway-dlq")
    try:
        return _send(publisher, plan(found, queue), rate=rate, tell=tell)
    finally:
        publisher.close()


def _send(
    publisher: Publisher,
    groups: Sequence[Sequence[Record]],
    *,
    rate: float,
    tell: Callable[[int], None],
) -> int:
    """Each group's records in order and each acknowledged before the next: no gap in the middle of a key."""
    sent = 0
    at_once = max(1, min(ROUND, int(rate)))
    for records in groups:
        *most, last = records  # the frame's end goes alone: it must not arrive where a letter did not
        for batch in [*(most[start : start + at_once] for start in range(0, len(most), at_once)), [last]]:
            failures = [failure for failure in publisher.publish(batch) if failure]
            if failures:
                raise BrokerUnavailable(f"after {sent} letters one was refused: {failures[0]}. Replay again.")
            sent += sum(1 for record in batch if not record.header(CONTROL))
            tell(sent)
            time.sleep(len(batch) / rate)
    return sent


def purge(settings: KafkaSettings, queue: Queue) -> int:
    """Deletes every letter the queue holds now; returns how many."""
    before: dict[Partition, int] = {}
    count = 0
    for letter in kafka.read_topic(settings, queue.name):
        before[letter.topic, letter.partition] = letter.offset + 1
        count += 1
    if before:
        kafka.purge_topic(settings, before)
    return count
