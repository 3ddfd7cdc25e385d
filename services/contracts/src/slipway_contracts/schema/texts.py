"""Values in an address: each is a text, and is read as what the reader takes."""

import json
import re
from dataclasses import replace
from typing import Any

from ..canonical import canonical
from .flattening import type_of
from .reading import Flat

WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
FLAGS = {"true", "false"}


def reread(flat: Flat, types: frozenset[str]) -> Flat:
    """Listed values that no alternative takes by their type, as the values that it reads in their text."""
    if flat.values is None or {type_of(one) for one in flat.values.values()} <= types:
        return flat
    values = [_read(one, types) for one in flat.values.values()]
    return replace(
        flat, values={canonical(one): one for one in values}, types=frozenset(type_of(one) for one in values)
    )


def _read(value: Any, types: frozenset[str]) -> Any:
    kind = type_of(value)
    if kind in types:
        return value
    if kind in {"integer", "boolean"} and "string" in types:
        return canonical(value)
    if isinstance(value, str):
        read = "integer" if WHOLE.fullmatch(value) else "boolean" if value in FLAGS else ""
        return json.loads(value) if read in types else value
    return value
