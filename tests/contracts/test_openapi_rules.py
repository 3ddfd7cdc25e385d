"""The table of OpenAPI rules: one change each, as a request and as an answer (after oasdiff's checks)."""

import copy

import pytest

from slipway_contracts import Kind, Severity, compare

TEXT, NUMBER, INTEGER = {"type": "string"}, {"type": "number"}, {"type": "integer"}
LIST = {"type": "array", "items": TEXT}


def thing(**properties):
    return {"type": "object", "properties": properties}


def closed(**properties):
    return {**thing(**properties), "additionalProperties": False}


def need(schema, *names):
    return {**schema, "required": list(names)}


def either(*schemas):
    return {"anyOf": list(schemas)}


def kind(name, **properties):
    return need(thing(kind={"const": name}, **properties), "kind")


# What changed, the schema before and after; then the rule it breaks as a request's body, and as an answer's.
# "-": nothing that matters; "~rule": a warning.
CHANGES = [
    ("integer becomes number", INTEGER, NUMBER, "-", "response-type-widened"),
    ("number becomes integer", NUMBER, INTEGER, "request-type-narrowed", "-"),
    ("text becomes number", TEXT, NUMBER, "request-type-narrowed", "response-type-widened"),
    ("may be null", TEXT, {"type": ["string", "null"]}, "-", "response-type-widened"),
    ("may be null, in 3.0", TEXT, {"type": "string", "nullable": True}, "-", "response-type-widened"),
    ("may be null, as pydantic says it", TEXT, either(TEXT, {"type": "null"}), "-", "response-type-widened"),
    ("is never null again", either(TEXT, {"type": "null"}), TEXT, "request-type-narrowed", "-"),
    ("a list of types grows", {"type": ["string"]}, {"type": ["string", "integer"]}, "-", "response-type-widened"),
    ("a type is dropped", TEXT, {}, "-", "response-type-widened"),
    ("a type is said", {}, TEXT, "request-type-narrowed", "-"),
    ("an enum loses a value", {"enum": ["a", "b"]}, {"enum": ["a"]}, "request-enum-narrowed", "-"),
    ("an enum gains a value", {"enum": ["a"]}, {"enum": ["a", "b"]}, "-", "response-enum-widened"),
    ("text becomes an enum", TEXT, {"type": "string", "enum": ["a"]}, "request-enum-narrowed", "-"),
    ("an enum becomes text", {"type": "string", "enum": ["a"]}, TEXT, "-", "response-enum-widened"),
    ("a const changes", {"const": 1}, {"const": 2}, "request-enum-narrowed", "response-enum-widened"),
    ("a const becomes an enum", {"const": "a"}, {"enum": ["a", "b"]}, "-", "response-enum-widened"),
    ("an enum is reordered", {"enum": ["a", "b"]}, {"enum": ["b", "a"]}, "-", "-"),
    ("minimum rises", {**INTEGER, "minimum": 1}, {**INTEGER, "minimum": 2}, "request-bound-narrowed", "-"),
    ("minimum falls", {**INTEGER, "minimum": 2}, {**INTEGER, "minimum": 1}, "-", "response-bound-widened"),
    ("a maximum is set", INTEGER, {**INTEGER, "maximum": 9}, "request-bound-narrowed", "-"),
    ("a maximum goes", {**INTEGER, "maximum": 9}, INTEGER, "-", "response-bound-widened"),
    ("a bound becomes exclusive", {**NUMBER, "minimum": 1}, {**NUMBER, "exclusiveMinimum": 1},
     "request-bound-narrowed", "-"),
    ("the same bound, said otherwise", {**INTEGER, "minimum": 1}, {**INTEGER, "exclusiveMinimum": 0}, "-", "-"),
    ("3.0's exclusive bound", {**NUMBER, "minimum": 1, "exclusiveMinimum": True}, {**NUMBER, "exclusiveMinimum": 1},
     "-", "-"),
    ("a finer step", {**INTEGER, "multipleOf": 10}, {**INTEGER, "multipleOf": 5}, "-", "response-multiple-of-widened"),
    ("a coarser step", {**INTEGER, "multipleOf": 5}, {**INTEGER, "multipleOf": 10}, "request-multiple-of-narrowed",
     "-"),
    ("maxLength falls", {**TEXT, "maxLength": 9}, {**TEXT, "maxLength": 8}, "request-length-narrowed", "-"),
    ("maxLength is set", TEXT, {**TEXT, "maxLength": 8}, "request-length-narrowed", "-"),
    ("maxLength goes", {**TEXT, "maxLength": 8}, TEXT, "-", "response-length-widened"),
    ("minLength rises", {**TEXT, "minLength": 1}, {**TEXT, "minLength": 2}, "request-length-narrowed", "-"),
    ("a pattern is set", TEXT, {**TEXT, "pattern": "^a"}, "request-pattern-narrowed", "-"),
    ("a pattern goes", {**TEXT, "pattern": "^a"}, TEXT, "-", "~response-pattern-widened"),
    ("a pattern accepts all", {**TEXT, "pattern": "^a"}, {**TEXT, "pattern": ".*"}, "-", "~response-pattern-widened"),
    ("int64 becomes int32", {**INTEGER, "format": "int64"}, {**INTEGER, "format": "int32"}, "request-format-narrowed",
     "-"),
    ("date-time becomes date", {**TEXT, "format": "date-time"}, {**TEXT, "format": "date"}, "request-format-narrowed",
     "response-format-widened"),
    ("base64 becomes plain", {**TEXT, "contentEncoding": "base64"}, TEXT, "-", "response-format-widened"),
    ("maxItems falls", {"type": "array", "maxItems": 9}, {"type": "array", "maxItems": 8},
     "request-item-count-narrowed", "-"),
    ("minItems falls", {"type": "array", "minItems": 9}, {"type": "array", "minItems": 8}, "-",
     "response-item-count-widened"),
    ("items must be unique", {"type": "array"}, {"type": "array", "uniqueItems": True},
     "request-unique-items-narrowed", "-"),
    ("items are of another type", {"type": "array", "items": INTEGER}, {"type": "array", "items": NUMBER}, "-",
     "response-type-widened"),
    ("a tuple grows", {"type": "array", "prefixItems": [TEXT]}, {"type": "array", "prefixItems": [TEXT, TEXT]},
     "request-type-narrowed", "-"),
    ("must contain something", {"type": "array"}, {"type": "array", "contains": TEXT}, "request-contains-narrowed",
     "-"),
    ("may contain less of it", {"type": "array", "contains": TEXT, "minContains": 2},
     {"type": "array", "contains": TEXT}, "-", "response-contains-widened"),
    ("an optional property is added", thing(), thing(a=TEXT), "-", "-"),
    ("an optional property is no longer declared", thing(a=TEXT), thing(), "~request-property-dropped",
     "~response-property-dropped"),
    ("a required property is added", thing(), need(thing(a=TEXT), "a"), "request-required-narrowed", "-"),
    ("a required property is removed", need(thing(a=TEXT), "a"), thing(), "~request-property-dropped",
     "response-required-widened"),
    ("becomes required", thing(a=TEXT), need(thing(a=TEXT), "a"), "request-required-narrowed", "-"),
    ("becomes required, with a default", thing(a=TEXT), need(thing(a={**TEXT, "default": ""}), "a"),
     "request-required-narrowed", "-"),
    ("becomes optional", need(thing(a=TEXT), "a"), thing(a=TEXT), "-", "response-required-widened"),
    ("a property goes from a closed object", closed(a=TEXT), closed(), "request-closed-narrowed", "-"),
    ("a property comes to a closed object", closed(), closed(a=TEXT), "-", "response-closed-widened"),
    ("an open map is closed", {"type": "object", "additionalProperties": True}, closed(), "request-closed-narrowed",
     "-"),
    ("a silent object is closed", thing(), closed(), "~request-silently-closed", "-"),
    ("a map has other values", {"type": "object", "additionalProperties": INTEGER},
     {"type": "object", "additionalProperties": NUMBER}, "-", "response-type-widened"),
    ("maxProperties falls", {"type": "object", "maxProperties": 3}, {"type": "object", "maxProperties": 2},
     "request-property-count-narrowed", "-"),
    ("names of properties are bound", {"type": "object", "additionalProperties": True},
     {"type": "object", "additionalProperties": True, "propertyNames": {"maxLength": 3}},
     "request-property-names-narrowed", "-"),
    ("one requires another", thing(a=TEXT, b=TEXT), {**thing(a=TEXT, b=TEXT), "dependentRequired": {"a": ["b"]}},
     "request-dependent-required-narrowed", "-"),
    ("a union grows", either(TEXT, INTEGER), either(TEXT, INTEGER, {"type": "boolean"}), "-", "response-type-widened"),
    ("a union shrinks", either(TEXT, INTEGER), either(TEXT, {"type": "null"}), "request-type-narrowed",
     "response-type-widened"),
    ("a union is reordered", either(TEXT, INTEGER), either(INTEGER, TEXT), "-", "-"),
    ("becomes a union with itself in it", TEXT, {"oneOf": [TEXT, INTEGER]}, "-", "response-type-widened"),
    ("a new kind", {"oneOf": [kind("a")]}, {"oneOf": [kind("a"), kind("b")]}, "-", "response-enum-widened"),
    ("a kind is gone", {"oneOf": [kind("a"), kind("b")]}, {"oneOf": [kind("a")]}, "request-enum-narrowed", "-"),
    ("inside of one kind", {"oneOf": [kind("a", n=INTEGER), kind("b")]}, {"oneOf": [kind("a", n=NUMBER), kind("b")]},
     "-", "response-type-widened"),
    ("a oneOf that may overlap grows", {"oneOf": [thing(a=TEXT)]}, {"oneOf": [thing(a=TEXT), thing(b=TEXT)]},
     "~request-undecided", "~response-property-dropped"),
    ("allOf asks for more", {"allOf": [thing(a=TEXT)]}, {"allOf": [thing(a=TEXT), need(thing(b=TEXT), "b")]},
     "request-required-narrowed", "-"),
    ("allOf is written out", {"allOf": [thing(a=TEXT), need(thing(b=TEXT), "b")]}, need(thing(a=TEXT, b=TEXT), "b"),
     "-", "-"),
    ("something is excluded", TEXT, {**TEXT, "not": {"const": "a"}}, "request-not-narrowed", "-"),
    ("a condition is added", thing(a=TEXT), {**thing(a=TEXT), "if": {"required": ["a"]}, "then": {"required": ["b"]}},
     "request-condition-narrowed", "-"),
    ("a condition changes", {**thing(), "if": {"required": ["a"]}, "then": {"required": ["b"]}},
     {**thing(), "if": {"required": ["a"]}, "then": {"required": ["c"]}}, "~request-undecided",
     "~response-undecided"),
    ("a reference leads nowhere", TEXT, {"$ref": "#/components/schemas/Nobody"}, "~request-undecided",
     "~response-undecided"),
    ("a reference leads outside", TEXT, {"$ref": "other.json#/Thing"}, "~request-undecided", "~response-undecided"),
    ("words only", {**TEXT, "title": "A", "description": "a"}, {**TEXT, "title": "B", "examples": ["b"]}, "-", "-"),
    ("nested", thing(a=thing(b={"type": "array", "items": thing(c=INTEGER)})),
     thing(a=thing(b={"type": "array", "items": thing(c=TEXT)})), "request-type-narrowed",
     "response-type-widened"),
    ("read-only is not sent", need(thing(id=TEXT), "id"), need(thing(id={**INTEGER, "readOnly": True}), "id"),
     "~request-property-dropped", "response-type-widened"),
    ("write-only is not given", thing(a=TEXT), need(thing(a=TEXT, secret={**TEXT, "writeOnly": True}), "secret"),
     "request-required-narrowed", "-"),
    ("nothing is accepted", TEXT, False, "request-nothing-accepted-narrowed", "-"),
]  # fmt: skip


