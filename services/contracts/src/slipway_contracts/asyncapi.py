"""AsyncAPI 2.x and 3.x: the topics a service writes, what it writes there, and under which key."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .asyncapi_document import mapping, messages_of, payload_of, resolved, root_of, settings_of
from .canonical import canonical
from .events import LENIENT, compare_schemas
from .findings import Finding, Mode, Severity, listed, pointer
from .openapi.description import nameless
from .openapi.media_types import normal
from .phrases import phrase
from .schema import Comparisons, Undecided, with_full_addresses
from .schema.reading import Document

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sides:
    """Both documents, and what was compared of them."""

    roots: tuple[Any, Any]
    comparisons: Comparisons


# What a reader takes a message apart by, besides its schemas.
ASPECTS = {
    "key": "message-key-changed",
    "contentType": "message-content-type-changed",
    "correlationId": "message-correlation-changed",
    "schemaIdLocation": "message-schema-id-changed",
    "schemaIdPayloadEncoding": "message-schema-id-changed",
}
NEWLY_SAID = {"key", "correlationId", "schemaIdLocation", "schemaIdPayloadEncoding"}  # nobody relied on it before
CURE = "Keep it, or publish the change under a new topic or event type."


VERSIONS = re.compile(r"[23]\.")
# What a schema is written in where nothing is said, and what is the same for these rules.
JSON_SCHEMA = re.compile(r"application/(vnd\.aai\.asyncapi|schema)(\+json|\+yaml)?(;.*)?$")


def compare_asyncapi(old: Any, new: Any, mode: Mode = Mode.FULL, *, payloads: bool = True) -> list[Finding]:
    """What the service receives is its own affair: only what it sends is compared. ``payloads``: their schemas, too.
    An empty document is one of a service that writes nothing.
    """
    unread = [one for one in map(_unread_version, (old, new)) if one]
    if unread:
        return [] if canonical(old) == canonical(new) else unread[:1]
    old, new = map(with_full_addresses, (old, new))
    try:
        olds, news = (messages_of(one, "send", elsewhere=True) for one in (old, new))
    except Undecided as why:
        return [] if canonical(old) == canonical(new) else [_undecided((), f"The document can't be judged: {why}.")]
    found: list[Finding] = []
    sides = Sides((old, new), Comparisons())
    news = _by_former(olds, news, nameless)
    for topic, channel in olds.items():
        if topic not in news:
            found.append(
                _breaking("channel-removed", (topic,), topic, None, f"The topic {topic} is no longer written.")
            )
        else:
            found += _channel(topic, channel, news[topic], sides=sides, mode=mode, payloads=payloads)
    found += _other_settings(settings_of(old), settings_of(new))
    for topic in news.keys() - olds.keys():
        found.append(_safe("channel-added", (topic,), f"The topic {topic} is new."))
    return listed(found)


def _unread_version(document: Any) -> Finding | None:
    if document == {}:
        return None
    said = document.get("asyncapi") if isinstance(document, Mapping) else None
    if isinstance(said, str) and VERSIONS.match(said):
        return None
    what = f"asyncapi is {str(said)[:40]}" if said is not None else "it names no version of AsyncAPI"
    return _undecided((), f"The document can't be judged: {what}. These rules read 2 and 3.")


def _undecided(path: tuple[str, ...], sentence: str) -> Finding:
    return Finding(
        rule="asyncapi-undecided", place=pointer(*path), before=None, after=None, severity=Severity.WARNING,
        sentence=sentence, undecided=True,
    )  # fmt: skip


def _breaking(rule: str, path: tuple[str, ...], before: Any, after: Any, what: str) -> Finding:
    return Finding(
        rule=rule, place=pointer("channels", *path), before=before, after=after, severity=Severity.BREAKING,
        sentence=f"{what} {CURE}",
    )  # fmt: skip


def _safe(rule: str, path: tuple[str, ...], what: str) -> Finding:
    return Finding(
        rule=rule, place=pointer("channels", *path), before=None, after=path[-1], severity=Severity.SAFE, sentence=what
    )


def _more(before: Any, after: Any) -> bool:
    """Further values of an address's parameter: what was written before still is."""
    return isinstance(before, list) and (after is None or set(before) <= set(after))


