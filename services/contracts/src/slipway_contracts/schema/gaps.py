"""Where one schema accepts what another refuses."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Code(StrEnum):
    """What the narrower schema asks that the wider one does not. Rules are named after it."""

    TYPE = "type"
    ENUM = "enum"
    BOUND = "bound"
    MULTIPLE = "multiple-of"
    LENGTH = "length"
    PATTERN = "pattern"
    PATTERN_UNDECIDED = "pattern-undecided"
    FORMAT = "format"
    REQUIRED = "required"
    CLOSED = "closed"
    UNDECLARED = "undeclared-property"
    SILENT = "silently-closed"
    DROPPED = "property-dropped"
    ADDED = "property-added"
    PROPERTY_COUNT = "property-count"
    PROPERTY_NAMES = "property-names"
    DEPENDENT = "dependent-required"
    ITEM_COUNT = "item-count"
    UNIQUE = "unique-items"
    CONTAINS = "contains"
    UNION = "union"
    NOT = "not"
    CONDITION = "condition"
    FALSE = "nothing-accepted"
    UNDECIDED = "undecided"


MAX_GAPS = 100  # of one schema


def most_telling(found: "list[Gap]") -> "list[Gap]":
    """At most MAX_GAPS: those that decide before those that can't, and notices last."""
    if len(found) <= MAX_GAPS:
        return found
    return sorted(found, key=lambda gap: (gap.code in NOTICES, gap.code in OPEN, gap.code is Code.PATTERN))[:MAX_GAPS]


# Said without a value at hand that is refused: they decide nothing.
NOTICES = frozenset({Code.SILENT, Code.DROPPED, Code.ADDED})
# Where these rules can't tell.
OPEN = frozenset({Code.UNDECIDED, Code.PATTERN_UNDECIDED})


@dataclass(frozen=True, slots=True)
class Gap:
    """``wide`` stands in the schema that accepts more, ``narrow`` in the one that accepts less, at ``path``."""

    code: Code
    path: tuple[str | int, ...]
    wide: Any
    narrow: Any

    def under(self, *tokens: str | int) -> "Gap":
        return Gap(self.code, (*tokens, *self.path), self.wide, self.narrow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a schema is read where JSON Schema and practice differ.

    Attributes:
        undeclared: True: where additionalProperties says nothing, any further property may come (JSON Schema,
            Confluent's STRICT); False: nobody sends what is not declared (OpenAPI's practice, Confluent's LENIENT).
        defaults: a property that is required and has a default may be missing in older data.
        always_sent: what is required was in all data of before, whatever default it has: that it is no longer declared
            is missed by who reads it. (Of newer data: older data may lack what it never had.)
        exclusive: False: that a value fits two alternatives of a oneOf is nobody's concern, as in answers.
        texts: all values are written as texts, as in an address: a number is one, and null is not sent.
        ignore: properties with this mark are not there: ``readOnly`` in requests, ``writeOnly`` in responses.
    """

    undeclared: bool = True
    defaults: bool = False
    always_sent: bool = False
    exclusive: bool = True
    texts: bool = False
    ignore: str = ""


class Undecided(Exception):  # an answer, not an error: caught where the schema was opened
    """These rules can't tell; the text says why."""
