"""From a model to a structural schema: no references, no nulls, every integer with its format.

The API server refuses schemas that are not structural, and pydantic's have ``$ref`` and ``anyOf`` with null.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_INT32 = 2**31 - 1
# What the API server does not know, or what says nothing to a reader.
_DROPPED = {"title", "propertyNames", "additionalProperties", "$defs"}


def structural(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True)
    return _convert(schema, schema.get("$defs", {}))


def _convert(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    schema = _resolved(schema, definitions)
    made = {key: value for key, value in schema.items() if key not in _DROPPED | {"properties", "items", "default"}}
    if made.get("type") == "integer":
        made.setdefault("format", "int64" if made.get("maximum", _INT32) > _INT32 else "int32")
    if "const" in made:
        made["enum"] = [made.pop("const")]
    if "properties" in schema:
        made["properties"] = {
            name: _convert(each, definitions) for name, each in schema["properties"].items()
        }  # fmt: skip
    if "items" in schema:
        made["items"] = _convert(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), Mapping):
        made["additionalProperties"] = _convert(schema["additionalProperties"], definitions)
    if schema.get("default") is not None:
        made["default"] = _default(schema["default"], made)
    return _in_order(made)


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with its reference followed; what stands beside the reference wins, as with a description."""
    found = dict(schema)
    while "$ref" in found or "anyOf" in found:
        if "anyOf" in found:
            [inner] = [each for each in found.pop("anyOf") if each != {"type": "null"}]
        else:
            inner = definitions[found.pop("$ref").rpartition("/")[2]]
        found = {**inner, **found}
    return found


def _default(value: Any, schema: Mapping[str, Any]) -> Any:
    """A default without nulls and without what the nested defaults add again."""
    if isinstance(value, Mapping) and "properties" in schema:
        inner = schema["properties"]
        return {
            name: _default(each, inner.get(name, {}))
            for name, each in value.items()
            if each is not None and each != inner.get(name, {}).get("default")
        }
    if isinstance(value, list | tuple):
        return [_default(each, schema.get("items", {})) for each in value]
    return value


def _in_order(schema: dict[str, Any]) -> dict[str, Any]:
    """Description first, as people read it."""
    first = ("description", "type", "format", "default", "enum")
    keys = [key for key in first if key in schema] + [key for key in schema if key not in first]
    return {key: schema[key] for key in keys}
