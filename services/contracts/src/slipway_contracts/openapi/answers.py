"""Answers: statuses, their bodies and headers."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..findings import Finding, Severity
from ..schema import Undecided
from .description import Pair
from .encodings import compare_encodings
from .media_types import covering, media_types, schema_of_value, schemas_of, shown
from .references import same_reference
from .xml_names import compare_xml


def compare_answers(pair: Pair) -> Iterator[Finding]:
    olds, news = (_answers(side.own.get("responses")) for side in (pair.old, pair.new))
    for status, old in olds.items():
        counterpart = _covering(status, news)
        if counterpart is not None:
            yield from _compared(pair, status, old, counterpart)
        elif not any(_covers(status, one) for one in news):
            yield _removed(pair, status)
    for status, new in news.items():
        if status not in olds:
            known = _covering(status, olds)
            if known is not None:
                yield from _compared(pair, status, known, new)
            else:
                yield pair.say(
                    "response-status-added", Severity.SAFE, f" may answer {status} now.", at=("responses", status),
                    after=status,
                )  # fmt: skip


def _compared(pair: Pair, status: str, old: Any, new: Any) -> Iterator[Finding]:
    if same_reference(pair, old, new):
        return
    try:
        parts = pair.old.description.resolve(old), pair.new.description.resolve(new)
        yield from list(_answer(pair, status, *parts))
    except Undecided as why:
        yield pair.unread(("responses", status), why)


def _covers(wide: str, status: str) -> bool:
    """Whether a range has the status in it.

    >>> _covers("2XX", "201"), _covers("2XX", "404")
    (True, False)
    """
    return wide == "DEFAULT" or (wide.endswith("XX") and wide[:1] == status[:1])


def _answers(responses: Any) -> dict[str, Any]:
    return {str(status).upper(): one for status, one in responses.items()} if isinstance(responses, Mapping) else {}


def _covering(status: str, known: Mapping[str, Any]) -> Any:
    for candidate in (status, f"{status[:1]}XX", "DEFAULT"):
        if candidate in known:
            return known[candidate]
    return None


def _removed(pair: Pair, status: str) -> Finding:
    if status.startswith("2"):
        return pair.say(
            "response-success-status-removed", Severity.BREAKING,
            f" no longer answers {status}. Keep the status, or publish the change as a new major version.",
            at=("responses", status), before=status,
        )  # fmt: skip
    return pair.say(
        "response-status-removed",
        Severity.SAFE,
        f" no longer answers {status}.",
        at=("responses", status),
        before=status,
    )


def _answer(pair: Pair, status: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Finding]:
    olds, news = media_types(old), media_types(new)
    where, kinds = f"answer {status}", shown(news)
    for name, before in olds.items():
        at = ("responses", status, "content", name)
        after = covering(name, news)
        if after is None:
            yield pair.say(
                "response-media-type-removed", Severity.BREAKING,
                f", {where}: is no longer available as {name}. Keep it, or publish the change as a new major version.",
                at=at, before=name, after=kinds,
            )  # fmt: skip
        else:
            if "*" not in name and not set(_asked(name)) & news.keys():
                why = f"{name} was answered, and now any of {', '.join(kinds)} is"
                yield pair.unread(at, Undecided(why))
            for keyword, was, becomes in schemas_of(name, before, after):
                yield from pair.given(was, becomes, "response", where, (*at, keyword))
            yield from compare_encodings(pair, name, before, after, at)
            yield from compare_xml(pair, name, before.get("schema", True), after.get("schema", True), (*at, "schema"))
    yield from _headers(pair, status, _header_map(old), _header_map(new))


def _asked(name: str) -> tuple[str, str]:
    """A media type with its parameters, and without."""
    return name, name.partition(";")[0]


def _header_map(answer: Mapping[str, Any]) -> dict[str, Any]:
    headers = answer.get("headers")
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): one for name, one in headers.items() if str(name).lower() != "content-type"}


def _headers(pair: Pair, status: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Iterator[Finding]:
    for name, part in olds.items():
        where, at = f"answer {status}, header {name}", ("responses", status, "headers", name)
        if same_reference(pair, part, news.get(name)):
            continue
        old = pair.old.description.resolve(part)
        promised = old.get("required") is True
        if name not in news:
            yield pair.say(
                "response-header-removed" if promised else "response-optional-header-removed",
                Severity.BREAKING if promised else Severity.WARNING,
                f", {where}: is gone. Keep sending it until nobody reads it.", at=at, before=name,
            )  # fmt: skip
            continue
        new = pair.new.description.resolve(news[name])
        if promised and new.get("required") is not True:
            yield pair.say(
                "response-header-became-optional", Severity.BREAKING,
                f", {where}: is no longer always there. Keep sending it always, or publish a new major version.",
                at=at, before=True, after=False,
            )  # fmt: skip
        if sorted(media_types(old)) != sorted(media_types(new)):
            yield pair.unread(at, Undecided("the header is written in another way"))
        yield from pair.given(schema_of_value(old), schema_of_value(new), "header", where, (*at, "schema"))
