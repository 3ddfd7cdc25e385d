"""Pydantic's readers of plain dataclasses, so that the domain needs no pydantic."""

from typing import Any

from pydantic import TypeAdapter

_readers: dict[type[Any], TypeAdapter[Any]] = {}


def reader(kind: type[Any]) -> TypeAdapter[Any]:
    """Built once for each kind: that takes longer than reading."""
    found = _readers.get(kind)
    if found is None:
        found = _readers[kind] = TypeAdapter(kind)
    return found
