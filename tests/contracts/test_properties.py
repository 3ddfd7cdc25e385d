"""What the rules promise of any two schemas: nothing that breaks goes unnoticed, and a change to itself is none."""

import copy

from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from slipway_contracts import LENIENT, STRICT, Kind, Mode, Reading, breaking, compare
from slipway_contracts.schema import gaps
from slipway_contracts.schema.subsets import decisive

EXAMPLES = settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
EXACT = Reading()  # as JSON Schema has it
NAMES = ["a", "b", "ab"]

numbers = st.integers(-2, 6)
scalars = st.none() | st.booleans() | numbers | st.sampled_from([0.5, 1.5, 2.0]) | st.text("ab", max_size=3)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
counts = st.integers(0, 3)


def keywords(**strategies):
    return st.fixed_dictionaries({}, optional=strategies)


def sized(noun):
    return {f"min{noun}": counts, f"max{noun}": counts}


def schemas(depth=2):
    """Schemas over a small world, so that values often fit one and not the other."""
    leaves = st.one_of(
        st.just(True),
        st.sampled_from(["null", "boolean", "integer", "number", "string"]).map(lambda name: {"type": name}),
        st.lists(st.sampled_from(["null", "integer", "string", "object"]), min_size=1, max_size=2,
         unique=True).map(lambda names: {"type": names}),
        st.lists(scalars, min_size=1, max_size=3).map(lambda listed: {"enum": listed}),
        scalars.map(lambda value: {"const": value}),
        keywords(type=st.sampled_from(["integer", "number"]), minimum=numbers, maximum=numbers,
         exclusiveMinimum=numbers, exclusiveMaximum=numbers, multipleOf=st.sampled_from([1, 2, 3, 0.5])),
        keywords(type=st.just("string"), pattern=st.sampled_from(["^a", "b", "^[ab]$", "a+", ".*"]), **sized("Length")),
        st.just({"$ref": "#/$defs/node"}),
    )  # fmt: skip
    if depth == 0:
        return leaves
    inner = st.deferred(lambda: schemas(depth - 1))
    listed = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        leaves,
        keywords(type=st.just("array"), items=inner, prefixItems=st.lists(inner, max_size=2),
         uniqueItems=st.booleans(), contains=inner, unevaluatedItems=inner, **sized("Items")),
        keywords(
            type=st.just("object"), properties=st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
            required=st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
             additionalProperties=st.just(False) | inner,
            patternProperties=st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=1),
            propertyNames=st.sampled_from([{"maxLength": 1}, {"enum": ["a", "b"]}, {"pattern": "^a"}]),
            dependentRequired=st.just({"a": ["b"]}), dependentSchemas=st.fixed_dictionaries({"a": inner}),
            unevaluatedProperties=st.just(False) | inner, **sized("Properties"),
        ),
        listed.map(lambda some: {"anyOf": some}),
        listed.map(lambda some: {"oneOf": some}),
        listed.map(lambda some: {"allOf": some}),
        st.tuples(inner,
         inner).map(lambda both: {**both[0], "anyOf": [both[1], True]} if isinstance(both[0], dict) else both[1]),
        inner.map(lambda one: {"not": one}),
        st.tuples(inner, inner).map(lambda both: {"if": both[0], "then": both[1]}),
    )  # fmt: skip


def whole(schema, node):
    """With something that ``$ref`` leads to, and that may lead back to itself."""
    top = schema if isinstance(schema, dict) else {"allOf": [schema]}
    return {**top, "$defs": {"node": node}}


