"""Parts of two documents that say the same word for word, with all they refer to: whatever that means, it is the same.

Asked where a part can't be opened: references that lead in a circle, outside, nowhere or too deep.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..canonical import canonical
from .gaps import Undecided
from .reading import Document, Schema
from .tags import component_reference

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def written_alike(one: Document, first: Schema, other: Document, second: Schema) -> bool:
    """``first`` is a part of the document ``one``, ``second`` of ``other``."""
    seen: set[str] = set()
    left = [(first, second)]
    while left:
        before, after = left.pop()
        if canonical(before) != canonical(after):
            return False
        for reference in set(_references(before)) - seen:
            seen.add(reference)
            pair = _target(one, reference), _target(other, reference)
            if (pair[0] is None) != (pair[1] is None):
                return False
            if pair[0] is not None:
                left.append(pair)
    return True


def _target(document: Document, reference: str) -> Schema | None:
    """None: of what lies there only the name is known."""
    try:
        return document.resolve(reference)
    except Undecided:
        return None


def _references(part: Any) -> Iterator[str]:
    left = [part]
    while left:
        one = left.pop()
        if isinstance(one, Mapping):
            yield from (one[key] for key in REFERENCES if isinstance(one.get(key), str))
            mapping = one.get("mapping")  # of a discriminator
            values = mapping.values() if isinstance(mapping, Mapping) else ()
            yield from (component_reference(value) for value in values if isinstance(value, str))
            left += one.values()
        elif isinstance(one, list):
            left += one
