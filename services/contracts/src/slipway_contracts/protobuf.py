"""Protobuf: descriptor sets compared by the rules of ``buf breaking`` (FILE) that matter to callers.

buf judges the sources in CI; this judges what an image carries, where there is no buf. Rules have buf's names in
small letters. A field is known by its number: on the wire there is nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import DecodeError

from .errors import UnreadableContracts
from .findings import Finding, Severity, listed
from .protobuf_defaults import not_by_their_first, say_defaults
from .protobuf_features import Features, within
from .protobuf_names import Names

# Files of others that are carried along; they change by their own rules.
FOREIGN = ("google/", "buf/")
CURE = "Keep it, or publish the change in a package of the next version."


def compare_descriptors(old: bytes, new: bytes) -> list[Finding]:
    """``old`` and ``new`` are serialized FileDescriptorSets; what can't be read is a finding, not an error."""
    try:
        olds, news = (_files(FileDescriptorSet.FromString(content)) for content in (old, new))
    except DecodeError:
        return [_finding("protobuf-undecided", "", None, None, "The descriptors can't be read. Export them again.")]
    found: list[Finding] = []
    before, after = Names(olds.values()), Names(news.values())
    say_defaults(before, after)
    for path, file in olds.items():
        if path in news:
            found += _file(file, news[path])
        elif not any(one.package == file.package for one in news.values()):
            found.append(_gone("package-no-delete", file.package, f"The package {file.package}"))
    found += _named(before.messages, after.messages, "message-no-delete", "The message", _message)
    found += _named(before.enums, after.enums, "enum-no-delete", "The enum", _enum)
    for name in sorted(before.enums.keys() & after.enums.keys() - not_by_their_first(before, after)):
        found += _first_value(name, before.enums[name], after.enums[name])
    for name in before.features.keys() & after.features.keys():
        found += _behaviour(name, before, after)
    found += _named(before.extensions, after.extensions, "extension-no-delete", "The extension", _extension)
    found += _named(before.services, after.services, "service-no-delete", "The service", _service)
    return listed(found)


def require_descriptors(path: str, content: bytes) -> None:
    """Raises UnreadableContracts where it is no serialized FileDescriptorSet."""
    try:
        FileDescriptorSet.FromString(content)
    except DecodeError:
        raise UnreadableContracts(f"{path} is not a set of descriptors. Export them again") from None


def _files(descriptors: FileDescriptorSet) -> dict[str, FileDescriptorProto]:
    return {file.name: file for file in descriptors.file if not file.name.startswith(FOREIGN)}


def _finding(rule: str, place: str, before: Any, after: Any, sentence: str) -> Finding:
    undecided = rule.endswith("undecided")
    severity = Severity.WARNING if undecided else Severity.BREAKING
    return Finding(
        rule=rule, place=place, before=before, after=after, severity=severity, sentence=sentence, undecided=undecided
    )


def _gone(rule: str, place: str, what: str) -> Finding:
    return _finding(rule, place, place.rpartition(".")[2], None, f"{what} {place} is gone. {CURE}")


def _changed(rule: str, place: str, what: str, before: Any, after: Any) -> Finding:
    return _finding(rule, place, before, after, f"{place}: {what} was {before} and is {after}. {CURE}")


def _file(old: FileDescriptorProto, new: FileDescriptorProto) -> Iterator[Finding]:
    if old.package != new.package:
        yield _changed("file-same-package", old.name, "the package", old.package, new.package)
    syntaxes = [file.syntax or "proto2" for file in (old, new)]
    if syntaxes[0] != syntaxes[1] or old.edition != new.edition:
        yield _changed("file-same-syntax", old.name, "the syntax", *syntaxes)


def _named(
    olds: Mapping[str, Any], news: Mapping[str, Any], rule: str, what: str, compare: Callable[[str, Any, Any], Any]
) -> Iterator[Finding]:
    for name, old in olds.items():
        if name not in news:
            yield _gone(rule, name, what)
        else:
            yield from compare(name, old, news[name])