NODES = st.one_of(
    st.just({"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}}, "additionalProperties": False}),
    st.sampled_from([{"type": "integer"}, {"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/node"}}]),
)
documents = st.builds(whole, schemas(), NODES)


def places(schema, path=()):
    """Paths to all parts that could be something else."""
    yield path
    if isinstance(schema, dict | list):
        for key in schema if isinstance(schema, dict) else range(len(schema)):
            if key != "$defs":
                yield from places(schema[key], (*path, key))


def replaced(schema, path, value):
    if not path:
        return value
    changed = copy.copy(schema)
    changed[path[0]] = replaced(schema[path[0]], path[1:], value)
    return changed


def removed(schema, path):
    changed = copy.deepcopy(schema)
    part = changed
    for key in path[:-1]:
        part = part[key]
    del part[path[-1]]
    return changed


@st.composite
def pairs(draw):
    """A schema, and what became of it: something taken away, a number moved, or a part replaced."""
    old = draw(documents)
    path = draw(st.sampled_from([path for path in places(old) if path] or [()]))
    part = old
    for key in path:
        part = part[key]
    how = draw(st.integers(0, 4))
    if how == 0 or not path:
        return old, draw(documents)
    if how == 1:
        return old, removed(old, path)
    if isinstance(part, int) and not isinstance(part, bool):
        return old, replaced(old, path, max(part + draw(st.sampled_from([-1, 1])), 0))
    if isinstance(part, dict) and path[-1] not in {
        "properties",
        "patternProperties",
        "dependentSchemas",
        "dependentRequired",
    }:
        return old, replaced(old, path, draw(schemas(1)))
    return old, removed(old, path)


def usable(*schemas):
    """Parts are taken away where JSON Schema wants them; that is no schema any more."""
    for schema in schemas:
        try:
            Draft202012Validator.check_schema(schema)
        except Exception:  # noqa: BLE001 # whatever it says, it is no schema
            return False
    return True


def fits(schema, value):
    return Draft202012Validator(schema).is_valid(value)


@EXAMPLES
@given(pairs(), st.lists(values, min_size=1, max_size=12))
def test_what_the_new_one_refuses_is_found(pair, some):
    """The promise that matters: a value that was good and is not any more means a finding."""
    old, new = pair
    assume(usable(old, new))

    refused = [value for value in some if fits(old, value) and not fits(new, value)]

    if refused:
        assert decisive(gaps(old, new, old, new, EXACT)), refused[0]


@EXAMPLES
@given(documents)
def test_a_schema_accepts_all_that_it_accepts(schema):
    assume(usable(schema))
    for mode in Mode:
        for reading in (STRICT, LENIENT):
            assert compare(schema, copy.deepcopy(schema), Kind.EVENT, mode, reading=reading) == []


@EXAMPLES
@given(pairs())
def test_backward_is_the_mirror_of_forward(pair):
    old, new = pair
    assume(usable(old, new))

    there = breaking(compare(old, new, Kind.EVENT, Mode.BACKWARD))
    back = breaking(compare(new, old, Kind.EVENT, Mode.FORWARD))

    assert [(one.place, one.before, one.after) for one in there] == [(one.place, one.after, one.before) for one in back]


def document(schema):
    body = {"content": {"application/json": {"schema": schema}}}
    return {
        "openapi": "3.1.0",
        "paths": {"/v1/x": {"post": {"requestBody": body, "responses": {"200": {"description": "OK"}}}}},
    }


def embedded(schema):
    """``$defs`` moves to where references in a whole document lead."""
    text = {key: value for key, value in schema.items() if key != "$defs"}
    return {**document(text), "$defs": schema["$defs"]}


# Once found: the alternative that stays can't be decided, and another one certainly does not fit.
UNDECIDABLE = {"type": "object", "dependentSchemas": {"a": True}, "unevaluatedProperties": False}
BESIDE = whole({"anyOf": [{"not": {"$ref": "#/$defs/node"}}, UNDECIDABLE]}, {"type": "object"})


@EXAMPLES
@example(BESIDE, {"const": None})
@given(documents, schemas(1))
def test_a_wider_request_breaks_nobody(schema, more):
    """What is accepted besides: another alternative, or less to ask."""
    assume(usable(schema, {"anyOf": [more], "$defs": schema["$defs"]}))
    alternatives = {"anyOf": [{key: value for key, value in schema.items() if key != "$defs"}, more]}
    for wider in ({**alternatives, "$defs": schema["$defs"]}, {"$defs": schema["$defs"]}):
        assert breaking(compare(embedded(schema), embedded(wider), Kind.OPENAPI)) == []


NARROWED = {
    "text": ({"type": "string"},
     [{"type": "integer"}, {"type": "string", "enum": ["a"]}, {"type": "string", "maxLength": 3}]),
    "number": ({"type": "integer", "minimum": 0},
     [{"type": "integer", "minimum": 1}, {"type": "string"}, {"const": 3}]),
    "list": ({"type": "array", "items": {"type": "string"}}, [{"type": "array", "items": {"type": "integer"}},
     {"type": "array", "items": {"type": "string"}, "maxItems": 2}]),
}  # fmt: skip


@st.composite
def mutations(draw):
    """An object with properties of all sorts, some levels deep, and the same with one of them narrowed."""
    what = draw(st.sampled_from(sorted(NARROWED)))
    wide, narrower = NARROWED[what]
    old, new = wide, draw(st.sampled_from(narrower))
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)):
        around = {other: {"type": "boolean"} for other in NAMES}
        wrap = draw(st.sampled_from(["object", "array", "union", "reference"]))
        old, new = (_wrapped(wrap, name, around, one) for one in (old, new))
    return old, new


def _wrapped(wrap, name, around, schema):
    inner = {"type": "object", "properties": {**around, name: schema}, "required": [name]}
    return {
        "object": inner,
        "array": {"type": "array", "items": inner},
        "union": {"anyOf": [inner, {"type": "null"}]},
        "reference": {"allOf": [inner, {"description": "as generators write references"}]},
    }[wrap]


@EXAMPLES
@given(mutations())
def test_a_mutation_that_breaks_is_always_found(pair):
    old, new = pair

    assert breaking(compare(document(old), document(new), Kind.OPENAPI))
    assert breaking(compare(old, new, Kind.EVENT, Mode.BACKWARD))
    assert breaking(compare(new, old, Kind.EVENT, Mode.FORWARD))
