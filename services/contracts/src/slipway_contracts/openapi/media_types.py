"""Media types of bodies and answers: names with parameters, and ranges."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SCHEMAS = ("schema", "itemSchema")
PLAIN_WORDS = {"title", "description", "example", "examples"}
# What is taken apart before a schema is asked; all else comes as it is.
PARSED = re.compile(r"\*/|text/|multipart/|application/(\*|x-www-form-urlencoded|.*\b(json|xml|yaml)\b)")
FILES: tuple[Mapping[str, Any], ...] = (
    {}, {"type": "string", "format": "binary"}, {"contentMediaType": "application/octet-stream"},
    {"type": "string", "contentMediaType": "application/octet-stream"},
)  # fmt: skip
SHOWN = 20  # media types in a finding


def media_types(part: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By their name in one form (RFC 9110, 8.3.1): small letters, parameters sorted."""
    content = part.get("content")
    if not isinstance(content, Mapping):
        return {}
    return {normal(str(name)): _opened(one) for name, one in content.items() if isinstance(one, Mapping)}


def schema_of_value(part: Mapping[str, Any]) -> Any:
    """Of a parameter or a header: one media type may stand in place of its schema."""
    content = list(media_types(part).values())
    return content[0].get("schema", True) if content else part.get("schema", True)


def _opened(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """From 3.2 on it may be a reference to a component, and so are its schemas then."""
    reference = entry.get("$ref")
    if not isinstance(reference, str):
        return entry
    return {key: {"$ref": f"{reference}/{key}"} for key in SCHEMAS}


def schemas_of(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Of one media type in two documents: the keyword, and both schemas. Parts of a stream (3.2) have one as well."""
    if PARSED.match(name) or not (_any_bytes(old) and _any_bytes(new)):
        yield from ((key, old.get(key, True), new.get(key, True)) for key in SCHEMAS if key in old or key in new)


def _any_bytes(entry: Mapping[str, Any]) -> bool:
    """A file as it is: said in words of 3.0, of 3.1, or not at all (OpenAPI 3.1, 4.8.14.1)."""
    schema = entry.get("schema", True)
    bare = {key: one for key, one in schema.items() if key not in PLAIN_WORDS} if isinstance(schema, Mapping) else {}
    return (schema is True or bare in FILES) and "itemSchema" not in entry


def normal(name: str) -> str:
    """A media type in the one form that is compared.

    >>> normal("Application/JSON; Version=1; charset=UTF-8")
    'application/json;version=1'
    """
    kind, *listed = (part.strip() for part in name.split(";"))
    kind = kind.lower()
    parameters = sorted(filter(None, map(_parameter, listed)))
    return ";".join([kind, *(one for one in parameters if _matters(kind, one))])


def _parameter(text: str) -> str:
    key, _, value = text.partition("=")
    value = value.strip().strip('"')
    key = key.strip().lower()
    return f"{key}={value.lower() if key == 'charset' else value}" if key else ""


def _matters(kind: str, parameter: str) -> bool:
    """JSON has no charset (RFC 8259, 11), UTF-8 is what everybody expects, and a boundary is new in each message."""
    key, _, value = parameter.partition("=")
    if key == "charset":
        return value not in {"utf-8", "utf8"} and not kind.endswith(("/json", "+json"))
    return key != "boundary"


def shown(names: Iterable[str]) -> list[str]:
    """As many as a finding names."""
    return sorted(names)[:SHOWN]


def covering(name: str, known: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The entry for a media type: its own, that without its parameters, or a range such as ``application/*``."""
    kind = name.partition(";")[0]
    for candidate in (name, kind, kind.partition("/")[0] + "/*", "*/*"):
        if candidate in known:
            return known[candidate]
    return None
