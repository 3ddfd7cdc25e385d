"""Discriminators: which value of the property means which schema, where the schemas themselves do not say it."""

from collections.abc import Iterator, Mapping
from typing import Any

from .gaps import Undecided
from .opening import values_of
from .reading import Document, Schema, tag_name


def tags_of(document: Document, schema: Mapping[str, Any]) -> dict[str, Schema]:
    """A value and what it refers to: by ``mapping``, else by the schema's own name (OpenAPI 3.1, 4.8.25). Without
    those whose schema has a const or enum for the property, which decides.
    """
    name = tag_name(schema)
    if not name:
        return {}
    discriminator = schema["discriminator"]
    said = discriminator.get("mapping") if isinstance(discriminator, Mapping) else None
    listed_values = said.items() if isinstance(said, Mapping) else ()
    mapping = {str(value): component_reference(str(target)) for value, target in listed_values}
    groups = (schema.get(key) for key in ("oneOf", "anyOf"))
    listed = [one for group in groups if isinstance(group, list) for one in group]
    references = [str(one["$ref"]) for one in listed if isinstance(one, Mapping) and "$ref" in one]
    named = set(mapping.values())
    mapping |= {one.rpartition("/")[2]: one for one in references if one not in named}
    return {value: {"$ref": one} for value, one in mapping.items() if not _pinned(document, one, name)}


def component_reference(target: str) -> str:
    """A value of a discriminator's mapping, as a reference."""
    return target if "/" in target or "#" in target else f"#/components/schemas/{target}"


def _pinned(document: Document, reference: str, name: str) -> bool:
    try:
        found = [_declared(part, name) for part in _parts(document, {"$ref": reference}, 0)]
        return any(values_of(document, one) is not None for one in found if one is not None)
    except Undecided:
        return False


def _parts(document: Document, schema: Schema, depth: int) -> Iterator[Mapping[str, Any]]:
    plain = document.plain(schema)
    if isinstance(plain, Mapping) and depth < 10:  # noqa: PLR2004 # one inherits from another
        yield plain
        parts = plain.get("allOf")
        for one in parts if isinstance(parts, list) else ():
            yield from _parts(document, one, depth + 1)


def _declared(part: Mapping[str, Any], name: str) -> Schema:
    properties = part.get("properties")
    return properties.get(name) if isinstance(properties, Mapping) else None
