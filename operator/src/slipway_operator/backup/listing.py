"""What a dump lists: which of it a database that has something already takes, and which roles and extensions it needs.

Lines are those of ``pg_restore --list``: ``number; table oid KIND SCHEMA NAME OWNER``. Pure.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_ENTRY = re.compile(r"^\d+; \d+ \d+ (.*) (\S*)$")
_WORD = r'(?:"(?:[^"]|"")+"|[^\s",;()]+)'
_TO_ROLES = (
    re.compile(rf"^(?:GRANT|ALTER DEFAULT PRIVILEGES) .* TO ({_WORD})(?: WITH GRANT OPTION)?;$", re.MULTILINE),
    re.compile(rf"^(?:REVOKE|ALTER DEFAULT PRIVILEGES) .* FROM ({_WORD});$", re.MULTILINE),
    re.compile(rf"^ALTER DEFAULT PRIVILEGES FOR ROLE ({_WORD}) ", re.MULTILINE),
    re.compile(
        rf"^CREATE POLICY (?:(?! USING | WITH CHECK ).)*? TO ({_WORD}(?:, {_WORD})*)(?: USING| WITH CHECK|;)",
        re.MULTILINE,
    ),
)
_EXTENSION = re.compile(rf"^CREATE EXTENSION IF NOT EXISTS ({_WORD}) WITH SCHEMA ({_WORD});$", re.MULTILINE)
# They are made by who looks after the server, and no role of a service may make them.
_SERVERS_OWN = ("EVENT TRIGGER", "SUBSCRIPTION")
_PUBLICATION = "PUBLICATION - "
WITH_ROLES = ("ACL ", "DEFAULT ACL ", "POLICY ")
WITH_EXTENSIONS = ("EXTENSION ",)


@dataclass(frozen=True, slots=True)
class There:
    """What a database has that a restore leaves. ``schemas``, ``publications``: whether each is the role's own, by
    name. ``others``: functions and views of other roles, as a list calls them.
    """

    schemas: Mapping[str, bool] = field(default_factory=dict)
    publications: Mapping[str, bool] = field(default_factory=dict)
    others: Collection[tuple[str, str, str]] = ()


def entries(lines: Iterable[str], kinds: tuple[str, ...]) -> list[str]:
    """The lines of these kinds."""
    return [line for line in lines if (found := _ENTRY.match(line)) and found[1].startswith(kinds)]


def schemas_of(lines: Iterable[str]) -> list[str]:
    """That the dump makes."""
    return [_ENTRY.match(line)[1].removeprefix("SCHEMA - ") for line in entries(lines, ("SCHEMA - ",))]  # type: ignore[index]


def taken(lines: Iterable[str], there: There) -> list[str]:
    """The lines to restore where ``there`` is what stays. Publications of who owns none of the tables are left out:
    that is an administrator, who makes them again.
    """
    found = [(line, each[1], each[2]) for line in lines if (each := _ENTRY.match(line))]
    owners = {owner for _, said, owner in found if said.startswith("TABLE ")}
    publications = {said.removeprefix(_PUBLICATION): owner for _, said, owner in found if said.startswith(_PUBLICATION)}
    foreign = {name for name, owner in publications.items() if owner not in owners}
    foreign |= {name for name, own in there.publications.items() if not own}
    left = {
        *(f"SCHEMA - {name}" for name in there.schemas),
        *(f"{what} - SCHEMA {name}" for name, own in there.schemas.items() if not own for what in ("ACL", "COMMENT")),
        *(f"{_PUBLICATION}{name}" for name in {*there.publications, *foreign}),
        *(f"COMMENT - PUBLICATION {name}" for name in foreign),
        *(each for other in there.others for each in _around(*other)),
    }
    never = tuple(f"{before}{kind} " for kind in _SERVERS_OWN for before in ("", "COMMENT - "))
    return [
        line
        for line, said, _ in found
        if said not in left
        and not said.startswith(("COMMENT - EXTENSION ", *never))
        and not (said.startswith("PUBLICATION TABLE") and any(f" {name} " in f"{said} " for name in foreign))
    ]


def _around(kind: str, schema: str, name: str) -> Iterator[str]:
    yield f"{kind} {schema} {name}"
    yield f"COMMENT {schema} {kind} {name}"
    yield f"ACL {schema} {'TABLE' if kind == 'VIEW' else kind} {name}"


def roles_of(script: str) -> set[str]:
    """That statements of a script of grants and policies name."""
    found = {word for each in _TO_ROLES for said in each.findall(script) for word in re.findall(_WORD, said)}
    return {_bare(word) for word in found} - {"PUBLIC", "CURRENT_USER", "SESSION_USER"}


def extensions_of(script: str) -> Sequence[tuple[str, str]]:
    """Names and schemas."""
    return [(_bare(name), _bare(schema)) for name, schema in _EXTENSION.findall(script)]


def _bare(word: str) -> str:
    return word[1:-1].replace('""', '"') if word.startswith('"') else word