def _message(name: str, old: DescriptorProto, new: DescriptorProto) -> Iterator[Finding]:
    news = {field.number: field for field in new.field}
    for field in old.field:
        place = f"{name}.{field.name}"
        if field.number in news:
            yield from _field(place, old, field, new, news[field.number])
        else:
            yield _finding(
                "field-no-delete", place, f"{field.name} = {field.number}", None,
                f"{place} is gone. Keep it and mark it deprecated; if it must go, reserve {field.number} "
                f'and "{field.name}", in a package of the next version.',
            )  # fmt: skip
    kept = {one.name for one in new.oneof_decl}
    for number, oneof in enumerate(old.oneof_decl):
        synthetic = any(field.proto3_optional for field in old.field if _oneof_index(field) == number)
        if oneof.name not in kept and not synthetic:
            yield _gone("oneof-no-delete", f"{name}.{oneof.name}", "The oneof")
    yield from _reserved("reserved-message-no-delete", name, old, new)
    kept_ranges = [(one.start, one.end) for one in new.extension_range]
    for first, end in _missing([(one.start, one.end) for one in old.extension_range], kept_ranges):
        yield _gone("extension-message-no-delete", f"{name}.{_numbers(first, end)}", "The extension range")
    if old.options.message_set_wire_format != new.options.message_set_wire_format:
        yield _changed("message-same-message-set-wire-format", name, "message_set_wire_format",
                       old.options.message_set_wire_format, new.options.message_set_wire_format)  # fmt: skip
    for tag in sorted(_required(new).keys() - _required(old).keys()):
        if tag not in {field.number for field in old.field}:
            yield _finding("message-same-required-fields", name, None, _required(new)[tag],
                           f"{name}.{_required(new)[tag]} is new and required. Make it optional.")  # fmt: skip


BEHAVIOURS = {
    "message": (("json_format", "message-same-json-format", "the JSON format"),),
    "enum": (
        ("json_format", "enum-same-json-format", "the JSON format"),
        ("enum_type", "enum-same-type", "the enum"),
    ),
    "text": (("utf8_validation", "field-same-utf8-validation", "the check of UTF-8"),),
    "single": (("field_presence", "field-same-cardinality", "the presence"),),
    "nested": (("message_encoding", "field-same-type", "the encoding"),),
}


def _behaviour(name: str, before: Names, after: Names) -> Iterator[Finding]:
    """What files of another syntax or edition, or their features, change without a word at the field."""
    features = before.features[name], after.features[name]
    yield from _differing("enum" if name in before.enums else "message", name, *features)
    if name not in before.messages or name not in after.messages:
        return
    news = {field.number: field for field in after.messages[name].field}
    for old in before.messages[name].field:
        if old.number in news:
            new = news[old.number]
            own = _features_of(features[0], old), _features_of(features[1], new)
            for kind in [one for one in _kinds(old) if one in _kinds(new)]:
                yield from _differing(kind, f"{name}.{old.name}", *own)


def _features_of(outer: Features, field: FieldDescriptorProto) -> Features:
    """``optional`` of proto3 is the presence that editions call explicit."""
    own = within(outer, field.options)
    return {**own, "field_presence": "EXPLICIT"} if field.proto3_optional else own


def _kinds(field: FieldDescriptorProto) -> Iterator[str]:
    if field.type == FieldDescriptorProto.TYPE_STRING:
        yield "text"
    if field.type == FieldDescriptorProto.TYPE_MESSAGE:
        yield "nested"
    elif _single(field):
        yield "single"


def _single(field: FieldDescriptorProto) -> bool:
    """Neither in a list nor in a oneof, but in that which stands for ``optional``."""
    alone = field.proto3_optional or not field.HasField("oneof_index")
    return alone and field.label == FieldDescriptorProto.LABEL_OPTIONAL