def document(**operation):
    own = {"responses": {"200": {"description": "OK"}}, **operation}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "v1"}, "paths": {"/v1/things": {"post": own}}}


def body(schema, **more):
    return {"content": {"application/json": {"schema": schema}}, **more}


def answer(schema, status="200"):
    return document(responses={status: {"description": "OK", **body(schema)}})


def told(findings):
    """The worst finding, as the table writes it."""
    by = {one.severity: one.rule for one in reversed(findings)}
    if Severity.BREAKING in by:
        return by[Severity.BREAKING]
    return f"~{by[Severity.WARNING]}" if Severity.WARNING in by else "-"


@pytest.mark.parametrize(("old", "new", "rule"), [c[1:4] for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_callers_send(old, new, rule):
    findings = compare(document(requestBody=body(old)), document(requestBody=body(new)), Kind.OPENAPI)

    assert told(findings) == rule


@pytest.mark.parametrize(("old", "new", "rule"), [(*c[1:3], c[4]) for c in CHANGES], ids=[c[0] for c in CHANGES])
def test_what_callers_get(old, new, rule):
    findings = compare(answer(old), answer(new), Kind.OPENAPI)

    assert told(findings) == rule


def parameter(name="q", place="query", schema=TEXT, **more):
    return {"name": name, "in": place, "schema": schema, **more}


def parameters(*listed):
    return document(parameters=list(listed))


def secured(*alternatives, scheme="bearer"):
    schemes = {"token": {"type": "http", "scheme": scheme}, "key": {"type": "apiKey", "in": "header", "name": "X-Key"}}
    return {**document(security=list(alternatives)), "components": {"securitySchemes": schemes}}


def headers(**listed):
    return document(responses={"200": {"description": "OK", "headers": listed}})


def paths(*names, **own):
    operation = {"responses": {"200": {"description": "OK"}}, **own}
    return {**document(), "paths": {name: {"get": copy.deepcopy(operation)} for name in names}}


JSON, XML = {"application/json": {"schema": TEXT}}, {"application/xml": {"schema": TEXT}}
OPERATIONS = [
    ("a path is removed", paths("/v1/a", "/v1/b"), paths("/v1/a"), "path-removed"),
    ("a deprecated path is removed", paths("/v1/a", deprecated=True), paths(), "~deprecated-path-removed"),
    ("a method is removed", document(), {**document(), "paths": {"/v1/things": {}}}, "method-removed"),
    ("a path is added", paths("/v1/a"), paths("/v1/a", "/v1/b"), "-"),
    ("a path's parameter has another name", paths("/v1/a/{id}"), paths("/v1/a/{number}"), "-"),
    ("is deprecated", document(), document(deprecated=True), "-"),
    ("another operationId", document(operationId="a"), document(operationId="b"), "~operation-id-changed"),
    ("a callback comes", document(), document(callbacks={"done": {"/a": {}}}), "-"),
    ("a callback has another address", document(callbacks={"done": {"/a": {}}}),
     document(callbacks={"done": {"/b": {}}}), "~callback-undecided"),
    ("a webhook is gone", {**document(), "webhooks": {"done": {}}}, document(), "webhook-removed"),
    ("a webhook changed", {**document(), "webhooks": {"done": {}}},
     {**document(), "webhooks": {"done": {"post": {}}}}, "~webhook-undecided"),
    ("other servers", {**document(), "servers": [{"url": "/a"}]}, {**document(), "servers": [{"url": "/b"}]},
     "servers-changed"),
    ("another host", {**document(), "servers": [{"url": "https://a.example/x"}]},
     {**document(), "servers": [{"url": "https://b.example/x"}]}, "~servers-changed"),
    ("an optional parameter is added", parameters(), parameters(parameter()), "-"),
    ("a required parameter is added", parameters(), parameters(parameter(required=True)), "parameter-required-added"),
    ("a required header is added", parameters(), parameters(parameter("X-A", "header", required=True)),
     "parameter-required-added"),
    ("becomes required", parameters(parameter()), parameters(parameter(required=True)), "parameter-became-required"),
    ("becomes optional", parameters(parameter(required=True)), parameters(parameter()), "-"),
    ("a query parameter is removed", parameters(parameter()), parameters(), "query-parameter-removed"),
    ("a header is removed", parameters(parameter("X-A", "header")), parameters(), "~parameter-removed"),
    ("a header in other letters", parameters(parameter("X-A", "header")), parameters(parameter("x-a", "header")), "-"),
    ("text becomes a number", parameters(parameter()), parameters(parameter(schema=INTEGER)),
     "parameter-type-narrowed"),
    ("a number becomes text", parameters(parameter(schema=INTEGER)), parameters(parameter()), "-"),
    ("a maximum falls", parameters(parameter(schema={**INTEGER, "maximum": 9})),
     parameters(parameter(schema={**INTEGER, "maximum": 8})), "parameter-bound-narrowed"),
    ("an enum loses a value", parameters(parameter(schema={"enum": ["a", "b"]})),
     parameters(parameter(schema={"enum": ["a"]})), "parameter-enum-narrowed"),
    ("another default", parameters(parameter(schema={**INTEGER, "default": 1})),
     parameters(parameter(schema={**INTEGER, "default": 2})), "parameter-default-changed"),
    ("another style of a list", parameters(parameter(schema=LIST, explode=False)), parameters(parameter(schema=LIST)),
     "parameter-style-changed"),
    ("moves to the header", parameters(parameter()), parameters(parameter(place="header")), "query-parameter-removed"),
    ("of the whole path",
     {**document(), "paths": {"/v1/things": {**document()["paths"]["/v1/things"], "parameters": [parameter()]}}},
     parameters(parameter()), "-"),
    ("a required body is added", document(), document(requestBody=body(TEXT, required=True)),
     "request-body-required-added"),
    ("an optional body is added", document(), document(requestBody=body(TEXT)), "-"),
    ("a body becomes required", document(requestBody=body(TEXT)), document(requestBody=body(TEXT, required=True)),
     "request-body-became-required"),
    ("a body is removed", document(requestBody=body(TEXT)), document(), "request-body-removed"),
    ("a body's media type is removed", document(requestBody={"content": {**JSON, **XML}}),
     document(requestBody={"content": JSON}), "request-media-type-removed"),
    ("a body's media type is covered by a range", document(requestBody={"content": JSON}),
     document(requestBody={"content": {"application/*": {"schema": TEXT}}}), "-"),
    ("a default in a body", document(requestBody=body(thing(a={**INTEGER, "default": 1}))),
     document(requestBody=body(thing(a={**INTEGER, "default": 2}))), "~request-default-changed"),
    ("a success status is removed", answer(TEXT, "201"), answer(TEXT, "200"), "response-success-status-removed"),
    ("an error's status is removed", document(responses={"200": {}, "404": {}}), document(responses={"200": {}}), "-"),
    ("an error's status is added", document(responses={"200": {}}), document(responses={"200": {}, "409": {}}), "-"),
    ("a status is covered by a range", answer(TEXT, "200"), answer(TEXT, "2XX"), "-"),
    ("a status is covered by a range, with another body", answer(INTEGER, "200"), answer(NUMBER, "2XX"),
     "response-type-widened"),
    ("an answer's media type is removed", document(responses={"200": {"content": {**JSON, **XML}}}),
     document(responses={"200": {"content": JSON}}), "response-media-type-removed"),
    ("an answer's media type is added", document(responses={"200": {"content": JSON}}),
     document(responses={"200": {"content": {**JSON, **XML}}}), "-"),
    ("a promised header is removed", headers(ETag={"required": True}), headers(), "response-header-removed"),
    ("an optional header is removed", headers(ETag={}), headers(), "~response-optional-header-removed"),
    ("a header becomes optional", headers(ETag={"required": True}), headers(ETag={}),
     "response-header-became-optional"),
    ("a header has another type", headers(Age={"schema": INTEGER}), headers(Age={"schema": NUMBER}),
     "header-type-widened"),
    ("asks for a token", secured(), secured({"token": []}), "security-added"),
    ("asks for no token", secured({"token": []}), secured(), "-"),
    ("asks for a scope", secured({"token": ["a"]}), secured({"token": ["a", "b"]}), "security-scope-added"),
    ("asks for one scope less", secured({"token": ["a", "b"]}), secured({"token": ["a"]}), "-"),
    ("accepts a key as well", secured({"token": []}), secured({"token": []}, {"key": []}), "-"),
    ("wants a key as well", secured({"token": []}), secured({"token": [], "key": []}), "security-added"),
    ("no longer accepts a key", secured({"token": []}, {"key": []}), secured({"token": []}), "security-added"),
    ("a scheme changes", secured({"token": []}), secured({"token": []}, scheme="basic"), "security-scheme-changed"),
    ("asks for a token everywhere", document(), {**document(), "security": [{"token": []}]}, "security-added"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "rule"), [c[1:] for c in OPERATIONS], ids=[c[0] for c in OPERATIONS])
def test_what_an_operation_is(old, new, rule):
    assert told(compare(old, new, Kind.OPENAPI)) == rule


def test_a_finding_says_where_what_and_how_to_mend_it():
    old = document(requestBody=body(thing(items={"type": "array", "items": thing(sku={**TEXT, "maxLength": 64})})))
    new = document(requestBody=body(thing(items={"type": "array", "items": thing(sku={**TEXT, "maxLength": 32})})))

    [finding] = compare(old, new, Kind.OPENAPI)

    place = "/paths/~1v1~1things/post/requestBody/content/application~1json/schema/properties/items/items"
    assert finding.place == f"{place}/properties/sku/maxLength"
    assert (finding.before, finding.after) == (64, 32)
    assert finding.sentence == (
        "POST /v1/things, request body: items[].sku may have 32 characters at most (was: 64 characters). "
        "Keep the former length, or publish the change as a new major version."
    )


def test_references_that_go_round_come_to_an_end():
    def tree(**node):
        own = {**answer({"$ref": "#/components/schemas/Node"})}
        children = {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}
        return {**own, "components": {"schemas": {"Node": thing(children=children, **node)}}}

    assert compare(tree(n=INTEGER), tree(n=INTEGER), Kind.OPENAPI) == []
    [finding] = compare(tree(n=INTEGER), tree(n=NUMBER), Kind.OPENAPI)
    assert finding.rule == "response-type-widened"


def test_a_hostile_document_costs_little():
    """A union of unions, and a pattern over which a backtracking engine would sit for ever: both are judged."""
    wide = {"allOf": [either(*({"const": f"{n}{m}"} for m in range(20))) for n in range(9)]}
    slow = {**TEXT, "pattern": "(a+)+$"}
    new = thing(a=wide, b=slow)
    old = thing(a={**wide, "title": "x", "minLength": 1}, b={"enum": ["a" * 40 + "!"]})

    rules = {
        one.rule for one in compare(document(requestBody=body(old)), document(requestBody=body(new)), Kind.OPENAPI)
    }

    assert rules == {"request-pattern-narrowed"}
