"""A document of others, checked once at the door: what Python's reader lets in and JSON, or these rules, do not."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from .findings import pointer

LARGEST = 10**300  # beyond about 10**308 there are whole numbers and no others
MAX_NESTING = 250  # levels of lists and objects


def parsed(content: bytes) -> Any:
    """Raises ValueError with a sentence's end: ", line 2, column 11: ..." or " at /a/b: ..."."""
    try:
        document = json.loads(content, parse_constant=_refused, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f", line {error.lineno}, column {error.colno}, is not JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f" is not JSON that can be read: nested more than {MAX_NESTING} deep") from None
    except UnicodeDecodeError:
        raise ValueError(" is not JSON: it is not written in UTF-8") from None
    except ValueError as error:
        raise ValueError(f" is not JSON: {error}") from None
    flaw = flaw_of(document)
    if flaw:
        raise ValueError(f" is not JSON that can be read: {flaw}")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers differ in which of two equal names they take (RFC 8259, 4), so nobody can tell what is promised."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"an object has the name {twice[:60]!r} twice")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def flaw_of(document: Any) -> str:
    """What no rule can work on, with its place; "": nothing."""
    left: list[tuple[Any, tuple[str | int, ...]]] = [(document, ())]
    while left:
        part, path = left.pop()
        flaw = _flaw(part, path)
        if flaw:
            return flaw
        if isinstance(part, Mapping):
            left += [(value, (*path, key)) for key, value in part.items()]
        elif isinstance(part, list):
            left += [(value, (*path, number)) for number, value in enumerate(part)]
    return ""


def _flaw(part: Any, path: tuple[str | int, ...]) -> str:
    if len(path) > MAX_NESTING:
        return f"nested more than {MAX_NESTING} deep"
    if (isinstance(part, float) and not math.isfinite(part)) or (isinstance(part, int) and abs(part) > LARGEST):
        return f"a number beyond all bounds at {pointer(*path)}"
    texts = [part] if isinstance(part, str) else part if isinstance(part, Mapping) else ()
    if any(_half(str(text)) for text in texts):
        return f"half of a surrogate pair at {_shown(path)}"
    return ""


def _half(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text)


def _shown(path: tuple[str | int, ...]) -> str:
    return pointer(*path).encode(errors="replace").decode() or "/"