def _differing(kind: str, place: str, old: Features, new: Features) -> Iterator[Finding]:
    for feature, rule, what in BEHAVIOURS[kind]:
        if old[feature] != new[feature] and not _loosened(feature, new[feature]):
            yield _changed(rule, place, what, old[feature], new[feature])


def _loosened(feature: str, value: str) -> bool:
    """What may be JSON is read as such, also where it had to be by luck before (buf's MESSAGE_SAME_JSON_FORMAT)."""
    return feature == "json_format" and value == "ALLOW"


def _required(message: DescriptorProto) -> dict[int, str]:
    return {f.number: f.name for f in message.field if f.label == FieldDescriptorProto.LABEL_REQUIRED}


def _field(
    place: str, old_in: DescriptorProto, old: FieldDescriptorProto, new_in: DescriptorProto, new: FieldDescriptorProto
) -> Iterator[Finding]:
    """The aspects that callers see: in generated code, on the wire and in JSON."""
    aspects: tuple[tuple[str, str, Any, Any], ...] = (
        ("field-same-name", "the name", old.name, new.name),
        ("field-same-json-name", "the name in JSON", old.json_name, new.json_name),
        ("field-same-type", "the type", _type(old), _type(new)),
        ("field-same-cardinality", "the cardinality", _cardinality(old_in, old), _cardinality(new_in, new)),
        ("field-same-oneof", "the oneof", _oneof(old_in, old), _oneof(new_in, new)),
        ("field-same-default", "the default", _default(old), _default(new)),
        ("field-same-jstype", "jstype", old.options.jstype, new.options.jstype),
    )
    for rule, what, before, after in aspects:
        if before != after:
            yield _changed(rule, place, what, before or "none", after or "none")


def _extension(name: str, old: FieldDescriptorProto, new: FieldDescriptorProto) -> Iterator[Finding]:
    """Like a field of the message that it extends."""
    for what, before, after in (("the message", old.extendee, new.extendee), ("the number", old.number, new.number)):
        if before != after:
            yield _changed("extension-no-delete", name, what, before, after)
    nowhere = DescriptorProto()
    yield from _field(name, nowhere, old, nowhere, new)


def _default(field: FieldDescriptorProto) -> str:
    """The one that is said; where it is what nothing said means anyway, none. (An enum's: see protobuf_defaults.)"""
    said = str(field.default_value)
    if field.type == FieldDescriptorProto.TYPE_BOOL:
        return "" if said == "false" else said
    textual = {FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES, FieldDescriptorProto.TYPE_ENUM}
    return "" if said == "0" and field.type not in textual else said


def _type(field: FieldDescriptorProto) -> str:
    """A group has other bytes than the message of its name."""
    kind = str(
        FieldDescriptorProto.Type.Name(field.type) if field.type in FieldDescriptorProto.Type.values() else field.type
    )
    if not field.type_name:
        return kind
    return f"group {field.type_name}" if field.type == FieldDescriptorProto.TYPE_GROUP else str(field.type_name)


