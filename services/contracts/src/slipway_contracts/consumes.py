"""Who relies on whom: declared in ``[tool.slipway.consumes]`` of a service's pyproject.toml, and checked.

    [tool.slipway.consumes]
    events = [{service = "orders", type = "orders.OrderPaid.v1", fields = ["order_id"]}]
    calls = [
      {service = "orders", method = "GET", path = "/v1/orders/{id}", fields = ["status"]},
      {service = "inventory", grpc = "inventory.v1.InventoryService/Reserve"},
    ]

``fields`` are paths into the event or into the successful answer: ``items[].sku``. ``elsewhere = true`` says that the
service is none of those whose contracts are shown, such as one of another company: it is not missed.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DeclarationError

EXAMPLE_EVENT = '{service = "orders", type = "orders.OrderPaid.v1", fields = ["order_id"]}'
EXAMPLE_CALL = '{service = "orders", method = "GET", path = "/v1/orders/{id}", fields = ["status"]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadsEvent:
    consumer: str
    service: str
    type: str
    fields: tuple[str, ...] = ()
    elsewhere: bool = False

    def __str__(self) -> str:
        return f"{self.consumer} reads {self.type} of {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """An operation of HTTP (``method`` and ``path``)."""

    consumer: str
    service: str
    method: str
    path: str
    fields: tuple[str, ...] = ()
    elsewhere: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return re.sub(r"\{[^{}]*\}", "{}", self.path), self.method.lower()

    def __str__(self) -> str:
        return f"{self.consumer} calls {self.method} {self.path} of {self.service}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsGrpc:
    """``method`` with its service's full name: inventory.v1.InventoryService/Reserve."""

    consumer: str
    service: str
    method: str
    elsewhere: bool = False

    def __str__(self) -> str:
        return f"{self.consumer} calls {self.method} of {self.service}"


Declared = ReadsEvent | Calls | CallsGrpc


def consumes_of(pyproject: Path) -> dict[str, Any]:
    """The declaration as it is written, {} for none; DeclarationError if it can't be read."""
    try:
        project = tomllib.loads(pyproject.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DeclarationError(f"{pyproject} can't be read: {error}") from None
    found = project.get("tool", {}).get("slipway", {}).get("consumes", {})
    declared_of("it", found)
    return dict(found)


def declared_of(consumer: str, consumes: Mapping[str, Any]) -> list[Declared]:
    """DeclarationError names the entry that is wrong and shows a right one."""
    unknown = consumes.keys() - {"events", "calls"}
    if unknown:
        raise DeclarationError(f"consumes has {min(unknown)!r}; it may have events and calls")
    events = [_event(consumer, entry) for entry in _entries(consumes.get("events", []))]
    return [*events, *(_call(consumer, entry) for entry in _entries(consumes.get("calls", [])))]


def _entries(listed: Any) -> list[Mapping[str, Any]]:
    if not isinstance(listed, list) or not all(isinstance(entry, Mapping) for entry in listed):
        raise DeclarationError(f"events and calls of consumes are lists of tables: [{EXAMPLE_CALL}]")
    return listed


def _event(consumer: str, entry: Mapping[str, Any]) -> ReadsEvent:
    fields = _checked(entry, {"service", "type"}, EXAMPLE_EVENT)
    return ReadsEvent(
        consumer=consumer, service=entry["service"], type=entry["type"], fields=fields, elsewhere=_elsewhere(entry)
    )


def _call(consumer: str, entry: Mapping[str, Any]) -> Declared:
    if "grpc" in entry:
        _checked(entry, {"service", "grpc"}, '{service = "inventory", grpc = "inventory.v1.InventoryService/Reserve"}')
        return CallsGrpc(consumer=consumer, service=entry["service"], method=entry["grpc"], elsewhere=_elsewhere(entry))
    fields = _checked(entry, {"service", "method", "path"}, EXAMPLE_CALL)
    return Calls(
        consumer=consumer, service=entry["service"], method=entry["method"].upper(), path=entry["path"],
        fields=fields, elsewhere=_elsewhere(entry),
    )  # fmt: skip


def _elsewhere(entry: Mapping[str, Any]) -> bool:
    return entry.get("elsewhere", False) is True


def _checked(entry: Mapping[str, Any], names: set[str], example: str) -> tuple[str, ...]:
    """Returns the fields."""
    fields = entry.get("fields", [])
    right = entry.keys() - {"fields", "elsewhere"} == names and all(isinstance(entry[name], str) for name in names)
    right = right and isinstance(entry.get("elsewhere", False), bool)
    if not right or not isinstance(fields, list) or not all(isinstance(name, str) for name in fields):
        raise DeclarationError(f"consumes has {dict(entry)!r}; an entry looks like {example}")
    return tuple(fields)
