"""Who may call: a caller's token that was enough must stay enough."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..findings import Finding, Severity, pointer
from .description import Description, Operation, Pair

Alternative = Mapping[str, frozenset[str]]  # schemes that are needed together, each with its scopes
SCHEME = ("type", "scheme", "in", "name")


def compare_security(pair: Pair) -> Iterator[Finding]:
    olds, news = _alternatives(pair.old), _alternatives(pair.new)
    for had in olds:
        if any(_enough(had, need) for need in news):
            continue
        same_schemes = [need for need in news if need.keys() <= had.keys()]
        if same_schemes:
            missing = min((_missing(had, need) for need in same_schemes), key=len)
            yield pair.say(
                "security-scope-added", Severity.BREAKING,
                f" asks for the scope {', '.join(sorted(missing))}, which callers were not asked for. "
                "Accept the former scopes, or publish the change as a new major version.",
                at=("security",), before=_shown(olds), after=_shown(news),
            )  # fmt: skip
        else:
            yield pair.say(
                "security-added", Severity.BREAKING,
                " asks for a token or key that callers did not need. Keep the former way, or publish a new major.",
                at=("security",), before=_shown(olds), after=_shown(news),
            )  # fmt: skip
    yield from _schemes(pair, {name for alternative in olds for name in alternative})


def _alternatives(operation: Operation) -> list[Alternative]:
    listed = operation.own.get("security", operation.description.document.get("security"))
    found = [
        {str(name): frozenset(map(str, scopes)) for name, scopes in one.items()}
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
    ]
    return [*found] or [{}]


def _enough(had: Alternative, need: Alternative) -> bool:
    return need.keys() <= had.keys() and not _missing(had, need)


def _missing(had: Alternative, need: Alternative) -> frozenset[str]:
    return frozenset[str]().union(*(need[name] - had[name] for name in need))


def _shown(alternatives: list[Alternative]) -> list[dict[str, list[str]]]:
    return [{name: sorted(scopes) for name, scopes in one.items()} for one in alternatives]


def _schemes(pair: Pair, used: set[str]) -> Iterator[Finding]:
    for name in sorted(used):
        old, new = (_scheme(side.description, name) for side in (pair.old, pair.new))
        if new and [old.get(key) for key in SCHEME] != [new.get(key) for key in SCHEME]:
            yield Finding(
                rule="security-scheme-changed", severity=Severity.BREAKING,
                place=pointer("components", "securitySchemes", name), before=dict(old), after=dict(new),
                sentence=f"{pair.new.title}: the scheme {name} changed. Add the new one beside it under another name.",
            )  # fmt: skip


def _scheme(description: Description, name: str) -> Mapping[str, Any]:
    schemes = description.section("components").get("securitySchemes")
    return description.resolve(schemes.get(name)) if isinstance(schemes, Mapping) else {}
