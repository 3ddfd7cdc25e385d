"""References in a circle, outside or nowhere: unchanged they hold up no release, and recursion is compared."""

import json

import pytest

from slipway_contracts import Contracts, Kind, compare, judge
from slipway_contracts.bundle import pretty

TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
CIRCLE = {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}
HOPELESS = {
    "a circle": ({"$ref": "#/components/schemas/A"}, CIRCLE),
    "itself": ({"$ref": "#/components/schemas/A"}, {"A": {"$ref": "#/components/schemas/A"}}),
    "a circle of allOf": ({"$ref": "#/components/schemas/A"}, {"A": {"allOf": [{"$ref": "#/components/schemas/A"}]}}),
    "a circle within": ({"type": "object", "properties": {"x": {"$ref": "#/components/schemas/A"}}}, CIRCLE),
    "another file": ({"$ref": "other.json#/x"}, {}),
    "nowhere": ({"type": "array", "items": {"$ref": "#/components/schemas/Gone"}}, {}),
    "a type that nobody knows": ({"type": "money"}, {}),
}


def document(schema, components, *, note=TEXT, role="sent"):
    content = {"content": {"application/json": {"schema": schema}}}
    body = {"requestBody": content, "responses": {"200": {"description": "OK"}}}
    operation = body if role == "sent" else {"responses": {"200": {"description": "OK", **content}}}
    other = {"get": {"parameters": [{"name": "n", "in": "query", "schema": note}],
                     "responses": {"200": {"description": "OK"}}}}  # fmt: skip
    paths = {"/v1/things": {"post": operation}, "/v1/others": other}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths,
            "components": {"schemas": components}}  # fmt: skip


def gate(old, new):
    made = [Contracts("things", {"openapi.v1.json": pretty(one)}) for one in (old, new)]
    return judge(*made, {}, None)


@pytest.mark.parametrize("role", ["sent", "given"])
@pytest.mark.parametrize("name", HOPELESS)
def test_what_can_not_be_opened_and_is_unchanged_holds_up_no_release(name, role):
    schema, components = HOPELESS[name]
    old = document(schema, components, role=role)

    assert gate(old, json.loads(json.dumps(old))).message == "nothing changed"
    added = json.loads(json.dumps({**old, "paths": {**old["paths"], "/v1/new": old["paths"]["/v1/others"]}}))
    assert gate(old, added).result == "Passed"
    broken = document(schema, components, note=INTEGER, role=role)
    assert [one.rule for one in gate(old, broken).findings if one.severity == "breaking"] == ["parameter-type-narrowed"]


@pytest.mark.parametrize("name", ["a circle", "itself", "a circle of allOf", "a circle within"])
def test_a_circle_that_is_cut_or_made_is_undecided_at_most(name):
    schema, components = HOPELESS[name]
    whole, cut = document(schema, components), document(schema, {**components, "A": TEXT})

    for old, new in ((whole, cut), (cut, whole)):
        found = compare(old, new, Kind.OPENAPI)
        assert found
        assert all(one.undecided or one.severity == "breaking" for one in found)


@pytest.mark.parametrize("name", ["a circle", "itself", "nowhere"])
def test_an_event_with_a_circle_holds_up_no_release(name):
    schema, components = HOPELESS[name]
    old = {"type": "object", "properties": {"x": schema}, "components": {"schemas": components}}

    assert compare(old, json.loads(json.dumps(old)), Kind.EVENT) == []
    found = compare(old, {**old, "properties": {"x": schema, "y": TEXT}}, Kind.EVENT)
    assert not [one for one in found if one.undecided]


def tree(leaf, **more):
    node = {
        "type": "object",
        "properties": {
            "value": leaf,
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/N"}},
            **more,
        },
    }
    return document({"$ref": "#/components/schemas/N"}, {"N": node}, role="given")


def test_recursive_schemas_are_compared():
    assert gate(tree(TEXT), tree(TEXT, note=TEXT)).result == "Passed"
    assert [one.rule for one in compare(tree(TEXT), tree(INTEGER), Kind.OPENAPI)] == ["response-type-widened"]
    assert gate(tree(INTEGER), tree({"type": "number"})).result == "Failed"
