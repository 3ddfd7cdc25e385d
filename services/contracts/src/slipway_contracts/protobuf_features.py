"""What protobuf editions call features, of a file of any syntax: how a field or enum behaves without saying it."""

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import FeatureSet, FileDescriptorProto

ASPECTS = {
    "field_presence": FeatureSet.FieldPresence,
    "enum_type": FeatureSet.EnumType,
    "utf8_validation": FeatureSet.Utf8Validation,
    "json_format": FeatureSet.JsonFormat,
    "message_encoding": FeatureSet.MessageEncoding,
}
EDITIONS = {
    "field_presence": "EXPLICIT", "enum_type": "OPEN", "utf8_validation": "VERIFY", "json_format": "ALLOW",
    "message_encoding": "LENGTH_PREFIXED",
}  # fmt: skip
PROTO3 = {**EDITIONS, "field_presence": "IMPLICIT"}
PROTO2 = {**EDITIONS, "enum_type": "CLOSED", "utf8_validation": "NONE", "json_format": "LEGACY_BEST_EFFORT"}

Features = Mapping[str, str]


def of_file(file: FileDescriptorProto) -> Features:
    defaults = {"editions": EDITIONS, "proto3": PROTO3}.get(file.syntax, PROTO2)
    return within(defaults, file.options)


def within(outer: Features, options: Any) -> Features:
    """The features of what has these options, inside of something with the outer ones."""
    said = options.features
    own = {name: kind.Name(getattr(said, name)) for name, kind in ASPECTS.items() if said.HasField(name)}
    return {**outer, **own}
