"""What those who compare parts of two schemas ask of the whole comparison, which is ``subsets``."""

from typing import Protocol

from .gaps import Gap, Reading
from .reading import Document, Schema


class Comparison(Protocol):
    """Of a schema in ``source`` with one in ``target``."""

    source: Document
    target: Document
    reading: Reading

    def gaps(self, source: Schema, target: Schema) -> list[Gap]:
        """Why ``target`` does not accept all that ``source`` accepts; empty: it does."""
        ...

    def accepts(self, source: Schema, target: Schema) -> bool:
        """Whether no gap decides against it."""
        ...

    def turned(self) -> "Comparison":
        """The other way round, for what stands under ``not``."""
        ...
