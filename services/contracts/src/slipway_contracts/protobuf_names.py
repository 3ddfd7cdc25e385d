"""Everything a set of protobuf files declares, by its full name."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

from .protobuf_features import Features, of_file, within


@dataclass
class Names:
    files: Iterable[FileDescriptorProto]
    messages: dict[str, DescriptorProto] = field(default_factory=dict)
    enums: dict[str, EnumDescriptorProto] = field(default_factory=dict)
    services: dict[str, ServiceDescriptorProto] = field(default_factory=dict)
    extensions: dict[str, FieldDescriptorProto] = field(default_factory=dict)
    features: dict[str, Features] = field(default_factory=dict)  # of messages and enums

    def __post_init__(self) -> None:
        for file in self.files:
            self._declared(file.package, file.message_type, file.enum_type, file.extension, of_file(file))
            self.services |= {_under(file.package, one.name): one for one in file.service}

    def _declared(
        self,
        scope: str,
        messages: Iterable[DescriptorProto],
        enums: Iterable[EnumDescriptorProto],
        extensions: Iterable[FieldDescriptorProto],
        features: Features,
    ) -> None:
        self.enums |= {_under(scope, one.name): one for one in enums}
        self.features |= {_under(scope, one.name): within(features, one.options) for one in (*enums, *messages)}
        self.extensions |= {_under(scope, one.name): one for one in extensions}
        for message in messages:
            name = _under(scope, message.name)
            self.messages[name] = message
            self._declared(name, message.nested_type, message.enum_type, message.extension, self.features[name])


def _under(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
