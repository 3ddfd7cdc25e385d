"""Which operations are there; then each one that is there twice."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from ..findings import Finding, Severity, breaking, listed, pointer
from ..schema import Comparisons, with_full_addresses
from ..schema.keywords import known_dialect
from .answers import compare_answers
from .bodies import compare_bodies
from .description import Description, Operation, Pair
from .parameters import compare_parameters
from .security import compare_security
from .webhooks import compare_callbacks, compare_webhooks

VERSIONS = re.compile(r"3\.[0-2](\.|$)")
ENOUGH = 1000  # breaks, of which some are listed


def compare_openapi(old: Any, new: Any) -> list[Finding]:
    """Findings of two documents of OpenAPI 3.0, 3.1 or 3.2; others are undecided as a whole."""
    unread = [_unread_version(one) for one in (old, new)]
    if any(unread):
        return [] if canonical(old) == canonical(new) else [one for one in unread if one][:1]
    before, after = (Description(with_full_addresses(one)) for one in (old, new))
    comparisons = Comparisons(thorough=old is new)
    moved: list[Operation] = []
    found: list[Finding] = []
    breaks = 0
    for operation, counterpart, same_address in _counterparts(before, after):
        if counterpart is None:
            found.append(_removed(operation, after))
            continue
        if not same_address:
            moved.append(operation)
        if breaks < ENOUGH:  # beyond these nobody reads on, and each costs its time
            of_this = _operation(Pair(operation, counterpart, comparisons))
            breaks += len(breaking(of_this))
            found += listed(of_this)
    known = {key for operation in before.operations() for key in (operation.key, *operation.addresses)}
    found += [_added(one) for one in after.operations() if not known & {one.key, *one.addresses}]
    return listed([*found, *_unfollowed(before, after), *_rest(before, after, moved, comparisons)])


def _unread_version(document: Any) -> Finding | None:
    said = document.get("openapi") if isinstance(document, Mapping) else None
    if isinstance(said, str) and VERSIONS.match(said):
        return _unread_dialect(document.get("jsonSchemaDialect"))
    what = f"openapi is {str(said)[:40]}" if said is not None else "it names no version of OpenAPI"
    return Finding(
        rule="openapi-undecided", severity=Severity.WARNING, place="/openapi", before=None, after=said, undecided=True,
        sentence=f"The document can't be judged: {what}. These rules read 3.0, 3.1 and 3.2.",
    )  # fmt: skip


def _unread_dialect(said: Any) -> Finding | None:
    if said is None or known_dialect(said):
        return None
    return Finding(
        rule="openapi-undecided", severity=Severity.WARNING, place="/jsonSchemaDialect", before=None, after=said,
        undecided=True, sentence=f"The document can't be judged: its schemas are written in {str(said)[:80]}. "
        "These rules read the drafts of JSON Schema and the dialect of OpenAPI.",
    )  # fmt: skip


def _counterparts(before: Description, after: Description) -> Iterator[tuple[Operation, Operation | None, bool]]:
    """By the addresses that callers use, with the server's path; else by the operation's own path."""
    by_address = {address: one for one in after.operations() for address in one.addresses}
    by_key = {one.key: one for one in after.operations()}
    for operation in before.operations():
        kept = [address for address in operation.addresses if address in by_address]
        counterpart = by_address[kept[0]] if kept else by_key.get(operation.key)
        yield operation, counterpart, len(kept) == len(operation.addresses)


def _unfollowed(before: Description, after: Description) -> Iterator[Finding]:
    olds, news = before.unfollowed(), after.unfollowed()
    for path in sorted(olds.keys() | news.keys()):
        if olds.get(path) != news.get(path):
            yield Finding(
                rule="openapi-undecided", severity=Severity.WARNING, place=pointer("paths", path),
                before=olds.get(path), after=news.get(path), undecided=True,
                sentence=f"{path} can't be judged: the reference {news.get(path) or olds.get(path)} can't be "
                "followed. Compare the two by hand.",
            )  # fmt: skip


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
    if old.get("operationId") not in (None, new.get("operationId")):
        yield pair.say(
            "operation-id-changed", Severity.WARNING,
            " has another operationId: generated clients name their functions after it. Keep the former one.",
            at=("operationId",), before=old["operationId"], after=new.get("operationId"),
        )  # fmt: skip
    yield from compare_callbacks(pair)


def _rest(
    before: Description, after: Description, moved: list[Operation], comparisons: Comparisons
) -> Iterator[Finding]:
    yield from compare_webhooks(before, after, comparisons)
    yield from _servers(before, after, moved)


def _servers(before: Description, after: Description, moved: list[Operation]) -> Iterator[Finding]:
    servers = [description.document.get("servers") for description in (before, after)]
    if moved:
        said = any(one.servers for one in moved)
        lost = sorted({address for one in moved for address, _ in one.addresses})
        yield Finding(
            rule="servers-changed", severity=Severity.BREAKING if said else Severity.WARNING, place="/servers",
            before=servers[0], after=servers[1], undecided=not said,
            sentence=f"{len(moved)} operations are no longer at their addresses, such as {lost[0]}: the servers' paths "
            "changed. Keep the former paths.",
        )  # fmt: skip
    elif servers[0] and canonical(servers[0]) != canonical(servers[1]):
        yield Finding(
            rule="servers-changed", severity=Severity.WARNING, place="/servers", before=servers[0], after=servers[1],
            sentence="The servers' addresses changed: callers may have taken theirs from here. Keep the former ones.",
        )  # fmt: skip
