"""AsyncAPI 2.x and 3.x: the topics a service writes, what it writes there, and under which key."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from .canonical import canonical
from .events import LENIENT, compare_schemas
from .findings import Finding, Mode, Severity, listed, pointer
from .openapi.description import nameless
from .openapi.media_types import normal
from .phrases import phrase
from .schema import Undecided, with_full_addresses
from .schema.reading import Document

MAX_HOPS = 10
T = TypeVar("T")
Reader = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]  # a message of a document
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
    sides = old, new
    news = _by_former(olds, news, nameless)
    for topic, channel in olds.items():
        if topic not in news:
            found.append(
                _breaking("channel-removed", (topic,), topic, None, f"The topic {topic} is no longer written.")
            )
        else:
            found += _channel(topic, channel, news[topic], sides=sides, mode=mode, payloads=payloads)
    found += _other_settings(_settings(old), _settings(new))
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


def messages_of(
    document: Mapping[str, Any], action: str, *, elsewhere: bool = False
) -> dict[str, dict[str, Mapping[str, Any]]]:
    """What it sends, or receives: topic -> message's name -> message. Raises Undecided for references that can't be
    followed. ``elsewhere``: of a message that stands in another file its reference is shown in its place.
    """
    read = _message_or_reference if elsewhere else _message
    if str(document.get("asyncapi", "")).startswith("2"):
        return _messages_of_2(document, {"send": "subscribe", "receive": "publish"}[action], read)
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, part in _mapping(document.get("operations")).items():
        operation = _resolved(document, part)
        reply = _resolved(document, operation.get("reply"))
        if operation.get("action") == action:
            topic, messages = _of_channel(document, operation, f"channel of {name}", read)
            found.setdefault(topic, {}).update(messages)
        elif reply:  # who is asked answers
            topic, messages = _of_channel(document, reply, f"answers of {name}", read)
            found.setdefault(topic, {}).update(messages)
    return found


def _of_channel(
    document: Mapping[str, Any], operation: Mapping[str, Any], unnamed: str, read: Reader
) -> tuple[str, dict[str, Mapping[str, Any]]]:
    """The topic of an operation or a reply, and its messages: those that it lists, or all of its channel.
    ``unnamed``: the topic where the address is known at run time alone.
    """
    channel = _resolved(document, operation.get("channel"))
    there = _mapping(channel.get("messages"))
    listed = operation.get("messages")
    if isinstance(listed, list):
        chosen = {id(_followed(document, one)) for one in listed}
        kept = {name: one for name, one in there.items() if id(_followed(document, one)) in chosen}
        # A reply without a channel lists messages that stand elsewhere.
        there = kept if there else {_reference(one) or f"message {n}": one for n, one in enumerate(listed)}
    topic = _topic(document, channel, str(channel.get("address") or unnamed))
    return topic, {name: read(document, one) for name, one in there.items()}


def _topic(document: Mapping[str, Any], channel: Mapping[str, Any], address: str) -> str:
    """A topic of Kafka may have another name than its channel (Kafka bindings 0.5)."""
    kafka = _members(document, channel.get("bindings")).get("kafka", {})
    return str(kafka.get("topic") or address)


def _members(document: Mapping[str, Any], part: Any) -> dict[str, Mapping[str, Any]]:
    """Of a map; of what lies in another file nothing but the reference is known."""
    return {str(name): _known(document, one) for name, one in _known(document, part).items()}


def _known(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    try:
        return _resolved(document, part)
    except Undecided:
        return _mapping(part)


def _reference(part: Any) -> str:
    return str(_mapping(part).get("$ref", "")).rpartition("/")[2]


def _messages_of_2(document: Mapping[str, Any], verb: str, read: Reader) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Others subscribe to what the application sends (AsyncAPI 2.6, channel item object)."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for topic, part in _mapping(document.get("channels")).items():
        said = _mapping(_resolved(document, part).get(verb)).get("message")
        if said is None:
            continue
        listed = _mapping(said).get("oneOf")
        parts = listed if isinstance(listed, list) else [said]
        messages = [read(document, one) for one in parts]
        names = Counter(str(one.get("name")) for one in messages)
        known = found.setdefault(_topic(document, _resolved(document, part), str(topic)), {})
        for number, (one, message) in enumerate(zip(parts, messages, strict=True)):
            own = message.get("name") if names[str(message.get("name"))] == 1 else None
            known[str(own or message.get("messageId") or _reference(one) or f"message {number}")] = message
    return found


def _settings(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each topic that is written: what its channel says of its address and of brokers, as far as readers see it.
    Of answers also where the one who asks has to say the way back.
    """
    back: dict[str, dict[str, Any]] = {}
    if str(document.get("asyncapi", "")).startswith("2"):
        channels = [(str(name), _known(document, one)) for name, one in _mapping(document.get("channels")).items()]
        used = [(name, one) for name, one in channels if "subscribe" in one]
    else:
        used = []
        for name, part in _mapping(document.get("operations")).items():
            operation = _known(document, part)
            reply = _known(document, operation.get("reply"))
            if operation.get("action") == "send":
                channel = _known(document, operation.get("channel"))
                used.append((str(channel.get("address")), channel))
            elif reply:
                channel = _known(document, reply.get("channel"))
                used.append((str(channel.get("address") or f"answers of {name}"), channel))
                back[used[-1][0]] = {"address of answers": _known(document, reply.get("address")).get("location")}
    return {_topic(document, one, address): _seen_of(document, one) | back.get(address, {}) for address, one in used}


