"""The keywords of one schema as a Flat, and two Flats as the one that satisfies both."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..canonical import canonical
from .gaps import Undecided
from .keywords import require_keywords
from .reading import ANYTHING, COUNTS, FINITE, TYPES, Document, Flat, Schema

APPLICATORS = {"allOf", "anyOf", "oneOf", "$ref", "if", "then", "else", "dependentSchemas", "$dynamicRef"}
# What ``contains`` finds counts as evaluated.
ITEM_APPLICATORS = APPLICATORS | {"contains"}
# Keywords whose change is noticed and not understood.
OPAQUE = ("$dynamicRef", "$recursiveRef", "contentSchema")


def type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names = {float: "fraction", str: "string", type(None): "null", list: "array", dict: "object"}
    return names[type(value)]


def flat_of(document: Document, schema: Mapping[str, Any]) -> Flat | None:
    """The schema's own keywords; None if they accept nothing."""
    require_keywords(schema)
    try:
        return tidy(
            Flat(
                types=_types(schema),
                values=_values(schema),
                low=_bound(schema, "minimum", "exclusiveMinimum"),
                high=_bound(schema, "maximum", "exclusiveMaximum"),
                multiples=frozenset({schema["multipleOf"]} if "multipleOf" in schema else ()),
                counts={name: int(schema[name]) for name in COUNTS if name in schema},
                patterns=frozenset({schema["pattern"]} if "pattern" in schema else ()),
                formats=_formats(schema),
                unique=schema.get("uniqueItems") is True,
                nots=(schema["not"],) if "not" in schema else (),
                contains=_contains(schema),
                conditions=_conditions(schema),
                **_arrays(schema),
                **_objects(document, schema),
            )
        )
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise Undecided("a keyword with a value that JSON Schema does not allow there") from None


def tidy(flat: Flat) -> Flat | None:
    """Values and types agree; None if nothing is left."""
    if "fraction" in flat.types and any(isinstance(one, int) or one.is_integer() for one in flat.multiples):
        flat = replace(flat, types=flat.types - {"fraction"})  # whole numbers by their steps
    values = flat.values
    if values is None and flat.types and flat.types <= FINITE.keys():
        values = {canonical(value): value for name in sorted(flat.types) for value in FINITE[name]}
    if values is not None:
        values = {text: value for text, value in values.items() if type_of(value) in flat.types}
        flat = replace(flat, values=values, types=frozenset(type_of(value) for value in values.values()))
    return flat if flat.types else None


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    if "type" not in schema:
        return ANYTHING
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if not all(name in TYPES for name in names):
        raise Undecided(f"a type that JSON Schema does not know: {schema['type']!r}")
    found = frozenset[str]().union(*(TYPES[name] for name in names))
    return found | {"null"} if schema.get("nullable") is True else found


