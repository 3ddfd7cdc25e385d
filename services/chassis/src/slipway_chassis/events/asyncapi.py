"""The events a service sends and receives, as AsyncAPI 3.0 and as one JSON Schema per type.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class ParcelSent:
...     parcel_id: int
>>> event_schema("parcels.ParcelSent.v1", ParcelSent, mode="serialization")["properties"]
{'parcel_id': {'title': 'Parcel Id', 'type': 'integer'}}
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from ..serialization import SentSchema
from .sources import Source
from .stream import Stream

ACCOMPANIES = "x-accompanies"  # of a message: other versions of it that are sent for each change as well
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def event_schema(kind: str, event: type[Any], *, mode: JsonSchemaMode) -> dict[str, Any]:
    """The JSON Schema of an event's value. ``mode``: "serialization" as sent, "validation" as read."""
    return {"$schema": DRAFT, "$id": kind} | TypeAdapter(event).json_schema(mode=mode, schema_generator=SentSchema)


def asyncapi(service: str, version: str, *, publishes: Iterable[Stream], consumes: Iterable[Source]) -> dict[str, Any]:
    """The document; ``send`` and ``receive`` are seen from the service."""
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {"title": service, "version": version},
        "defaultContentType": "application/json",
        "channels": {},
        "operations": {},
        "components": {"messages": {}},
    }
    for stream in publishes:
        key = {"type": "string", "title": f"{stream.aggregate} id"}
        _add(document, "send", stream.topic, stream.events, "serialization", key=key)
        for kind, others in stream.companions().items():
            document["components"]["messages"][kind][ACCOMPANIES] = others.split(",")
    for source in consumes:
        events = {kind: reaction.event for kind, reaction in source.reactions.items()}
        _add(document, "receive", source.topic, events, "validation")
    return document


def _add(
    document: dict[str, Any],
    action: str,
    topic: str,
    events: Mapping[str, type[Any]],
    mode: JsonSchemaMode,
    *,
    key: Mapping[str, Any] | None = None,
) -> None:
    names = sorted(events)
    document["channels"][topic] = {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
    }
    document["operations"][f"{action} {topic}"] = {
        "action": action,
        "channel": {"$ref": f"#/channels/{topic}"},
        "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in names],
    }
    for name in names:
        document["components"]["messages"][name] = {
            "name": name,
            "contentType": "application/json",
            "headers": _HEADERS,
            **({"bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}}} if key else {}),
            "payload": {
                "schemaFormat": "application/schema+json;version=draft-2020-12",
                "schema": event_schema(name, events[name], mode=mode),
            },
        }


_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka's binary mode",
    "required": ["ce_id", "ce_type", "ce_source", "ce_time", "ce_aggregateversion"],
    "properties": {
        name: {"type": "string"}
        for name in ("ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_aggregateversion", "traceparent")
    },
}
