"""Events as they are read beside events as they are written: the reader's classes must accept what comes."""

from collections.abc import Iterable, Iterator

from .asyncapi_document import messages_of, payload_of, root_of
from .bundle import Contracts
from .events import LENIENT
from .findings import Finding, Severity, pointer
from .phrases import for_people, phrase
from .schema import gaps
from .schema.gaps import NOTICES, OPEN

EVENT_UNREADABLE = "consumer-event-unreadable"


def unreadable_events(reader: Contracts, writers: Iterable[Contracts]) -> Iterator[Finding]:
    """What the writers' schemas allow and the reader's refuse."""
    events = {kind: schema for writer in writers for kind, schema in writer.events.items()}
    for topic, messages in messages_of(reader.asyncapi, "receive").items():
        for kind in messages.keys() & events.keys():
            wanted = payload_of(messages[kind])
            for gap in gaps(events[kind], wanted, events[kind], root_of(reader.asyncapi, messages[kind]), LENIENT):
                if gap.code not in NOTICES | OPEN:
                    yield Finding(
                        rule=EVENT_UNREADABLE, place=pointer("channels", topic, kind, *gap.path),
                        before=gap.narrow, after=gap.wide, severity=Severity.BREAKING,
                        sentence=f"{reader.service} reads {kind}: {for_people(gap.path).removeprefix(': ') or 'it'} is "
                        f"written as {phrase(gap.wide, 'anything')} and read as {phrase(gap.narrow, 'anything')}. "
                        "Read what is written.",
                    )  # fmt: skip


def read_types(contracts: Contracts) -> set[str]:
    """The event types that its classes read; none where its documents upset the rules."""
    try:
        return {kind for messages in messages_of(contracts.asyncapi, "receive").values() for kind in messages}
    except Exception:  # noqa: BLE001 # the judge says so
        return set()