def _values(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    listed = None
    if "enum" in schema:
        listed = {canonical(value): value for value in schema["enum"]}
    if "const" in schema:
        text = canonical(schema["const"])
        listed = {text: schema["const"]} if listed is None or text in listed else {}
    return listed


def _bound(schema: Mapping[str, Any], inclusive: str, exclusive: str) -> tuple[float, bool] | None:
    """Draft 4 and OpenAPI 3.0 say ``exclusiveMinimum: true`` beside ``minimum``."""
    plain, strict = schema.get(inclusive), schema.get(exclusive)
    if isinstance(strict, bool):
        return None if plain is None else (plain, strict)
    bounds = [(value, excluded) for value, excluded in ((plain, False), (strict, True)) if value is not None]
    if not bounds:
        return None
    return tightest(bounds, upper=inclusive == "maximum")


def tightest(bounds: list[tuple[float, bool]], *, upper: bool) -> tuple[float, bool]:
    if upper:
        return min(bounds, key=lambda bound: (bound[0], not bound[1]))
    return max(bounds)


# OpenAPI 3.0 and 3.1 spell the same thing.
_SPELLINGS = {"byte": "contentEncoding=base64", "binary": "contentMediaType=application/octet-stream"}
# A hint for people who type it in: nothing is checked.
_HINTS = frozenset({"password", ""})


def _formats(schema: Mapping[str, Any]) -> frozenset[str]:
    said = {str(schema["format"])} if "format" in schema else set()
    said |= {f"{key}={schema[key].lower()}" for key in ("contentEncoding", "contentMediaType") if key in schema}
    return frozenset(_SPELLINGS.get(one, one) for one in said - _HINTS)


def _contains(schema: Mapping[str, Any]) -> tuple[tuple[Schema, int, int | None], ...]:
    if "contains" not in schema:
        return ()
    return ((schema["contains"], schema.get("minContains", 1), schema.get("maxContains")),)


def _conditions(schema: Mapping[str, Any]) -> dict[str, Schema]:
    found = {key: schema[key] for key in OPAQUE if key in schema}
    if "if" in schema and ("then" in schema or "else" in schema):
        found["if"] = {key: schema[key] for key in ("if", "then", "else") if key in schema}
    schemas = dict(schema.get("dependentSchemas", {}))
    schemas |= {name: sub for name, sub in schema.get("dependencies", {}).items() if not isinstance(sub, list)}
    found |= {f"dependentSchemas/{name}": sub for name, sub in schemas.items()}
    for key, applicators in (("unevaluatedProperties", APPLICATORS), ("unevaluatedItems", ITEM_APPLICATORS)):
        if key in schema and schema.keys() & applicators:
            found[key] = schema[key]
    return found


def _arrays(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Draft 7 has a list of schemas in ``items`` and the rest in ``additionalItems``."""
    if isinstance(schema.get("items"), list):
        return {"prefix": tuple(schema["items"]), "items": schema.get("additionalItems", True)}
    rest = schema.get("unevaluatedItems", True) if not schema.keys() & ITEM_APPLICATORS else True
    return {"prefix": tuple(schema.get("prefixItems", ())), "items": schema.get("items", rest)}


def _objects(document: Document, schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = dict(schema.get("properties", {}))
    ignored = {name for name, sub in properties.items() if _marked(document, sub)}
    says = "additionalProperties"
    if says not in schema and not schema.keys() & APPLICATORS:
        says = "unevaluatedProperties"
    lists = dict(schema.get("dependentRequired", {}))
    lists |= {name: names for name, names in schema.get("dependencies", {}).items() if isinstance(names, list)}
    return {
        "properties": {name: sub for name, sub in properties.items() if name not in ignored},
        "pattern_properties": dict(schema.get("patternProperties", {})),
        "additional": schema.get(says, True),
        "silent": says not in schema,
        "required": frozenset(schema["required"]) - ignored
        if isinstance(schema.get("required"), list)
        else frozenset(),
        "names": schema.get("propertyNames", True),
        "dependent": {name: frozenset(names) for name, names in lists.items()},
    }


def _marked(document: Document, schema: Schema) -> bool:
    return bool(document.ignore) and document.mark(schema, document.ignore) is True


def met(document: Document, one: Flat, other: Flat) -> Flat | None:
    """What satisfies both; None if nothing does."""
    values = one.values if other.values is None else other.values
    if one.values is not None and other.values is not None:
        values = {text: value for text, value in one.values.items() if text in other.values}
    lows = [bound for bound in (one.low, other.low) if bound]
    highs = [bound for bound in (one.high, other.high) if bound]
    length = max(len(one.prefix), len(other.prefix))
    return tidy(
        Flat(
            types=one.types & other.types,
            values=values,
            low=tightest(lows, upper=False) if lows else None,
            high=tightest(highs, upper=True) if highs else None,
            multiples=one.multiples | other.multiples,
            counts=_counts(one.counts, other.counts),
            patterns=one.patterns | other.patterns,
            formats=one.formats | other.formats,
            prefix=tuple(document.both(item(one, number), item(other, number)) for number in range(length)),
            items=document.both(one.items, other.items),
            unique=one.unique or other.unique,
            nots=one.nots + other.nots,
            contains=one.contains + other.contains,
            conditions=_merged_conditions(document, one.conditions, other.conditions),
            required=one.required | other.required,
            names=document.both(one.names, other.names),
            dependent={
                name: one.dependent.get(name, frozenset()) | other.dependent.get(name, frozenset())
                for name in {**one.dependent, **other.dependent}
            },
            **_met_properties(document, one, other),
        )
    )


def item(flat: Flat, number: int) -> Schema:
    return flat.prefix[number] if number < len(flat.prefix) else flat.items


def _counts(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    found = dict(one)
    for name, value in other.items():
        choose = max if name.startswith("min") else min
        found[name] = choose(found.get(name, value), value)
    return found


def _merged_conditions(document: Document, one: Mapping[str, Schema], other: Mapping[str, Schema]) -> dict[str, Schema]:
    """Two conditions of one name both hold; as a whole they are only compared for being the same."""
    return {
        name: document.both(one[name], other[name]) if name in one and name in other else {**one, **other}[name]
        for name in {**one, **other}
    }


def _met_properties(document: Document, one: Flat, other: Flat) -> dict[str, Any]:
    for flat, against in ((one, other), (other, one)):
        if flat.pattern_properties and against.additional is not True:
            raise Undecided("allOf with patternProperties on one side and additionalProperties on the other")

    def of(name: str) -> Schema:
        sides = [flat.properties.get(name, True if flat.of(name) else flat.additional) for flat in (one, other)]
        return document.both(*sides)

    patterns = {**one.pattern_properties, **other.pattern_properties}
    return {
        "properties": {name: of(name) for name in {**one.properties, **other.properties}},
        "pattern_properties": {
            pattern: document.both(
                one.pattern_properties.get(pattern, True), other.pattern_properties.get(pattern, True)
            )
            for pattern in patterns
        },
        "additional": document.both(one.additional, other.additional),
        "silent": one.silent and other.silent,
    }


def literal_of(value: Any) -> Flat:
    """The schema of exactly this value."""
    if isinstance(value, Mapping):
        properties = {str(name): {"const": one} for name, one in value.items()}
        return Flat(
            types=frozenset({"object"}), properties=properties, required=frozenset(properties), additional=False,
            silent=False,
        )  # fmt: skip
    if isinstance(value, list):
        prefix = tuple({"const": one} for one in value)
        size = {"minItems": len(value), "maxItems": len(value)}
        return Flat(types=frozenset({"array"}), prefix=prefix, items=False, counts=size)
    return Flat(types=frozenset({type_of(value)}))
