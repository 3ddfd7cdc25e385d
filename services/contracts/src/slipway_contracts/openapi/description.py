"""One OpenAPI document, read: references of its parts resolved, its paths by what callers see of them."""

import re
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from ..findings import Finding, Severity, pointer
from ..schema import Comparisons, Gap, Reading, Undecided
from ..schema.reading import Document
from ..wording import Direction, findings_of
from .servers import base_paths

PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
RESERVED = "%/{}:?#[]@!$&'()*+,;="  # these mean something where they stand, and a parameter's braces to us
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
MAX_HOPS = 20
T = TypeVar("T")
REQUEST = Reading(undeclared=False, ignore="readOnly")
PARAMETER = Reading(undeclared=False, ignore="readOnly", texts=True)
RESPONSE = Reading(undeclared=False, exclusive=False, ignore="writeOnly")
CALLED = Reading(undeclared=False, exclusive=False)  # a request that is read as an answer is


class Description:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.schemas = Document(document)
        self._once: dict[Any, Any] = {}
        self._bases: dict[int, tuple[Any, list[str]]] = {}  # the servers are kept, so that their ids stay theirs

    def resolve(self, part: Any) -> Mapping[str, Any]:
        """A parameter, body, answer, header or path item; {} for what is none. Raises Undecided where its reference
        can't be followed.
        """
        for _ in range(MAX_HOPS):
            if not isinstance(part, Mapping):
                return {}
            reference = part.get("$ref")
            if not isinstance(reference, str):
                return part
            part = self.schemas.resolve(reference)
        raise Undecided("a reference leads back to itself")

    def bases(self, servers: Any) -> list[str]:
        """Of one list of servers once: most operations have the document's."""
        if id(servers) not in self._bases:
            self._bases[id(servers)] = servers, base_paths(servers)
        return self._bases[id(servers)][1]

    def once(self, key: Any, compute: Callable[[], T]) -> T:
        """What all its operations ask for is computed by the first one."""
        if key not in self._once:
            self._once[key] = compute()
        found: T = self._once[key]
        return found

    def section(self, name: str) -> Mapping[str, Any]:
        found = self.document.get(name)
        return found if isinstance(found, Mapping) else {}

    def operations(self) -> Iterator["Operation"]:
        """Those of paths that can be followed."""
        for path, part in self.section("paths").items():
            try:
                item = self.resolve(part)
            except Undecided:
                continue
            for method, own in methods_of(item):
                yield Operation(self, str(path), method, item, own)

    def unfollowed(self) -> dict[str, str]:
        """Paths whose reference can't be followed, and the reference."""
        found = {}
        for path, part in self.section("paths").items():
            try:
                self.resolve(part)
            except Undecided:
                found[str(path)] = str(part.get("$ref"))
        return found


def methods_of(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Those of OpenAPI, and from 3.2 on those of one's own."""
    further = item.get("additionalOperations")
    known = [(method, item.get(method)) for method in METHODS]
    own = [(str(method), one) for method, one in further.items()] if isinstance(further, Mapping) else []
    yield from ((method, one) for method, one in [*known, *own] if isinstance(one, Mapping))


@dataclass(frozen=True, slots=True)
class Operation:
    description: Description
    path: str
    method: str
    item: Mapping[str, Any]
    own: Mapping[str, Any]
    section: tuple[str, ...] = ("paths",)  # where its path item stands

    @property
    def key(self) -> tuple[str, str]:
        """The names of a path's parameters are nobody's business but the server's."""
        return as_sent(nameless(self.path)), self.method

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """With the path of each server that offers it."""
        bases = self.description.bases(self.servers)
        return [(as_sent(nameless(base + self.path)), self.method) for base in bases]

    @property
    def servers(self) -> Any:
        """Its own, else its path's, else the document's; None where nothing is said."""
        listed = (part.get("servers") for part in (self.own, self.item, self.description.document))
        return next((one for one in listed if one), None)

    @property
    def title(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def place(self) -> tuple[str, ...]:
        return *self.section, self.path, self.method

    @property
    def deprecated(self) -> bool:
        return self.own.get("deprecated") is True


def nameless(path: str) -> str:
    """A path without the names of its parameters.

    >>> nameless("/v1/orders/{id}")
    '/v1/orders/{}'
    """
    return re.sub(r"\{[^{}]*\}", "{}", path)


def as_sent(path: str) -> str:
    """A path in the one form of RFC 3986 (2.5 and 6.2.2): letters of the world in percent, plain ones as they are.

    >>> as_sent("/größe/%7Ea%2fb")
    '/gr%C3%B6%C3%9Fe/~a%2Fb'
    """
    plain = PERCENT.sub(lambda found: chr(int(found[1], 16)) if _unreserved(found[1]) else found[0].upper(), path)
    return quote(plain, safe=RESERVED, errors="surrogatepass")


def _unreserved(digits: str) -> bool:
    return chr(int(digits, 16)) in UNRESERVED


@dataclass(frozen=True, slots=True)
class Pair:
    """The same operation in both documents."""

    old: Operation
    new: Operation
    comparisons: Comparisons

    def say(
        self, rule: str, severity: Severity, sentence: str, *, at: tuple[str | int, ...] = (), before: Any = None,
        after: Any = None, undecided: bool = False,
    ) -> Finding:  # fmt: skip
        return Finding(
            rule=rule, severity=severity, place=pointer(*self.new.place, *at), before=before, after=after,
            sentence=f"{self.new.title}{sentence}", undecided=undecided,
        )  # fmt: skip

    def unread(self, at: tuple[str | int, ...], why: Undecided) -> Finding:
        """A part of the operation that can't be followed or read."""
        return self.say(
            "openapi-undecided", Severity.WARNING, f" can't be judged: {why}. Compare the two by hand.",
            at=at, undecided=True,
        )  # fmt: skip

    def taken(
        self, old: Any, new: Any, scope: str, where: str, at: tuple[str | int, ...], *, texts: bool = False
    ) -> list[Finding]:
        """Schemas of what callers send; ``texts``: see Reading."""
        roots = self.old.description.document, self.new.description.document
        found = self.comparisons.between(*roots, PARAMETER if texts else REQUEST).gaps(old, new)
        return self._schemas(found, scope, Direction.NARROWED, where, at)

    def given(
        self, old: Any, new: Any, scope: str, where: str, at: tuple[str | int, ...], *, reading: Reading = RESPONSE
    ) -> list[Finding]:
        """Schemas of what callers get."""
        roots = self.new.description.document, self.old.description.document
        found = self.comparisons.between(*roots, reading).gaps(new, old)
        return self._schemas(found, scope, Direction.WIDENED, where, at)

    def _schemas(
        self, found: list[Gap], scope: str, direction: Direction, where: str, at: tuple[str | int, ...]
    ) -> list[Finding]:
        return findings_of(
            found, scope=scope, direction=direction, where=f"{self.new.title}, {where}", place=(*self.new.place, *at)
        )
