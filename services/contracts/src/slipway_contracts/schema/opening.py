"""Schemas, opened: references resolved, allOf merged, unions as a list of alternatives without unions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..canonical import canonical
from .flattening import flat_of, met
from .gaps import Undecided
from .reading import MAX_REFERENCES, TYPES, Document, Flat, Opened, Schema, tag_name

MAX_ALTERNATIVES = 2000
MAX_CHOICES = 20_000  # before those that are nothing but a value become one
# So many are compared each with each; more only if a property tells them apart.
MAX_PAIRS_OF = 60


def opened(document: Document, schema: Schema) -> Opened:
    """What the schema accepts, as alternatives; Undecided where these rules can't tell. Each is opened once."""
    kept = document.opened.get(id(schema))
    if kept is None:
        kept = schema, tagged(document, _open(document, schema, 0))
        document.opened[id(schema)] = kept
    return kept[1]


def _open(document: Document, schema: Schema, depth: int) -> Opened:
    if schema is True:
        return Opened((Flat(),))
    if schema is False:
        return Opened(())
    if not isinstance(schema, Mapping):
        raise Undecided("a schema that is neither true, false nor an object")
    if depth > MAX_REFERENCES:
        raise Undecided("a schema that contains itself without end")
    kept = document.parts.get(id(schema))
    if kept is None:
        kept = schema, _of_parts(document, schema, depth)
        document.parts[id(schema)] = kept
    return kept[1]


def _of_parts(document: Document, schema: Mapping[str, Any], depth: int) -> Opened:
    """Each schema once, however many others name it: each of twenty that name the next one twice would be a million."""
    if document.alone and isinstance(schema.get("$ref"), str):
        schema = {key: schema[key] for key in ("$ref", "nullable") if key in schema}
    alternatives = [one for one in (flat_of(document, schema),) if one]
    exclusive = refuses = False
    for group in _groups(document, schema):
        choices, overlapping, refusing = _choices(document, group, depth)
        exclusive, refuses = exclusive or overlapping, refuses or refusing
        if len(choices) * len(alternatives) > MAX_ALTERNATIVES:
            raise Undecided(f"more than {MAX_ALTERNATIVES} alternatives")
        alternatives = [both for one in alternatives for choice in choices if (both := met(document, one, choice))]
    if schema.get("nullable") is True and not any("null" in one.types for one in alternatives):
        alternatives.append(Flat(types=TYPES["null"], values={"null": None}))
    return Opened(tuple(alternatives), exclusive, refuses)


def _choices(document: Document, group: "_Group", depth: int) -> tuple[list[Flat], bool, bool]:
    """The alternatives of all schemas of a group; whether what fits two of them is refused; whether something does."""
    choices: list[Flat] = []
    exclusive = refuses = False
    for sub in group.schemas:
        inner = _open(document, sub, depth + 1)
        choices += inner.alternatives
        exclusive, refuses = exclusive or inner.exclusive, refuses or inner.refuses
        if len(choices) > MAX_CHOICES:
            raise Undecided(f"more than {MAX_CHOICES} alternatives")
    if group.tag:
        choices = [_needing(one, group.tag) for one in choices]
    refuses = refuses or (group.exclusive and _overlap_by_type(choices))
    return _listed(choices), exclusive or (group.exclusive and not _apart(document, choices)), refuses


def _overlap_by_type(choices: Sequence[Flat]) -> bool:
    """Whether two that are nothing but types have one in common, as a whole number is a number."""
    types = [name for one in choices if one == replace(_BARE, types=one.types) for name in one.types]
    return len(types) > len(set(types))


@dataclass(frozen=True, slots=True)
class _Group:
    """One of its schemas applies. ``tag``: the property that must be there, since it says which one."""

    schemas: list[Schema]
    exclusive: bool = False
    tag: str = ""


def _groups(document: Document, schema: Mapping[str, Any]) -> Iterator[_Group]:
    if isinstance(schema.get("$ref"), str):
        yield _Group([document.resolve(schema["$ref"])])
    for sub in schema.get("allOf", ()):
        yield _Group([sub])
    tag = tag_name(schema)
    if schema.get("anyOf"):
        yield _Group(list(schema["anyOf"]), tag=tag)
    if schema.get("oneOf"):
        yield _Group(list(schema["oneOf"]), exclusive=len(schema["oneOf"]) > 1 and not tag, tag=tag)


