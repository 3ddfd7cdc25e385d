"""AsyncAPI 3.0: the topics a service writes, what it writes there, and under which key."""

from collections.abc import Iterator, Mapping
from typing import Any

from .canonical import canonical
from .events import LENIENT, compare_schemas
from .findings import Finding, Mode, Severity, pointer

CURE = "Keep it, or publish the change under a new topic or event type."


def compare_asyncapi(
    old: Mapping[str, Any], new: Mapping[str, Any], mode: Mode = Mode.FULL, *, payloads: bool = True
) -> list[Finding]:
    """What the service receives is its own affair: only ``send`` is compared. ``payloads``: their schemas, too."""
    olds, news = _sent(old), _sent(new)
    found: list[Finding] = []
    for topic, channel in olds.items():
        if topic not in news:
            found.append(
                _breaking("channel-removed", (topic,), topic, None, f"The topic {topic} is no longer written.")
            )
        else:
            found += _channel(topic, channel, news[topic], mode, payloads=payloads)
    for topic in news.keys() - olds.keys():
        found.append(_safe("channel-added", (topic,), f"The topic {topic} is new."))
    return found


def _breaking(rule: str, path: tuple[str, ...], before: Any, after: Any, what: str) -> Finding:
    return Finding(
        rule=rule, place=pointer("channels", *path), before=before, after=after, severity=Severity.BREAKING,
        sentence=f"{what} {CURE}",
    )  # fmt: skip


def _safe(rule: str, path: tuple[str, ...], what: str) -> Finding:
    return Finding(
        rule=rule, place=pointer("channels", *path), before=None, after=path[-1], severity=Severity.SAFE, sentence=what
    )


def _sent(document: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Topic -> message's name -> message."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for operation in _mapping(document.get("operations")).values():
        if operation.get("action") != "send":
            continue
        channel = _resolved(document, operation.get("channel"))
        messages = found.setdefault(str(channel.get("address")), {})
        for name, message in _mapping(channel.get("messages")).items():
            messages[name] = _resolved(document, message)
    return found


def _mapping(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def _resolved(document: Mapping[str, Any], part: Any) -> Mapping[str, Any]:
    for _ in range(5):  # a message of an operation refers to its channel's, which refers to a component
        reference = _mapping(part).get("$ref")
        if not isinstance(reference, str):
            return _mapping(part)
        part = document
        for token in reference.removeprefix("#").split("/")[1:]:
            part = _mapping(part).get(token.replace("~1", "/").replace("~0", "~"))
    return {}


def _channel(
    topic: str,
    olds: Mapping[str, Mapping[str, Any]],
    news: Mapping[str, Mapping[str, Any]],
    mode: Mode,
    *,
    payloads: bool,
) -> Iterator[Finding]:
    for name, old in olds.items():
        if name not in news:
            yield _breaking("message-removed", (topic, name), name, None, f"{name} is no longer written to {topic}.")
            continue
        new = news[name]
        for what, rule in (("key", "message-key-changed"), ("contentType", "message-content-type-changed")):
            before, after = _aspect(old, what), _aspect(new, what)
            if canonical(before) != canonical(after):
                yield _breaking(rule, (topic, name), before, after, f"{name} in {topic} has another {what}.")
        if payloads:
            yield from compare_schemas(
                _payload(old), _payload(new), mode, reading=LENIENT, where=name, place=("channels", topic, name)
            )
        yield from compare_schemas(
            old.get("headers", True), new.get("headers", True), Mode.FORWARD, reading=LENIENT,
            where=f"{name}, headers", place=("channels", topic, name, "headers"),
        )  # fmt: skip
    for name in news.keys() - olds.keys():
        yield _safe("message-added", (topic, name), f"{name} is new in {topic}.")


def _aspect(message: Mapping[str, Any], what: str) -> Any:
    if what == "key":
        key = _mapping(_mapping(message.get("bindings")).get("kafka")).get("key")
        return (
            {name: value for name, value in key.items() if name != "description"} if isinstance(key, Mapping) else key
        )
    return message.get(what)


def _payload(message: Mapping[str, Any]) -> Any:
    payload = message.get("payload", True)
    return payload["schema"] if isinstance(payload, Mapping) and "schemaFormat" in payload else payload
