"""What a lesson asserts of its two runs beside the harm: relations of one with the other."""

from pydantic import Field, field_validator

from ..errors import LessonUnreadable
from .relations import Relation, read_relation
from .texts import Declared


class Judged(Declared):
    """``holds``: relations as ``relations`` reads them."""

    holds: tuple[str, ...] = Field((), max_length=10)

    @field_validator("holds")
    @classmethod
    def _readable(cls, holds: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for relation in holds:
                read_relation(relation)
        except LessonUnreadable as error:
            raise ValueError(str(error)) from None
        return holds

    @property
    def relations(self) -> tuple[Relation, ...]:
        return tuple(map(read_relation, self.holds))
