"""The table of event rules, after Confluent's for JSON Schema: one change, judged backward and forward."""

import pytest

from slipway_contracts import LENIENT, STRICT, Kind, Mode, breaking, compare, compare_transitively

TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}
EMPTY = {"type": "object"}


def open_(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


def closed(required=(), **properties):
    return {**open_(required, **properties), "additionalProperties": False}


def partly(**properties):
    return {**open_(**properties), "additionalProperties": TEXT}


# What changed, before, after; whether that is compatible backward and forward (STRICT), then both LENIENT.
CHANGES = [
    ("nothing", open_(a=TEXT), open_(a=TEXT), "yyyy"),
    ("words", {**TEXT, "title": "a"}, {**TEXT, "description": "b", "default": ""}, "yyyy"),
    ("another $id", {**TEXT, "$id": "a"}, {**TEXT, "$id": "b"}, "yyyy"),
    ("optional, to an open one", open_(), open_(a=TEXT), "nyyy"),
    ("of any kind, to an open one", open_(), open_(a={}), "yyyy"),
    ("optional, to a closed one", closed(), closed(a=TEXT), "ynyn"),
    ("required, to an open one", open_(), open_(["a"], a=TEXT), "nyny"),
    ("required, to a closed one", closed(), closed(["a"], a=TEXT), "nnnn"),
    ("required with a default, to an open one", open_(), open_(["a"], a={**TEXT, "default": ""}), "nyyy"),
    ("required with a default, to a closed one", closed(), closed(["a"], a={**TEXT, "default": ""}), "ynyn"),
    ("taken from an open one", open_(a=TEXT), open_(), "ynyy"),
    ("taken from a closed one", closed(a=TEXT), closed(), "nyny"),
    ("required, taken from a closed one", closed(["a"], a=TEXT), closed(), "nnnn"),
    ("false, taken from a closed one", closed(a=False), closed(), "yyyy"),
    ("to a partly open one, covered", partly(), partly(a=TEXT), "yyyy"),
    ("to a partly open one, not covered", partly(), partly(a=INTEGER), "nnnn"),
    ("from a partly open one, covered", partly(a=TEXT), partly(), "yyyy"),
    ("becomes required", open_(a=TEXT), open_(["a"], a=TEXT), "nyny"),
    ("becomes required, with a default", open_(a=TEXT), open_(["a"], a={**TEXT, "default": ""}), "yyyy"),
    ("becomes optional", open_(["a"], a=TEXT), open_(a=TEXT), "ynyn"),
    ("is closed", open_(a=TEXT), closed(a=TEXT), "nyyy"),
    ("is opened", closed(a=TEXT), open_(a=TEXT), "ynyy"),
    ("has other values", {**EMPTY, "additionalProperties": INTEGER}, {**EMPTY, "additionalProperties": NUMBER}, "ynyn"),
    ("a pattern of names", {**EMPTY, "patternProperties": {"^a": INTEGER}},
     {**EMPTY, "patternProperties": {"^a": NUMBER}}, "ynyn"),
    ("integer becomes number", INTEGER, NUMBER, "ynyn"),
    ("text becomes number", TEXT, NUMBER, "nnnn"),
    ("a type is dropped", TEXT, {}, "ynyn"),
    ("a list of types grows", {"type": ["string"]}, {"type": ["string", "null"]}, "ynyn"),
    ("an enum grows", {"enum": ["a"]}, {"enum": ["a", "b"]}, "ynyn"),
    ("an enum shrinks", {"enum": ["a", "b"]}, {"enum": ["a"]}, "nyny"),
    ("an enum changes", {"enum": ["a", "b"]}, {"enum": ["a", "c"]}, "nnnn"),
    ("a maximum rises", {**NUMBER, "maximum": 1}, {**NUMBER, "maximum": 2}, "ynyn"),
    ("an exclusive minimum is set", NUMBER, {**NUMBER, "exclusiveMinimum": 2}, "nyny"),
    ("a divisor", {**NUMBER, "multipleOf": 10}, {**NUMBER, "multipleOf": 5}, "ynyn"),
    ("a multiple", {**NUMBER, "multipleOf": 5}, {**NUMBER, "multipleOf": 10}, "nyny"),
    ("neither", {**NUMBER, "multipleOf": 5}, {**NUMBER, "multipleOf": 7}, "nnnn"),
    ("maxLength falls", {**TEXT, "maxLength": 2}, {**TEXT, "maxLength": 1}, "nyny"),
    ("a pattern changes", {**TEXT, "pattern": "^a"}, {**TEXT, "pattern": "^b"}, "nnnn"),
    ("a pattern goes", {**TEXT, "pattern": "^a"}, TEXT, "ynyn"),
    ("maxItems is set", {"type": "array"}, {"type": "array", "maxItems": 3}, "nyny"),
    ("a place in a closed tuple", {"type": "array", "prefixItems": [TEXT], "items": False},
     {"type": "array", "prefixItems": [TEXT, TEXT], "items": False}, "ynyn"),
    ("draft 7's tuple", {"type": "array", "items": [TEXT], "additionalItems": False},
     {"type": "array", "items": [TEXT, TEXT], "additionalItems": False}, "ynyn"),
    ("items are unique", {"type": "array", "uniqueItems": True}, {"type": "array"}, "ynyn"),
    ("a sum grows", {"oneOf": [TEXT, INTEGER]}, {"oneOf": [TEXT, INTEGER, {"type": "boolean"}]}, "ynyn"),
    ("a product shrinks", {"allOf": [{"minLength": 1}, {"maxLength": 9}]}, {"allOf": [{"minLength": 1}]}, "ynyn"),
    ("one becomes a sum", TEXT, {"anyOf": [TEXT, INTEGER]}, "ynyn"),
    ("a negation shrinks", {"not": NUMBER}, {"not": INTEGER}, "ynyn"),
    ("dependencies grow", {**EMPTY, "dependentRequired": {"a": ["b"]}},
     {**EMPTY, "dependentRequired": {"a": ["b", "c"]}}, "nyyy"),
    ("draft 7's dependencies go", {**closed(a=TEXT, b=TEXT), "dependencies": {"a": ["b"]}}, closed(a=TEXT, b=TEXT),
     "ynyn"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "verdicts"), [c[1:] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_who_understands_whom(old, new, verdicts):
    asked = [(mode, reading) for reading in (STRICT, LENIENT) for mode in (Mode.BACKWARD, Mode.FORWARD)]
    found = [compare(old, new, Kind.EVENT, mode, reading=reading) for mode, reading in asked]

    assert "".join("n" if breaking(one) else "y" for one in found) == verdicts


def test_full_is_both():
    old, new = closed(a=TEXT), closed(a=TEXT, b=TEXT)

    assert not breaking(compare(old, new, Kind.EVENT, Mode.BACKWARD))
    assert breaking(compare(old, new, Kind.EVENT, Mode.FULL)) == breaking(compare(old, new, Kind.EVENT, Mode.FORWARD))


def test_transitively_every_earlier_version_counts():
    """The last version dropped what the newest one wants again: only the one before it shows that."""
    first, second, third = closed(a=INTEGER), closed(), closed(a=TEXT)
    assert not breaking(compare(second, third, Kind.EVENT, Mode.BACKWARD))

    found = breaking(compare_transitively({"v1.0": first, "v1.1": second}, third, Mode.BACKWARD))

    assert [(one.rule, one.place) for one in found] == [("event-type-narrowed", "/properties/a")]
    assert "compared with v1.0" in found[0].sentence


def stream(messages, topic="parcels.parcel.v1", key="parcel id"):
    """``key``: its title, or its schema."""
    bindings = {"kafka": {"key": {"type": "string", "title": key} if isinstance(key, str) else key}}
    named = {
        name: {"payload": schema, "contentType": "application/json", "bindings": bindings}
        for name, schema in messages.items()
    }
    return {
        "asyncapi": "3.0.0",
        "channels": {topic: {"address": topic,
         "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in named}}},
        "operations": {"send": {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}}},
        "components": {"messages": named},
    }  # fmt: skip


STREAMS = [
    ("the topic is gone", stream({"A": TEXT}), stream({"A": TEXT}, topic="other"), "channel-removed"),
    ("a message is gone", stream({"A": TEXT, "B": TEXT}), stream({"A": TEXT}), "message-removed"),
    ("a message is new", stream({"A": TEXT}), stream({"A": TEXT, "B": TEXT}), ""),
    ("another key", stream({"A": TEXT}), stream({"A": TEXT}, key="sender"), "message-key-changed"),
    ("any key, written otherwise", stream({"A": TEXT}, key=True), stream({"A": TEXT}, key={}), ""),
    ("any key, as before", stream({"A": TEXT}, key={}), stream({"A": TEXT}, key=True), ""),
    ("any key after a text", stream({"A": TEXT}), stream({"A": TEXT}, key=True), "message-key-changed"),
    ("a text after any key", stream({"A": TEXT}, key=True), stream({"A": TEXT}), ""),
    ("another payload", stream({"A": INTEGER}), stream({"A": NUMBER}), "event-type-widened"),
    ("nothing", stream({"A": TEXT}), stream({"A": TEXT}), ""),
]


@pytest.mark.parametrize(("old", "new", "rule"), [c[1:] for c in STREAMS], ids=[c[0] for c in STREAMS])
def test_what_a_service_writes_to_its_topics(old, new, rule):
    assert [one.rule for one in breaking(compare(old, new, Kind.ASYNCAPI))] == ([rule] if rule else [])


def test_what_a_service_reads_is_its_own_affair():
    old = stream({"A": TEXT})
    for operation in old["operations"].values():
        operation["action"] = "receive"

    assert compare(old, {"asyncapi": "3.0.0"}, Kind.ASYNCAPI) == []
