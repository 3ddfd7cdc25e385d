"""Parts of two documents that are the same with their references followed, whatever their components are called."""

from collections.abc import Mapping
from typing import Any

from ..canonical import canonical
from ..schema import Undecided
from ..schema.likeness import written_alike
from .description import Description, Pair

# Words for people. Below these keys there are names, and any of them may be one of these words.
WORDS = {"description", "summary", "title", "example", "examples", "externalDocs", "tags", "operationId", "$comment"}
NAMED = {"properties", "patternProperties", "headers", "content", "responses", "paths", "parameters", "callbacks"}
MAX_DEPTH = 60


def same_reference(pair: Pair, old: Any, new: Any) -> bool:
    """Both refer to what says the same, or to the same place that can't be followed: nothing is known but its name."""
    references = [part.get("$ref") if isinstance(part, Mapping) else None for part in (old, new)]
    if not all(isinstance(one, str) for one in references) or references[0] != references[1]:
        return False
    return written_alike(pair.old.description.schemas, old, pair.new.description.schemas, new)


class Sameness:
    """Asked for parts that the rules do not read: callbacks and webhooks."""

    def __init__(self, old: Description, new: Description) -> None:
        self._sides = old.schemas, new.schemas
        self._assumed: dict[tuple[int, int], tuple[Any, Any]] = {}

    def __call__(self, old: Any, new: Any, depth: int = 0, *, named: bool = False) -> bool:
        if isinstance(old, list) and isinstance(new, list):
            return len(old) == len(new) and all(self(*both, depth + 1) for both in zip(old, new, strict=True))
        if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
            return canonical(old) == canonical(new)
        pair = id(old), id(new)
        if pair in self._assumed:
            return True
        self._assumed[pair] = old, new
        if depth > MAX_DEPTH:
            return False
        references = [part.get("$ref") for part in (old, new)]
        if all(isinstance(one, str) for one in references):
            return self._same_reference(str(references[0]), str(references[1]), depth)
        keys = [
            {key for key in part if named or (key not in WORDS and not key.startswith("x-"))} for part in (old, new)
        ]
        return keys[0] == keys[1] and all(
            self(old[key], new[key], depth + 1, named=not named and key in NAMED) for key in keys[0]
        )

    def _same_reference(self, old: str, new: str, depth: int) -> bool:
        outside = [side.leads_outside(one) for side, one in zip(self._sides, (old, new), strict=True)]
        if any(outside):
            return all(outside) and old == new
        try:
            return self(self._sides[0].resolve(old), self._sides[1].resolve(new), depth + 1)
        except Undecided:
            return False
