"""Documents within a document: a schema that has an address of its own, from which references within it lead.

Bundled schemas are written so (JSON Schema 2020-12, 9.3). In a copy of the document every such address and every
reference below it is written in full; after that a reference means the same wherever it stands.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urljoin

from .keywords import OLD_DRAFT

REFERENCES = ("$ref", "$dynamicRef")
DATA = {"const", "enum", "default", "example", "examples"}
MAX_DEPTH = 200


def with_full_addresses(document: Any) -> Any:
    """The document itself where nothing in it depends on where it stands."""
    if not isinstance(document, Mapping):
        return document
    key = _address_key(document)
    return _written(document, key, (_own(document, key), document), 0) if _within(document, key) else document


def _address_key(document: Mapping[str, Any]) -> str:
    """Draft 4 says ``id``, which is a word like any other from draft 6 on."""
    draft = OLD_DRAFT.search(str(document.get("$schema", "")))
    if draft:
        return "id" if draft[0].endswith(("03/", "04/")) else "$id"
    foreign = any(key in document for key in ("openapi", "asyncapi", "$id", "$schema"))
    return "id" if isinstance(document.get("id"), str) and not foreign else "$id"


def _own(part: Mapping[str, Any], key: str) -> str:
    found = part.get(key)
    return found if isinstance(found, str) and not found.startswith("#") else ""


def _within(document: Mapping[str, Any], key: str) -> bool:
    """Whether a schema below the document's root has an address, or a reference is relative to the root's."""
    rooted = bool(_own(document, key))
    left: list[Any] = [document]
    while left:
        part = left.pop()
        if isinstance(part, Mapping):
            if part is not document and _own(part, key):
                return True
            reference = part.get("$ref")
            if rooted and isinstance(reference, str) and not reference.startswith("#"):
                return True
            left += [value for name, value in part.items() if name not in DATA]
        elif isinstance(part, list):
            left += part
    return False


def _written(part: Any, key: str, resource: tuple[str, Any], depth: int) -> Any:
    """``resource``: the address of the schema that references are relative to, and that schema."""
    if depth > MAX_DEPTH:
        return part
    if isinstance(part, list):
        return [_written(one, key, resource, depth + 1) for one in part]
    if not isinstance(part, Mapping):
        return part
    own = _own(part, key)
    if own:
        resource = _joined(resource[0], own), part
    found = {
        name: value if name in DATA and not isinstance(value, Mapping) else _written(value, key, resource, depth + 1)
        for name, value in part.items()
    }
    if isinstance(part.get(key), str):
        found["$id"] = resource[0] if own else part[key]
    for name in REFERENCES:
        if isinstance(part.get(name), str):
            found[name] = _full(part[name], *resource)
    return found


def _full(reference: str, base: str, resource: Any) -> str:
    """Unchanged where it means nothing within the resource: some write ``$id`` as a name, and mean the document."""
    if not reference.startswith("#"):
        return _joined(base, reference)
    return base.partition("#")[0] + reference if _leads(reference[1:], resource) else reference


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:  # an address that is none: only its text is known
        return reference


def _leads(fragment: str, part: Any) -> bool:
    if fragment and not fragment.startswith("/"):
        return False  # an anchor has a name of its own in the whole document
    try:
        pointed_at(part, fragment)
    except LookupError:
        return False
    return True


def pointed_at(part: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to, as it stands in an address; LookupError: nowhere."""
    for token in pointer.split("/")[1:]:
        name = unquote(token).replace("~1", "/").replace("~0", "~")
        if isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        elif isinstance(part, Mapping) and name in part:
            part = part[name]
        else:
            raise LookupError(pointer)
    return part