def _needing(flat: Flat, tag: str) -> Flat:
    """With a discriminator its property is always sent, whatever default it has (OpenAPI 3.1, 4.8.25)."""
    return replace(flat, required=flat.required | {tag}) if tag in flat.properties else flat


def _listed(choices: list[Flat]) -> list[Flat]:
    """Those that are nothing but values, as one."""
    plain = [
        one for one in choices if one.values is not None and replace(_BARE, types=one.types, values=one.values) == one
    ]
    if len(plain) < 2:  # noqa: PLR2004
        return choices
    values = {text: value for one in plain for text, value in (one.values or {}).items()}
    whole = replace(_BARE, types=frozenset[str]().union(*(one.types for one in plain)), values=values)
    kept = {id(one) for one in plain}
    return [whole, *(one for one in choices if id(one) not in kept)]


_BARE = Flat()


def _apart(document: Document, flats: Sequence[Flat]) -> bool:
    """Whether every two of them are disjoint."""
    if len(flats) <= MAX_PAIRS_OF:
        return all(disjoint(document, one, other) for number, one in enumerate(flats) for other in flats[number + 1 :])
    objects = [one for one in flats if one.types == {"object"} and one.values is None]
    listed = [one for one in flats if one.values is not None]
    if len(objects) + len(listed) < len(flats) or (objects and any("object" in one.types for one in listed)):
        return False
    if len({text for one in listed for text in one.values or ()}) < sum(len(one.values or ()) for one in listed):
        return False
    tag, by_tag = _told_by(document, objects) if objects else ("", {})
    return not objects or (bool(tag) and all(len(places) == 1 for places in by_tag.values()))


def disjoint(document: Document, one: Flat, other: Flat) -> bool:
    """Whether no value can satisfy both, as far as types, values and a discriminating property tell."""
    if not one.types & other.types:
        return True
    if one.values is not None and other.values is not None:
        return not one.values.keys() & other.values.keys()
    if one.types & other.types != {"object"}:
        return False
    return any(
        _told_apart(document, one.properties.get(name), other.properties.get(name))
        for name in one.required & other.required
    )


def _told_apart(document: Document, one: Schema, other: Schema) -> bool:
    """By their values, as a discriminator does."""
    values = [values_of(document, schema) for schema in (one, other)]
    return values[0] is not None and values[1] is not None and not values[0] & values[1]


def values_of(document: Document, schema: Schema) -> frozenset[str] | None:
    """The canonical texts of its const or enum; None: it has none."""
    found = document.plain(schema)
    if not isinstance(found, Mapping):
        return None
    if "const" in found:
        return frozenset({canonical(found["const"])})
    return frozenset(map(canonical, found["enum"])) if isinstance(found.get("enum"), list) else None


def tagged(document: Document, found: Opened) -> Opened:
    """With the property that tells its alternatives apart, where there is one."""
    objects = [one for one in found.alternatives if one.types == {"object"} and one.values is None]
    if len(objects) < 2:  # noqa: PLR2004
        return found
    tag, by_tag = _told_by(document, objects)
    if not tag:
        return found
    places = {id(one): number for number, one in enumerate(found.alternatives)}
    return replace(found, tag=tag, by_tag={
        value: tuple(places[id(objects[number])] for number in numbers) for value, numbers in by_tag.items()
    })  # fmt: skip


def _told_by(document: Document, objects: Sequence[Flat]) -> tuple[str, Mapping[str, tuple[int, ...]]]:
    """The first property that all of them require, each with values of its own; "": there is none."""
    for name in sorted(set[str].intersection(*(set(one.required & one.properties.keys()) for one in objects))):
        by_tag: dict[str, tuple[int, ...]] = {}
        for number, one in enumerate(objects):
            values = values_of(document, one.properties[name])
            if values is None:
                break
            for value in values:
                by_tag[value] = (*by_tag.get(value, ()), number)
        else:
            if len(by_tag) > 1:
                return name, by_tag
    return "", {}
