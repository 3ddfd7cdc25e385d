"""What a service consumes: topics, and a handler for each type of event it cares about.

>>> from dataclasses import dataclass
>>> from slipway_chassis.events.sources import Source
>>> @dataclass(frozen=True)
... class OrderPlaced:
...     order_id: str
>>> orders = Source("orders.order.v1", strict=True)
>>> @orders.on("orders.OrderPlaced.v1")
... def remember(session, event: OrderPlaced) -> None:
...     session.execute(...)
>>> sorted(orders.reactions)
['orders.OrderPlaced.v1']
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from ..errors import ConfigurationError, UnknownEventVersion
from .stream import Envelope, name_and_version

WITH_ENVELOPE = 3  # parameters

HandlerT = TypeVar("HandlerT", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a service does about one type of event: the class that reads it and the handler, which gets
    (session, event, envelope) and works in the transaction that also remembers the event.
    """

    event: type
    handler: Callable[[Any, Any, Envelope], None]


class Source:
    """A topic of another service. On a ``strict`` one the events of an aggregate are applied in order or not
    at all: when one becomes a dead letter, those after it follow, until they are replayed.
    """

    def __init__(self, topic: str, *, strict: bool = False) -> None:
        self.topic = topic
        self.strict = strict
        self.reactions: dict[str, Reaction] = {}
        self._names: set[str] = set()
        self._passed_over: set[str] = set()

    def on(self, kind: str) -> Callable[[HandlerT], HandlerT]:
        """Registers the handler of one type of event. Its second parameter's annotation is the class that
        reads the event: with the fields this service needs; it may take the ``Envelope`` as a third.
        """
        name, separator, version = kind.rpartition(".v")
        if not separator or not version.isdecimal():
            raise ConfigurationError(f"{kind!r} must end in its version, for example orders.OrderPlaced.v1")

        def register(handler: HandlerT) -> HandlerT:
            parameters = list(inspect.signature(handler).parameters)
            event = get_type_hints(handler).get(parameters[1]) if len(parameters) > 1 else None
            if not inspect.isclass(event):
                raise ConfigurationError(f"{handler.__name__} must say what it reads: (session, event: SomeEvent)")
            takes_envelope = len(parameters) == WITH_ENVELOPE
            self.reactions[kind] = Reaction(event, handler if takes_envelope else _without_envelope(handler))
            self._names.add(name)
            return handler

        return register

    def passes_over(self, *kinds: str) -> "Source":
        """Types of events whose change this service hears of otherwise: versions beside the one it reads, of a producer
        that does not mark them (see ``Stream``). Returns the source.
        """
        if read_here := self.reactions.keys() & set(kinds):
            raise ConfigurationError(f"{min(read_here)} has a handler here, and can't be passed over as well")
        self._passed_over.update(kinds)
        return self

    def reaction_to(self, kind: str, accompanies: str = "") -> Reaction | None:
        """The reaction; None for types nobody here asked for, and for those that accompany a version which is known
        here, the newest of them alone being applied; UnknownEventVersion where only the version is new: passing it
        over would lose it without a word.
        """
        reaction = self.reactions.get(kind)
        if accompanies:
            known = [one for one in (kind, *accompanies.split(",")) if one in self.reactions]
            if known and max(known, key=_version) != kind:
                return None
        if reaction is None and kind not in self._passed_over and kind.rpartition(".v")[0] in self._names:
            known_here = ", ".join(sorted(self.reactions))
            raise UnknownEventVersion(f"the version of {kind} is not known here ({known_here})")
        return reaction


def _version(kind: str) -> int:
    version = name_and_version(kind)[1]
    return int(version) if version.isdecimal() else 0


def _without_envelope(handler: Callable[..., None]) -> Callable[[Any, Any, Envelope], None]:
    def call(session: Any, event: Any, _envelope: Envelope) -> None:
        handler(session, event)

    return call