def _seen_of(document: Mapping[str, Any], channel: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for protocol, said in _members(document, channel.get("bindings")).items():
        if protocol != "kafka" and not protocol.startswith("x-"):  # of Kafka it is the topic alone
            found[f"bindings/{protocol}"] = {key: one for key, one in said.items() if key != "bindingVersion"}
    for name, said in _members(document, channel.get("parameters")).items():
        values = said.get("enum", _mapping(said.get("schema")).get("enum"))
        found[f"parameters/{name}"] = sorted(map(canonical, values)) if isinstance(values, list) else None
    return found


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


def _message_or_reference(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """Traits of a message that stand elsewhere are another matter: the message itself is known in part then."""
    there = _followed(document, part)
    return there if "$ref" in there else _message(document, part)


def _message(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """With its traits, over which its own words go (AsyncAPI 3.0, message object), and the document's content type."""
    own = _resolved(document, part)
    whole: dict[str, Any] = {}
    traits = own.get("traits")
    for trait in traits if isinstance(traits, list) else ():
        whole |= _resolved(document, trait)
    if document.get("defaultContentType"):
        whole.setdefault("contentType", document["defaultContentType"])
    return {**whole, **{key: value for key, value in own.items() if key != "traits"}}


def _mapping(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def _resolved(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    references = Document(document)
    for _ in range(MAX_HOPS):  # a message of an operation refers to its channel's, which refers to a component
        reference = _mapping(part).get("$ref")
        if not isinstance(reference, str):
            return _mapping(part)
        part = references.resolve(reference)
    raise Undecided("a reference leads back to itself")


def _followed(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    """As far as its references lead within the document."""
    try:
        for _ in range(MAX_HOPS):
            reference = _mapping(part).get("$ref")
            if not isinstance(reference, str):
                break
            part = Document(document).resolve(reference)
    except Undecided:
        pass
    return _mapping(part)


def _channel(
    topic: str,
    olds: Mapping[str, Mapping[str, Any]],
    news: Mapping[str, Mapping[str, Any]],
    *,
    sides: tuple[Any, Any],
    mode: Mode,
    payloads: bool,
) -> Iterator[Finding]:
    news = _by_names(olds, news)
    for name, old in olds.items():
        if name not in news:
            yield _breaking("message-removed", (topic, name), name, None, f"{name} is no longer written to {topic}.")
            continue
        new = news[name]
        if "$ref" in old or "$ref" in new:
            if canonical(old) != canonical(new):
                what = f"{name} in {topic} can't be judged: it stands in another file."
                yield _undecided(("channels", topic, name), what)
            continue
        for what, rule in ASPECTS.items():
            before, after = (_aspect(root, one, what) for root, one in zip(sides, (old, new), strict=True))
            if before is None and what in NEWLY_SAID:
                continue
            if _another_key(before, after, sides) if what == "key" else canonical(before) != canonical(after):
                said = f"{name} in {topic}: {what} was {phrase(before, 'not said')} and is {phrase(after, 'not said')}."
                yield _breaking(rule, (topic, name), before, after, said)
        if payloads:
            yield from _payload(("channels", topic, name), old, new, sides, mode)
        yield from compare_schemas(
            old.get("headers", True), new.get("headers", True), Mode.FORWARD, reading=LENIENT,
            where=f"{name}, headers", place=("channels", topic, name, "headers"), roots=sides,
        )  # fmt: skip
    for name in news.keys() - olds.keys():
        yield _safe("message-added", (topic, name), f"{name} is new in {topic}.")


def _another_key(before: Any, after: Any, sides: tuple[Any, Any]) -> bool:
    """Fewer keys of the former kind are read as before. A title says whose id a text is."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)) or "schemaFormat" in {*before, *after}:
        return canonical(before) != canonical(after)
    titles = [Document(root).mark(key, "title") for root, key in zip(sides, (before, after), strict=True)]
    if None not in titles and titles[0] != titles[1]:
        return True
    found = compare_schemas(before, after, Mode.FORWARD, reading=LENIENT, roots=sides)
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
    place: tuple[str, str, str], old: Mapping[str, Any], new: Mapping[str, Any], sides: tuple[Any, Any], mode: Mode
) -> Iterator[Finding]:
    _, topic, name = place
    formats = [_format(one) for one in (old, new)]
    if all(JSON_SCHEMA.match(one) for one in formats):
        yield from compare_schemas(
            payload_of(old), payload_of(new), mode, reading=LENIENT, where=name, place=place,
            roots=(root_of(sides[0], old), root_of(sides[1], new)),
        )  # fmt: skip
    elif formats[0] != formats[1] or canonical(payload_of(old)) != canonical(payload_of(new)):
        yield _undecided(place, f"{name} in {topic} can't be judged: its payload is written as {formats[1]}.")


def _format(message: Mapping[str, Any]) -> str:
    payload = message.get("payload")
    inside = payload.get("schemaFormat") if isinstance(payload, Mapping) else None
    return str(inside or message.get("schemaFormat") or "application/schema+json").lower()


def _aspect(document: Any, message: Mapping[str, Any], what: str) -> Any:
    kafka = _mapping(_mapping(_resolved(document, message.get("bindings"))).get("kafka"))
    if what == "contentType":
        return normal(str(message[what])) if message.get(what) else None
    if what == "key":
        key = kafka.get("key")
        return (
            {name: value for name, value in key.items() if name != "description"} if isinstance(key, Mapping) else key
        )
    if what == "correlationId":
        return _resolved(document, message.get(what)).get("location")
    return kafka.get(what)


def payload_of(message: Mapping[str, Any]) -> Any:
    payload = message.get("payload", True)
    return payload.get("schema", True) if isinstance(payload, Mapping) and "schemaFormat" in payload else payload


def root_of(document: Mapping[str, Any], message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where references in a payload lead: into the document, and into what the payload defines itself."""
    payload = payload_of(message)
    own = {
        key: payload[key] for key in ("$defs", "definitions", "$id") if isinstance(payload, Mapping) and key in payload
    }
    return {**document, **own}