def _other_settings(olds: dict[str, dict[str, Any]], news: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    for topic in sorted(olds.keys() & news.keys()):
        for what, before in olds[topic].items():
            after = news[topic].get(what)
            if before and before != after and not _more(before, after):
                sentence = (
                    f"The topic {topic} can't be judged: {what} of its channel was {phrase(before, 'not said')} and is "
                    f"{phrase(after, 'not said')}, which these rules don't read. Compare the two by hand."
                )
                yield _undecided(("channels", topic, *what.split("/", 1)), sentence)


def _channel(
    topic: str,
    olds: Mapping[str, Mapping[str, Any]],
    news: Mapping[str, Mapping[str, Any]],
    *,
    sides: Sides,
    mode: Mode,
    payloads: bool,
) -> Iterator[Finding]:
    news = _by_names(olds, news)
    for name, old in olds.items():
        if name not in news:
            yield _breaking("message-removed", (topic, name), name, None, f"{name} is no longer written to {topic}.")
            continue
        try:
            yield from list(_changes((topic, name), old, news[name], sides=sides, mode=mode, payloads=payloads))
        except Undecided as why:
            yield _undecided(("channels", topic, name), f"{name} in {topic} can't be judged: {why}.")
    for name in news.keys() - olds.keys():
        yield _safe("message-added", (topic, name), f"{name} is new in {topic}.")


def _changes(
    at: tuple[str, str],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    sides: Sides,
    mode: Mode,
    payloads: bool,
) -> Iterator[Finding]:
    """Of one message, which stands at ``at``: its topic and its name there."""
    topic, name = at
    place = ("channels", topic, name)
    if "$ref" in old or "$ref" in new:
        if canonical(old) != canonical(new):
            yield _undecided(place, f"{name} in {topic} can't be judged: it stands in another file.")
        return
    for what, rule in ASPECTS.items():
        before, after = (_aspect(root, one, what) for root, one in zip(sides.roots, (old, new), strict=True))
        if before is None and what in NEWLY_SAID:
            continue
        if _another_key(before, after, sides) if what == "key" else canonical(before) != canonical(after):
            said = f"{what} was {phrase(before, 'not said')} and is {phrase(after, 'not said')}."
            if canonical(before) == canonical(after):
                said = f"{what} is {phrase(after, 'not said')} as before, and that says something else now."
            yield _breaking(rule, at, before, after, f"{name} in {topic}: {said}")
    if payloads:
        yield from _payload(place, old, new, sides, mode)
    yield from compare_schemas(
        old.get("headers", True), new.get("headers", True), Mode.FORWARD, reading=LENIENT, where=f"{name}, headers",
        place=(*place, "headers"), roots=sides.roots, comparisons=sides.comparisons,
    )  # fmt: skip


def _another_key(before: Any, after: Any, sides: Sides) -> bool:
    """Fewer keys of the former kind are read as before. A title says whose id a text is."""
    if not all(
        isinstance(key, bool) or (isinstance(key, Mapping) and "schemaFormat" not in key) for key in (before, after)
    ):
        return canonical(before) != canonical(after)
    titles = [Document(root).mark(key, "title") for root, key in zip(sides.roots, (before, after), strict=True)]
    if None not in titles and titles[0] != titles[1]:
        return True
    found = compare_schemas(
        before, after, Mode.FORWARD, reading=LENIENT, roots=sides.roots, comparisons=sides.comparisons
    )
    return any(one.undecided or one.severity is Severity.BREAKING for one in found)


def _by_former(olds: Mapping[str, T], news: Mapping[str, T], meant: Callable[[str], str]) -> dict[str, T]:
    """Under the former keys, where two of them mean the same and no other does."""
    gone = Counter(meant(one) for one in olds.keys() - news.keys())
    come = Counter(meant(one) for one in news.keys() - olds.keys())
    former = {meant(one): one for one in olds if one not in news}
    return {
        former[meant(key)] if key not in olds and gone[meant(key)] == come[meant(key)] == 1 else key: one
        for key, one in news.items()
    }


def _by_names(
    olds: Mapping[str, Mapping[str, Any]], news: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Mapping[str, Any]]:
    """Messages have a key in their document, and may have the name that programs see."""
    named = {key: str(one["name"]) for side in (olds, news) for key, one in side.items() if one.get("name")}
    return _by_former(olds, news, lambda key: f"name {named[key]}" if key in named else f"key {key}")


def _payload(
    place: tuple[str, str, str], old: Mapping[str, Any], new: Mapping[str, Any], sides: Sides, mode: Mode
) -> Iterator[Finding]:
    _, topic, name = place
    formats = [_format(one) for one in (old, new)]
    if all(JSON_SCHEMA.match(one) for one in formats):
        yield from compare_schemas(
            payload_of(old), payload_of(new), mode, reading=LENIENT, where=name, place=place,
            roots=(root_of(sides.roots[0], old), root_of(sides.roots[1], new)), comparisons=sides.comparisons,
        )  # fmt: skip
    elif formats[0] != formats[1] or canonical(payload_of(old)) != canonical(payload_of(new)):
        yield _undecided(place, f"{name} in {topic} can't be judged: its payload is written as {formats[1]}.")


def _format(message: Mapping[str, Any]) -> str:
    payload = message.get("payload")
    inside = payload.get("schemaFormat") if isinstance(payload, Mapping) else None
    return str(inside or message.get("schemaFormat") or "application/schema+json").lower()


def _aspect(document: Any, message: Mapping[str, Any], what: str) -> Any:
    kafka = mapping(mapping(resolved(document, message.get("bindings"))).get("kafka"))
    if what == "contentType":
        return normal(str(message[what])) if message.get(what) else None
    if what == "key":
        key = kafka.get("key")
        return (
            {name: value for name, value in key.items() if name != "description"} if isinstance(key, Mapping) else key
        )
    if what == "correlationId":
        return resolved(document, message.get(what)).get("location")
    return kafka.get(what)
