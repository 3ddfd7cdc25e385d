"""Which operations are there; then each one that is there twice."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding, Severity, pointer
from .answers import compare_answers
from .bodies import compare_bodies
from .description import Description, Operation, Pair
from .parameters import compare_parameters
from .security import compare_security


def compare_openapi(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Finding]:
    before, after = Description(old), Description(new)
    olds = {operation.key: operation for operation in before.operations()}
    news = {operation.key: operation for operation in after.operations()}
    found: list[Finding] = []
    for key, operation in olds.items():
        found += _operation(Pair(operation, news[key])) if key in news else [_removed(operation, after)]
    found += [_added(operation) for key, operation in news.items() if key not in olds]
    return [*found, *_rest(before, after)]


def _removed(operation: Operation, after: Description) -> Finding:
    there = operation.path in after.section("paths")
    what = "method" if there else "path"
    if operation.deprecated:
        return Finding(
            rule=f"deprecated-{what}-removed", severity=Severity.WARNING, place=pointer(*operation.place),
            before=operation.title, after=None,
            sentence=f"{operation.title} is gone; it was deprecated. Remove it when nobody calls it any more.",
        )  # fmt: skip
    return Finding(
        rule=f"{what}-removed", severity=Severity.BREAKING, place=pointer(*operation.place),
        before=operation.title, after=None,
        sentence=f"{operation.title} is gone. Keep it, deprecate it, and remove it when nobody calls it any more.",
    )  # fmt: skip


def _added(operation: Operation) -> Finding:
    return Finding(
        rule="operation-added", severity=Severity.SAFE, place=pointer(*operation.place),
        before=None, after=operation.title, sentence=f"{operation.title} is new.",
    )  # fmt: skip


def _operation(pair: Pair) -> list[Finding]:
    return [
        *compare_parameters(pair),
        *compare_bodies(pair),
        *compare_answers(pair),
        *compare_security(pair),
        *_itself(pair),
    ]


def _itself(pair: Pair) -> Iterator[Finding]:
    old, new = pair.old.own, pair.new.own
    if pair.new.deprecated and not pair.old.deprecated:
        yield pair.say("operation-deprecated", Severity.SAFE, " is deprecated now.", before=False, after=True)
    if old.get("operationId") not in {None, new.get("operationId")}:
        yield pair.say(
            "operation-id-changed", Severity.WARNING,
            " has another operationId: generated clients name their functions after it. Keep the former one.",
            at=("operationId",), before=old["operationId"], after=new.get("operationId"),
        )  # fmt: skip
    if canonical(old.get("callbacks")) != canonical(new.get("callbacks")):
        yield pair.say(
            "callbacks-undecided", Severity.WARNING, " has other callbacks, which these rules don't read.",
            at=("callbacks",), before=old.get("callbacks"), after=new.get("callbacks"), undecided=True,
        )  # fmt: skip


def _rest(before: Description, after: Description) -> Iterator[Finding]:
    for name, part in before.section("webhooks").items():
        now = after.section("webhooks").get(name)
        if now is None:
            yield Finding(
                rule="webhook-removed", severity=Severity.BREAKING, place=pointer("webhooks", name), before=name,
                after=None, sentence=f"The webhook {name} is gone. Keep calling it until nobody waits for it.",
            )  # fmt: skip
        elif canonical(part) != canonical(now):
            yield Finding(
                rule="webhook-undecided", severity=Severity.WARNING, place=pointer("webhooks", name), before=part,
                after=now, sentence=f"The webhook {name} changed; these rules don't read it. Compare the two.",
                undecided=True,
            )  # fmt: skip
    servers = [description.document.get("servers") for description in (before, after)]
    if servers[0] and canonical(servers[0]) != canonical(servers[1]):
        yield Finding(
            rule="servers-changed", severity=Severity.WARNING, place="/servers", before=servers[0], after=servers[1],
            sentence="The servers' addresses changed: callers may have taken theirs from here. Keep the former ones.",
        )  # fmt: skip
