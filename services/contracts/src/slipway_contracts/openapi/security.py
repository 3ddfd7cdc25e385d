"""Who may call: a caller's token that was enough must stay enough."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..findings import Finding, Severity, pointer
from ..schema import Undecided
from .alternatives import Alternative, Asked, Steps, parts_of
from .description import Description, Operation, Pair

FLOW_ADDRESSES = ("authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl")
ISSUER = "openIdConnectUrl"  # says whose tokens are taken (OpenID Connect Discovery 4.3); others say where to ask
SHOWN = 5  # alternatives, schemes of one, and scopes of one


def compare_security(pair: Pair) -> Iterator[Finding]:
    olds = _alternatives(pair.old)
    try:
        news, refused = _refused(pair, olds)
    except Undecided as why:
        yield pair.unread(("security",), why)
        return
    before, after = _shown(olds), _shown(news)
    for had, missing in refused:
        if missing is not None:
            yield pair.say(
                "security-scope-added", Severity.BREAKING,
                f" asks for the scope {_few(missing, ', ')}, which callers were not asked for. "
                "Accept the former scopes, or publish the change as a new major version.",
                at=("security",), before=before, after=after,
            )  # fmt: skip
        else:
            yield pair.say(
                "security-added", Severity.BREAKING,
                f" asks for {_for_people(news)}, where {_for_people([had])} was enough. "
                "Keep the former way, or publish a new major.",
                at=("security",), before=before, after=after,
            )  # fmt: skip
    yield from _schemes(pair, {name for alternative in olds for name in alternative})


def _refused(
    pair: Pair, olds: list[Alternative]
) -> tuple[list[Alternative], list[tuple[Alternative, frozenset[str] | None]]]:
    """What is asked for now, and the former ways that are not enough for it, each with the scopes it lacks; None: it
    lacks a scheme. Most operations have the document's lists: of two lists once. Raises Undecided.
    """
    new = pair.new.description
    key = "refused", id(_listed(pair.old)), id(_listed(pair.new))

    def compared() -> tuple[list[Alternative], list[tuple[Alternative, frozenset[str] | None]]]:
        news = _renamed(pair, _alternatives(pair.new))
        asked = Asked(news, new.once("security steps", Steps))
        had = ((one, parts_of(one)) for one in olds)
        return news, [(one, asked.missing(parts)) for one, parts in had if not asked.enough(parts)]

    return new.once(key, compared)


def _few(names: Iterable[str], between: str) -> str:
    listed = sorted(names)
    return between.join([*listed[:SHOWN], *([f"{len(listed) - SHOWN} more"] if len(listed) > SHOWN else [])])


def _for_people(alternatives: list[Alternative]) -> str:
    further = [f"{len(alternatives) - SHOWN} more"] if len(alternatives) > SHOWN else []
    return " or ".join([*(_few(one, " with ") or "no token" for one in alternatives[:SHOWN]), *further])


def _listed(operation: Operation) -> Any:
    return operation.own.get("security", operation.description.document.get("security"))


def _alternatives(operation: Operation) -> list[Alternative]:
    listed = _listed(operation)
    found = [
        {str(name): frozenset(map(str, scopes if isinstance(scopes, list) else ())) for name, scopes in one.items()}
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, Mapping)
    ]
    return [*found] or [{}]


def _renamed(pair: Pair, alternatives: list[Alternative]) -> list[Alternative]:
    """By the former names of schemes: names of components are not sent."""
    olds, news = (_described(side.description) for side in (pair.old, pair.new))
    by_form = {tuple(form): name for name, form in reversed(olds.items())}

    def former(name: str) -> str:
        if name not in news or olds.get(name) == news[name]:
            return name
        return by_form.get(tuple(news[name]), name)

    return [{former(name): scopes for name, scopes in one.items()} for one in alternatives]


def _shown(alternatives: list[Alternative]) -> list[dict[str, list[str]]]:
    return [
        {name: sorted(scopes)[:SHOWN] for name, scopes in sorted(one.items())[:SHOWN]} for one in alternatives[:SHOWN]
    ]


def _schemes(pair: Pair, used: set[str]) -> Iterator[Finding]:
    """Of those that callers used, what was kept under its name and is another one."""
    olds, news = (_described(side.description) for side in (pair.old, pair.new))
    kept = {tuple(form) for form in news.values()}
    for name in sorted(used & olds.keys() & news.keys()):
        place = pointer("components", "securitySchemes", name)
        if olds[name] != news[name] and tuple(olds[name]) not in kept:
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
                before=before, after=after, undecided=bool(before) and key == ISSUER,
                sentence=f"{pair.new.title}: {key} of {name} was {before} and is {after}. "
                "Keep the former address until no client asks there for a token.",
            )  # fmt: skip


def _addresses(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Any, Any, str, str]]:
    yield old.get(ISSUER), new.get(ISSUER), ISSUER, ""
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
    return description.once(
        "security schemes", lambda: {str(name): _form(_scheme(description, str(name))) for name in schemes}
    )


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
