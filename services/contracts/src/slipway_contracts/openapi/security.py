"""Who may call: a caller's token that was enough must stay enough."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..findings import Finding, Severity, pointer
from ..schema import Undecided
from .description import Description, Operation, Pair

Alternative = Mapping[str, frozenset[str]]  # schemes that are needed together, each with its scopes
FLOW_ADDRESSES = ("authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl")


def compare_security(pair: Pair) -> Iterator[Finding]:
    olds, news = _alternatives(pair.old), _renamed(pair, _alternatives(pair.new))
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
                f" asks for {_for_people(news)}, where {_for_people([had])} was enough. "
                "Keep the former way, or publish a new major.",
                at=("security",), before=_shown(olds), after=_shown(news),
            )  # fmt: skip
    yield from _schemes(pair, {name for alternative in olds for name in alternative})


def _for_people(alternatives: list[Alternative]) -> str:
    return " or ".join(" with ".join(sorted(one)) or "no token" for one in alternatives)


def _alternatives(operation: Operation) -> list[Alternative]:
    listed = operation.own.get("security", operation.description.document.get("security"))
    found = [
        {str(name): frozenset(map(str, scopes if isinstance(scopes, list) else ())) for name, scopes in one.items()}
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
    ]
    return [*found] or [{}]


def _renamed(pair: Pair, alternatives: list[Alternative]) -> list[Alternative]:
    """By the former names of schemes: names of components are not sent."""
    olds, news = (_described(side.description) for side in (pair.old, pair.new))

    def former(name: str) -> str:
        if name not in news or olds.get(name) == news[name]:
            return name
        known = [old for old, form in olds.items() if form == news[name]]
        return known[0] if known else name

    return [{former(name): scopes for name, scopes in one.items()} for one in alternatives]


def _enough(had: Alternative, need: Alternative) -> bool:
    return need.keys() <= had.keys() and not _missing(had, need)


def _missing(had: Alternative, need: Alternative) -> frozenset[str]:
    return frozenset[str]().union(*(need[name] - had[name] for name in need))


def _shown(alternatives: list[Alternative]) -> list[dict[str, list[str]]]:
    return [{name: sorted(scopes) for name, scopes in one.items()} for one in alternatives]


def _schemes(pair: Pair, used: set[str]) -> Iterator[Finding]:
    """Of those that callers used, what was kept under its name and is another one."""
    olds, news = (_described(side.description) for side in (pair.old, pair.new))
    for name in sorted(used & olds.keys() & news.keys()):
        place = pointer("components", "securitySchemes", name)
        if olds[name] != news[name] and olds[name] not in news.values():
            yield Finding(
                rule="security-scheme-changed", severity=Severity.BREAKING, place=place, before=olds[name],
                after=news[name], sentence=f"{pair.new.title}: the scheme {name} was {_words(olds[name])} and is "
                f"{_words(news[name])}. Add the new one beside it under another name.",
            )  # fmt: skip
        else:
            yield from _tokens(pair, name, place)


def _tokens(pair: Pair, name: str, place: str) -> Iterator[Finding]:
    """Where and how a client gets its token."""
    old, new = (_scheme(side.description, name) for side in (pair.old, pair.new))
    flows = [_mapping(one.get("flows")) for one in (old, new)]
    gone = sorted(flows[0].keys() - flows[1].keys())
    if gone and old.get("type") == "oauth2":
        yield Finding(
            rule="security-flow-removed", severity=Severity.BREAKING, place=f"{place}/flows/{gone[0]}", before=gone,
            after=sorted(flows[1]), sentence=f"{pair.new.title}: tokens of {name} can no longer be had by "
            f"{', '.join(gone)}. Keep the flow until no client uses it.",
        )  # fmt: skip
    for before, after, key, at in _addresses(old, new):
        if before != after:
            yield Finding(
                rule="security-address-changed", severity=Severity.WARNING, place=f"{place}{at}/{key}",
                before=before, after=after, sentence=f"{pair.new.title}: {key} of {name} was {before} and is {after}. "
                "Keep the former address until no client asks there for a token.",
            )  # fmt: skip


def _addresses(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Any, Any, str, str]]:
    yield old.get("openIdConnectUrl"), new.get("openIdConnectUrl"), "openIdConnectUrl", ""
    flows = [_mapping(one.get("flows")) for one in (old, new)]
    for flow in sorted(flows[0].keys() & flows[1].keys()):
        parts = [_mapping(one[flow]) for one in flows]
        for key in FLOW_ADDRESSES:
            yield parts[0].get(key), parts[1].get(key), key, f"/flows/{flow}"


def _mapping(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def _described(description: Description) -> dict[str, list[str]]:
    """What each scheme asks of a request, in one form (RFC 9110: schemes and header fields in any letters)."""
    schemes = _mapping(description.section("components").get("securitySchemes"))
    return {str(name): _form(_scheme(description, str(name))) for name in schemes}


def _form(scheme: Mapping[str, Any]) -> list[str]:
    name = str(scheme.get("name", ""))
    asked = [scheme.get("type"), str(scheme.get("scheme", "")).lower(), scheme.get("in")]
    return [str(one) for one in (*asked, name.lower() if scheme.get("in") == "header" else name) if one]


def _words(form: list[str]) -> str:
    return " ".join(form) or "nothing"


def _scheme(description: Description, name: str) -> Mapping[str, Any]:
    schemes = _mapping(description.section("components").get("securitySchemes"))
    try:
        return description.resolve(schemes.get(name))
    except Undecided:
        return {"type": str(_mapping(schemes.get(name)).get("$ref"))}
