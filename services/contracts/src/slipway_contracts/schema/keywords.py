"""What each keyword's value must look like (JSON Schema 2020-12, with what drafts 4 and 7 and OpenAPI 3.0 wrote)."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from .gaps import Undecided

# What keywords mean is said by ``$schema``: drafts 3 to 2020-12, and OpenAPI's own, which adds annotations.
DIALECT = re.compile(
    r"https?://json-schema\.org/((draft-0[34567]|draft/20(19-09|20-12))/)?(hyper-)?schema#?|"
    r"https?://spec\.openapis\.org/oas/3\.[0-9]/(dialect|schema-base|schema)/[0-9a-z-]+#?"
)
OLD_DRAFT = re.compile(r"json-schema\.org/draft-0[34567]/")


def known_dialect(value: Any) -> bool:
    """Whether these rules read schemas of that ``$schema``."""
    return isinstance(value, str) and DIALECT.fullmatch(value) is not None


def _schema(value: Any) -> bool:
    return isinstance(value, bool | Mapping)


def _schemas(value: Any) -> bool:
    return isinstance(value, list) and all(map(_schema, value))


def _named_schemas(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_schema, value.values()))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> bool:
    return _number(value) and value >= 0 and value == int(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _named_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_texts, value.values()))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _list(value: Any) -> bool:
    return isinstance(value, list)


FORMS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), _schemas),
    **dict.fromkeys(
        ("not", "if", "then", "else", "contains", "additionalProperties", "propertyNames", "unevaluatedItems",
         "unevaluatedProperties", "additionalItems", "contentSchema"), _schema),
    **dict.fromkeys(("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"), _named_schemas),
    **dict.fromkeys(("maximum", "minimum"), _number),
    **dict.fromkeys(("exclusiveMaximum", "exclusiveMinimum"), lambda value: _number(value) or _flag(value)),
    **dict.fromkeys(
        ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains",
         "maxContains"), _count),
    **dict.fromkeys(("pattern", "format", "$ref", "contentEncoding", "contentMediaType"), _text),
    **dict.fromkeys(("uniqueItems", "nullable", "readOnly", "writeOnly"), _flag),
    "items": lambda value: _schema(value) or _schemas(value),
    "multipleOf": lambda value: _number(value) and value > 0,
    "type": lambda value: _text(value) or (_texts(value) and bool(value)),
    "enum": _list,
    # Draft 3, and some generators to this day, say it at the property itself: it has no effect there.
    "required": lambda value: _texts(value) or _flag(value),
    "dependentRequired": _named_texts,
    "dependencies": lambda value: (
        isinstance(value, Mapping) and all(_schema(one) or _texts(one) for one in value.values())
    ),
    # AsyncAPI, and OpenAPI 2 before it, name the property alone.
    "discriminator": lambda value: _text(value) or (isinstance(value, Mapping) and _text(value.get("propertyName"))),
}  # fmt: skip


def require_keywords(schema: Mapping[str, Any]) -> None:
    """Raises Undecided that names the first keyword with a value that it can't have."""
    if "$schema" in schema and not known_dialect(schema["$schema"]):
        raise Undecided(f"{str(schema['$schema'])[:60]} is a dialect of JSON Schema that these rules do not read")
    for key, value in schema.items():
        form = FORMS.get(key)
        if form is not None and not form(value):
            raise Undecided(f"{key} is {str(value)[:60]}, which JSON Schema does not allow there")
