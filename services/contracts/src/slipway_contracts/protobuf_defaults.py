"""What an enum's field means that is left out: its default where it says one, else the enum's first value."""

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from .protobuf_names import Names

Pair = tuple[FieldDescriptorProto, FieldDescriptorProto]


def say_defaults(before: Names, after: Names) -> None:
    """Writes the first value at fields that say no default, where their counterpart says one."""
    for old, new in _pairs(before, after):
        if bool(old.default_value) is not bool(new.default_value):
            for field, names in ((old, before), (new, after)):
                field.default_value = field.default_value or _first(names, field)


def not_by_their_first(before: Names, after: Names) -> set[str]:
    """Enums that fields have, all of which say their default: which value comes first means nothing to them."""
    said: dict[str, bool] = {}
    for old, new in _pairs(before, after):
        says = bool(old.default_value and new.default_value)
        said[_enum(old)] = said.get(_enum(old), True) and says
    return {name for name, always in said.items() if always}


def _pairs(before: Names, after: Names) -> Iterator[Pair]:
    """Single fields of one enum on both sides, and extensions."""
    for name in before.messages.keys() & after.messages.keys():
        news = {field.number: field for field in after.messages[name].field}
        pairs = ((old, news[old.number]) for old in before.messages[name].field if old.number in news)
        yield from (pair for pair in pairs if _single(*pair))
    for name in before.extensions.keys() & after.extensions.keys():
        if _single(before.extensions[name], after.extensions[name]):
            yield before.extensions[name], after.extensions[name]


def _single(*pair: FieldDescriptorProto) -> bool:
    repeated = FieldDescriptorProto.LABEL_REPEATED
    return all(one.type == FieldDescriptorProto.TYPE_ENUM and one.label != repeated for one in pair)


def _enum(field: FieldDescriptorProto) -> str:
    return str(field.type_name).removeprefix(".")


def _first(names: Names, field: FieldDescriptorProto) -> str:
    """Empty: the enum is declared elsewhere, and nobody knows its values here."""
    found = names.enums.get(_enum(field))
    return found.value[0].name if found is not None and found.value else ""
