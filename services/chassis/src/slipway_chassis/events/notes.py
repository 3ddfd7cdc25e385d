"""The list in which an aggregate notes its events, seen by the unit of work.

A plain list is state outside of it: an event noted without a changed column would not be flushed, and SQLAlchemy may
let go of an aggregate that it believes unchanged.
"""

import weakref
from collections.abc import Iterable
from typing import Any, Self, SupportsIndex

from sqlalchemy.orm import attributes

from ..errors import TransactionRefused


class Notes(list[Any]):
    """A list; whatever is put into it marks its aggregate as changed."""

    def __init__(self, events: Iterable[Any] = (), *, of: object = None) -> None:
        super().__init__(events)
        self._aggregate = None if of is None else weakref.ref(of)

    def _noted(self) -> None:
        if self._aggregate is None:
            return
        aggregate = self._aggregate()
        if aggregate is None:
            raise TransactionRefused(
                "an event is noted on an aggregate that nobody holds any more, and would be lost: keep the object in a "
                "variable while it changes"
            )
        attributes.flag_dirty(aggregate)

    def append(self, event: Any) -> None:
        super().append(event)
        self._noted()

    def extend(self, events: Iterable[Any]) -> None:
        super().extend(events)
        self._noted()

    def insert(self, index: SupportsIndex, event: Any) -> None:
        super().insert(index, event)
        self._noted()

    def __iadd__(self, events: Iterable[Any]) -> Self:  # type: ignore[misc] # list takes less
        self.extend(events)
        return self

    def __setitem__(self, index: Any, events: Any) -> None:
        super().__setitem__(index, events)
        self._noted()

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (list(self),)  # a copy of the aggregate notes for itself