def _cardinality(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    entry = field.type_name.rpartition(".")[2]
    if any(one.name == entry and one.options.map_entry for one in message.nested_type):
        return "map"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return "repeated"
    if field.label == FieldDescriptorProto.LABEL_REQUIRED:
        return "required"
    return "singular"


def _oneof_index(field: FieldDescriptorProto) -> int | None:
    return field.oneof_index if field.HasField("oneof_index") else None


def _oneof(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    """``optional`` of proto3 is a oneof of its own in descriptors; it is a presence, which a message has anyway."""
    number = _oneof_index(field)
    if number is None or field.proto3_optional:
        return ""
    return message.oneof_decl[number].name if number < len(message.oneof_decl) else f"oneof {number}"


def _enum(name: str, old: EnumDescriptorProto, new: EnumDescriptorProto) -> Iterator[Finding]:
    news: dict[int, set[str]] = {}
    for value in new.value:
        news.setdefault(value.number, set()).add(value.name)
    for value in old.value:
        place = f"{name}.{value.name}"
        if value.number not in news:
            yield _finding(
                "enum-value-no-delete", place, f"{value.name} = {value.number}", None,
                f"{place} is gone. Keep it and mark it deprecated.",
            )  # fmt: skip
        elif value.name not in news[value.number]:
            yield _changed("enum-value-same-name", place, f"value {value.number}", value.name, min(news[value.number]))
    yield from _reserved("reserved-enum-no-delete", name, old, new)


def _first_value(name: str, old: EnumDescriptorProto, new: EnumDescriptorProto) -> Iterator[Finding]:
    """What a closed enum's field means where it is left out (proto2, editions)."""
    if old.value and new.value and old.value[0].number != new.value[0].number:
        yield Finding(
            rule="enum-first-value-changed", place=name, before=old.value[0].name, after=new.value[0].name,
            severity=Severity.WARNING,
            sentence=f"{name}: the first value was {old.value[0].name} and is {new.value[0].name}; it is what a field "
            "of proto2 means that is left out. Keep the former value first.",
        )  # fmt: skip


def _reserved(rule: str, name: str, old: Any, new: Any) -> Iterator[Finding]:
    """What is reserved once was in use once: somebody may still send it."""
    last = 1 if isinstance(old, EnumDescriptorProto) else 0  # the end of an enum's range is in it
    ranges = [[(one.start, one.end + last) for one in side.reserved_range] for side in (old, new)]
    for first, end in _missing(*ranges):
        yield _gone(rule, f"{name}.{_numbers(first, end)}", "The reservation")
    for reserved in old.reserved_name:
        if reserved not in new.reserved_name:
            yield _gone(rule, f"{name}.{reserved}", "The reservation")


def _missing(olds: list[tuple[int, int]], news: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Numbers of the first ranges that are in none of the second; their ends are not in them.

    >>> list(_missing([(9, 12)], [(9, 10), (11, 12)]))
    [(10, 11)]
    """
    kept = sorted(news)
    for first, end in sorted(olds):
        start = first
        for low, high in kept:
            if start < low < end:
                yield start, low
            if low < end:
                start = max(start, high)
        if start < end:
            yield start, end


def _numbers(first: int, end: int) -> str:
    return str(first) if end - first == 1 else f"{first}..{end - 1}"


def _service(name: str, old: ServiceDescriptorProto, new: ServiceDescriptorProto) -> Iterator[Finding]:
    news = {method.name: method for method in new.method}
    for method in old.method:
        place = f"{name}.{method.name}"
        if method.name not in news:
            yield _gone("rpc-no-delete", place, "The method")
        else:
            yield from _method(place, method, news[method.name])


def _method(place: str, old: MethodDescriptorProto, new: MethodDescriptorProto) -> Iterator[Finding]:
    aspects = (
        ("rpc-same-request-type", "the request", old.input_type, new.input_type),
        ("rpc-same-response-type", "the answer", old.output_type, new.output_type),
        ("rpc-same-client-streaming", "streaming by the caller", old.client_streaming, new.client_streaming),
        ("rpc-same-server-streaming", "streaming by the server", old.server_streaming, new.server_streaming),
        ("rpc-same-idempotency-level", "the idempotency", old.options.idempotency_level, new.options.idempotency_level),
    )
    for rule, what, before, after in aspects:
        if before != after:
            yield _changed(rule, place, what, before, after)


def method_names(descriptors: bytes) -> set[str]:
    """``inventory.v1.InventoryService/Reserve`` and so on; empty for what can't be read."""
    try:
        names = Names(_files(FileDescriptorSet.FromString(descriptors)).values())
    except DecodeError:
        return set()
    return {f"{name}/{method.name}" for name, service in names.services.items() for method in service.method}


def packages(descriptors: bytes) -> set[str]:
    try:
        return {file.package for file in _files(FileDescriptorSet.FromString(descriptors)).values()}
    except DecodeError:
        return set()
