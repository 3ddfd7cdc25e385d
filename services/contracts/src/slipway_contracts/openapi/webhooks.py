"""Webhooks and callbacks: requests that the service sends and others answer, so a body is read as an answer is.

Bodies are compared; what else such a request may have (parameters, answers, security) is undecided where it changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..findings import Finding, Severity, pointer
from ..schema import Comparisons, Undecided
from .description import CALLED, Description, Operation, Pair, methods_of
from .media_types import media_types, schemas_of
from .references import Sameness


@dataclass(frozen=True, slots=True)
class _Called:
    """A path item of a webhook or a callback, in one document."""

    description: Description
    part: Any
    section: tuple[str, ...]
    path: str

    def requests(self) -> dict[str, Operation] | None:
        """By method; None: it can't be followed."""
        try:
            item = self.description.resolve(self.part)
        except Undecided:
            return None
        return {
            method: Operation(self.description, self.path, method, item, own, self.section)
            for method, own in methods_of(item)
        }


def compare_webhooks(before: Description, after: Description, comparisons: Comparisons) -> Iterator[Finding]:
    """From 3.1 on, by their name."""
    news = after.section("webhooks")
    for name, part in before.section("webhooks").items():
        if name not in news:
            yield Finding(
                rule="webhook-removed", severity=Severity.BREAKING, place=pointer("webhooks", name), before=name,
                after=None, sentence=f"The webhook {name} is gone. Keep calling it until nobody waits for it.",
            )  # fmt: skip
        else:
            old, new = _Called(before, part, ("webhooks",), name), _Called(after, news[name], ("webhooks",), name)
            yield from _compared(old, new, comparisons, "webhook", f"The webhook {name}")


def compare_callbacks(pair: Pair) -> Iterator[Finding]:
    """By their name and the expression of their address; one that comes is for callers who ask for it."""
    olds, news = _callbacks(pair, pair.old), _callbacks(pair, pair.new)
    for key, old in olds.items():
        name, address = key
        if key in news:
            what = f"{pair.new.title}, the callback {name}"
            yield from _compared(old, news[key], pair.comparisons, "callback", what)
        else:
            sentence = f", the callback {name}: is gone, or is called at another address. Compare the two by hand."
            yield pair.say(
                "callback-undecided", Severity.WARNING, sentence, at=("callbacks", name), before=address,
                undecided=True,
            )  # fmt: skip


def _callbacks(pair: Pair, operation: Operation) -> dict[tuple[str, str], _Called]:
    found: dict[tuple[str, str], _Called] = {}
    said = operation.own.get("callbacks")
    for name, part in said.items() if isinstance(said, Mapping) else ():
        try:
            items: Mapping[str, Any] = operation.description.resolve(part)
        except Undecided:
            items = {"": part}
        section = (*pair.new.place, "callbacks", str(name))
        for address in map(str, items):
            if not address.startswith("x-"):
                found[str(name), address] = _Called(operation.description, items[address], section, address)
    return found


def _compared(old: _Called, new: _Called, comparisons: Comparisons, kind: str, what: str) -> Iterator[Finding]:
    if Sameness(old.description, new.description)(old.part, new.part):
        return
    olds, news = old.requests(), new.requests()
    if olds is not None and news is not None and olds.keys() == news.keys():
        pairs = [Pair(olds[method], news[method], comparisons) for method in olds]
        if all(map(_understood, pairs)):
            for pair in pairs:
                yield from _bodies(pair, kind)
            return
    yield Finding(
        rule=f"{kind}-undecided", severity=Severity.WARNING, place=pointer(*new.section, new.path), before=old.part,
        after=new.part, undecided=True,
        sentence=f"{what} changed in more than the schemas of its bodies. Compare the two by hand.",
    )  # fmt: skip


def _understood(pair: Pair) -> bool:
    """Whether nothing but the schemas of the body differs, or that it is always there now."""
    try:
        bodies = [one.description.resolve(one.own.get("requestBody", {})) for one in (pair.old, pair.new)]
    except Undecided:
        return False
    around = [
        {
            "item": {key: value for key, value in one.item.items() if key != one.method},
            "own": {key: value for key, value in one.own.items() if key != "requestBody"},
            "content": {
                name: {key: value for key, value in entry.items() if key != "schema"}
                for name, entry in media_types(body).items()
            },
        }
        for one, body in zip((pair.old, pair.new), bodies, strict=True)
    ]
    required = [body.get("required") is True for body in bodies]
    # What a comparison found is not asked again: it takes for granted what it has seen.
    same = Sameness(pair.old.description, pair.new.description)
    return bool(bodies[0]) and required[0] <= required[1] and same(around[0], around[1])


def _bodies(pair: Pair, kind: str) -> Iterator[Finding]:
    olds, news = (media_types(one.description.resolve(one.own.get("requestBody", {}))) for one in (pair.old, pair.new))
    for name, old in olds.items():
        for keyword, before, after in schemas_of(name, old, news[name]):
            yield from pair.given(
                before, after, kind, "body", ("requestBody", "content", name, keyword), reading=CALLED
            )
