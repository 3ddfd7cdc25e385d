"""One OpenAPI document, read: references of its parts resolved, its paths by what callers see of them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..findings import Finding, Severity, pointer
from ..schema import Gap, Reading, gaps
from ..wording import Direction, findings_of

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
MAX_HOPS = 20
REQUEST = Reading(undeclared=False, ignore="readOnly")
RESPONSE = Reading(undeclared=False, exclusive=False, ignore="writeOnly")


class Description:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def resolve(self, part: Any) -> Mapping[str, Any]:
        """A parameter, body, answer, header or path item; {} where the reference leads nowhere."""
        for _ in range(MAX_HOPS):
            if not isinstance(part, Mapping):
                return {}
            reference = part.get("$ref")
            if not isinstance(reference, str):
                return part
            part = self._find(reference)
        return {}

    def _find(self, reference: str) -> Any:
        found: Any = self.document
        for token in reference.removeprefix("#").split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def section(self, name: str) -> Mapping[str, Any]:
        found = self.document.get(name)
        return found if isinstance(found, Mapping) else {}

    def operations(self) -> Iterator["Operation"]:
        for path, part in self.section("paths").items():
            item = self.resolve(part)
            for method in METHODS:
                if isinstance(item.get(method), Mapping):
                    yield Operation(self, path, method, item, item[method])


@dataclass(frozen=True, slots=True)
class Operation:
    description: Description
    path: str
    method: str
    item: Mapping[str, Any]
    own: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """The names of a path's parameters are nobody's business but the server's."""
        return re.sub(r"\{[^}]*\}", "{}", self.path), self.method

    @property
    def title(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def place(self) -> tuple[str, ...]:
        return "paths", self.path, self.method

    @property
    def deprecated(self) -> bool:
        return self.own.get("deprecated") is True


@dataclass(frozen=True, slots=True)
class Pair:
    """The same operation in both documents."""

    old: Operation
    new: Operation

    def say(
        self, rule: str, severity: Severity, sentence: str, *, at: tuple[str | int, ...] = (), before: Any = None,
        after: Any = None, undecided: bool = False,
    ) -> Finding:  # fmt: skip
        return Finding(
            rule=rule, severity=severity, place=pointer(*self.new.place, *at), before=before, after=after,
            sentence=f"{self.new.title}{sentence}", undecided=undecided,
        )  # fmt: skip

    def taken(self, old: Any, new: Any, scope: str, where: str, at: tuple[str | int, ...]) -> list[Finding]:
        """Schemas of what callers send."""
        return self._schemas(self._gaps(old, new, Direction.NARROWED), scope, Direction.NARROWED, where, at)

    def given(self, old: Any, new: Any, scope: str, where: str, at: tuple[str | int, ...]) -> list[Finding]:
        """Schemas of what callers get."""
        return self._schemas(self._gaps(old, new, Direction.WIDENED), scope, Direction.WIDENED, where, at)

    def _gaps(self, old: Any, new: Any, direction: Direction) -> list[Gap]:
        roots = self.old.description.document, self.new.description.document
        if direction is Direction.NARROWED:
            return gaps(old, new, *roots, REQUEST)
        return gaps(new, old, roots[1], roots[0], RESPONSE)

    def _schemas(
        self, found: list[Gap], scope: str, direction: Direction, where: str, at: tuple[str | int, ...]
    ) -> list[Finding]:
        return findings_of(
            found, scope=scope, direction=direction, where=f"{self.new.title}, {where}", place=(*self.new.place, *at)
        )


def media_types(part: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By their name without parameters."""
    content = part.get("content")
    if not isinstance(content, Mapping):
        return {}
    return {name.partition(";")[0].strip().lower(): one for name, one in content.items() if isinstance(one, Mapping)}


def covering(name: str, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The entry for a media type: its own, or a range such as ``application/*``."""
    for candidate in (name, name.partition("/")[0] + "/*", "*/*"):
        if candidate in known:
            return known[candidate]
    return None
