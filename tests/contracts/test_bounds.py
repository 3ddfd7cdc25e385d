"""Documents of strangers: judged in bounded steps, with bounded findings, whatever they hold."""

import json

import pytest
from google.protobuf import descriptor_pb2

from slipway_contracts import LENIENT, Contracts, Kind, Mode, Result, breaking, compare, judge
from slipway_contracts.bundle import pretty
from slipway_contracts.findings import MAX_FINDINGS, MAX_PLACE, MAX_SENTENCE
from slipway_contracts.openapi.alternatives import MAX_STEPS as MAX_SECURITY_STEPS
from slipway_contracts.openapi.alternatives import Asked, Steps, parts_of
from slipway_contracts.schema import opening
from slipway_contracts.schema.subsets import MAX_STEPS, Comparisons

TEXT, INTEGER = {"type": "string"}, {"type": "integer"}


def thing(**properties):
    return {"type": "object", "properties": properties}


def ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def kind(name, **properties):
    return {**thing(kind={"const": name}, **properties), "required": ["kind"]}


def either(*schemas):
    return {"anyOf": list(schemas)}


def document(operations=1, schema=None, components=None):
    content = {"content": {"application/json": {"schema": schema or ref("A0")}}}
    own = {"requestBody": content, "responses": {"200": {"description": "OK", **content}}}
    return {
        "openapi": "3.1.0",
        "paths": {f"/v1/p{number}": {"post": own} for number in range(operations)},
        "components": {"schemas": components or {}},
    }


def chain(leaf, length=25):
    """Each refers twice to the next one: two to the power of 25 ways to the leaf."""
    links = {f"A{n}": thing(l=ref(f"A{n + 1}"), r=ref(f"A{n + 1}")) for n in range(length)}
    return document(components={**links, f"A{length}": leaf})


def kinds(number, leaf, **more):
    return either(*(kind(f"k{n}", value=TEXT, **more) for n in range(number - 1)), kind(f"k{number - 1}", value=leaf))


def nested(leaf):
    inner = kinds(60, leaf)
    return either(*(kind(f"o{n}", inner=inner) for n in range(60)))


def deep(leaf, levels):
    for _ in range(levels):
        leaf = thing(a=leaf)
    return leaf


SLOW = "a?" * 33 + "a" * 33
WIDE = {"type": "object", "patternProperties": {SLOW: INTEGER}, "properties": {"a" * 33 + "b": TEXT}}
LARGE = {
    "two references in each of 25 schemas": (chain(TEXT), chain(INTEGER)),
    "a hundred operations with one union": (
        document(100, ref("U"), {"U": thing(f=kinds(20, TEXT))}),
        document(100, ref("U"), {"U": thing(f=kinds(20, INTEGER))})),
    "a union of 6,000 values": (
        document(schema={"oneOf": [{"const": n} for n in range(6000)]}),
        document(schema={"oneOf": [{"const": n} for n in range(1, 6001)]})),
    "a union of 1,000 kinds": (document(schema=kinds(1000, TEXT)), document(schema=kinds(1000, INTEGER))),
    "unions within a union": (document(schema=nested(TEXT)), document(schema=nested(INTEGER))),
    "an enum of 3,000 others": (
        document(schema={"enum": [f"a{n}" for n in range(3000)]}),
        document(schema={"enum": [f"b{n}" for n in range(3000)]})),
    "2,000 properties": (
        document(schema=thing(**{f"p{n}": TEXT for n in range(2000)})),
        document(schema=thing(**{f"p{n}": INTEGER for n in range(2000)}))),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_large_documents_are_judged_with_few_findings(name):
    old, new = LARGE[name]

    found = compare(old, new, Kind.OPENAPI)

    assert breaking(found)
    assert len(found) <= MAX_FINDINGS
    assert max(len(one.sentence) for one in found) < 1000
    assert max(len(json.dumps(one.data())) for one in found) < 5000


def test_what_was_compared_once_costs_nothing_again():
    old, new = LARGE["two references in each of 25 schemas"]
    comparisons = Comparisons()
    comparison = comparisons.between(old, new, LENIENT)

    comparison.gaps(ref("A0"), ref("A0"))

    assert MAX_STEPS - comparisons._steps[0] < 100


def test_a_pattern_that_backtracks_is_tried_by_a_linear_engine():
    found = compare(WIDE, {**WIDE, "minProperties": 1}, Kind.EVENT)

    assert [one.rule for one in breaking(found)] == ["event-property-count-narrowed"]


@pytest.mark.parametrize("pattern", ["(?=a)a", r"(a)\1", "[", "(a{500}){500}"])
def test_a_pattern_that_the_engine_does_not_read_is_undecided(pattern):
    found = compare({"enum": ["a", "b"]}, {"enum": ["a", "b"], "pattern": pattern}, Kind.EVENT, Mode.BACKWARD)

    assert found
    assert all(one.undecided and "can't be read by RE2" in one.sentence for one in found)


@pytest.mark.parametrize("levels", [59, 150, 450])
def test_deep_nesting_is_judged_or_undecided(levels):
    found = compare(deep(TEXT, levels), deep(INTEGER, levels), Kind.EVENT)

    assert breaking(found) or all(one.undecided for one in found)
    assert found


@pytest.mark.parametrize(
    "wrong",
    [
        {"anyOf": 5}, {"type": "number", "multipleOf": 0}, {"maximum": float("nan")}, {"title": "\ud800"},
        {"required": 5}, {"properties": []}, {"items": 5}, {"pattern": 5}, {"type": {}}, {"enum": 5}, {"$ref": 5},
        {"allOf": [5]}, {"minLength": "1"}, {"$ref": "#/$ref"}, {"not": 5}, {"discriminator": []}, 5,
        {"discriminator": {"propertyName": "a", "mapping": {"a": 5}}, "oneOf": 5}, {"$anchor": 5}, {"$dynamicRef": 5},
        {"discriminator": {"propertyName": 5, "mapping": 5}, "oneOf": [{"$ref": 5}]}, {"dependencies": 5}, {"if": 5},
        None, [],
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [TEXT, thing(a=TEXT), True])
def test_what_is_no_schema_is_never_an_exception(wrong, before):
    for old, new in ((before, wrong), (wrong, before), (wrong, wrong), (thing(a=before), thing(a=wrong))):
        compare(old, new, Kind.EVENT, reading=LENIENT)
        compare(document(schema=old), document(schema=new), Kind.OPENAPI)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"openapi": "3.1.0",\n "paths": nope}', "openapi.v1.json, line 2, column 11"),
        (b'{"openapi": "3.1.0", "maximum": NaN}', "NaN is no JSON"),
        (b'{"openapi": "3.1.0", "maximum": 1e999}', "/maximum"),
        (b'{"openapi": "3.1.0", "info": {"title": "\\ud800"}}', "/info/title"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested more than"),
        (b'{"openapi": "3.1.0", "maximum": 1' + b"0" * 400 + b"}", "/maximum"),
        (b'{"openapi": "3.1.0", "paths": {}, "paths": {}}', "the name 'paths' twice"),
        (b"[]", "is not a JSON object"),
    ],
)
def test_a_file_that_can_not_be_read_is_named_with_the_place(content, sentence):
    verdict = judge(None, Contracts("parcels", {"openapi.v1.json": content}), {}, None)

    assert verdict.result is Result.FAILED
    assert sentence in verdict.message
    assert "openapi.v1.json" in verdict.message


def test_a_message_of_many_breaks_is_cut_at_whole_sentences():
    """Four of them with long names are more than the record of a gate keeps."""
    paths = {f"/v1/{'long' * 17}{n}": {"get": {"responses": {"200": {"description": "OK"}}}} for n in range(6)}
    api = {"openapi": "3.1.0", "paths": paths}
    old = Contracts("parcels", {"openapi.v1.json": pretty(api)})
    new = Contracts("parcels", {"openapi.v1.json": pretty({**api, "paths": {}})})

    message = judge(old, new, {}, None).message

    assert message.startswith("6 changes break somebody.")
    assert len(message) <= 500
    assert message.endswith(".")


def guarded(alternatives):
    own = {"security": alternatives, "responses": {"200": {"description": "OK"}}}
    return {"openapi": "3.1.0", "paths": {"/v1/p": {"get": own}, "/v1/q": {"get": own}}}


def ways(number, *scopes):
    """So many alternatives of as many schemes each, which differ in the last scope alone."""
    return [{f"s{n}": [*scopes, f"w{way}"] for n in range(number)} for way in range(number)]


def test_long_lists_of_alternatives_are_compared_in_bounded_steps():
    steps = Steps()

    asked = Asked([{name: frozenset(of) for name, of in one.items()} for one in ways(100, "x")], steps)
    had = [parts_of({name: frozenset(of) for name, of in one.items()}) for one in ways(100)]
    lacking = [asked.missing(one) for one in had if not asked.enough(one)]

    assert len(lacking) == 100
    assert all("x" in (one or ()) for one in lacking)
    assert MAX_SECURITY_STEPS - steps.left < 3_000_000


def test_what_is_still_there_costs_a_step_for_each_of_its_parts():
    steps = Steps()
    alternatives = [{f"s{n}": frozenset[str]() for n in range(way)} for way in range(100)]

    asked = Asked(alternatives, steps)

    assert all(asked.enough(parts_of(one)) for one in alternatives)
    assert MAX_SECURITY_STEPS - steps.left <= 2 * sum(map(len, alternatives))


def test_a_hundred_alternatives_of_a_hundred_schemes_are_judged_once_for_all_operations():
    found = compare(guarded(ways(100)), guarded(ways(100, "x")), Kind.OPENAPI)

    assert {one.rule for one in breaking(found)} == {"security-scope-added", "further-findings"}
    assert max(len(one.sentence) for one in found) < 1000
    assert max(len(json.dumps(one.data())) for one in found) < 5000


def test_more_alternatives_than_are_compared_are_undecided(monkeypatch):
    monkeypatch.setattr("slipway_contracts.openapi.security.Steps", lambda: Steps(1000))

    found = compare(guarded(ways(20)), guarded(ways(20, "x")), Kind.OPENAPI)

    assert [one.undecided for one in found] == [True, True]
    assert "has more alternatives of security than are compared" in found[0].sentence


@pytest.mark.parametrize("after", ["integer", ["string", "null"]])
def test_more_properties_than_are_listed_or_compared_are_not_gone_through(after):
    """The first thousand that break are enough; of those that break nobody, no more than there are steps."""
    old, new = (thing(**{f"p{n}": {"type": each} for n in range(6000)}) for each in ("string", after))
    comparisons = Comparisons()
    comparisons._steps[0] = 3000

    gaps = comparisons.between(old, new, LENIENT).gaps(old, new)

    undecided = [one for one in gaps if "too large to be compared" in str(one.wide)]
    assert len(gaps) == 100
    assert len(undecided) == (0 if after == "integer" else 100)
    assert comparisons._steps[0] > (0 if after == "integer" else -1100)


def told_by(found):
    """Bounded in number and in length, and each a line of letters that are seen."""
    assert len(found) <= MAX_FINDINGS
    assert all(len(one.sentence) <= MAX_SENTENCE and len(one.place) <= MAX_PLACE for one in found)
    assert all(one.sentence.isprintable() and one.place.isprintable() for one in found)
    return " ".join(one.sentence for one in found)


def doubled(keyword, levels, leaf):
    """Each component names the next one twice: the last one has two to the power of ``levels`` ways that lead to it."""
    twice = {f"A{n}": {keyword: [{"$ref": f"#/$defs/A{n + 1}"}, {"$ref": f"#/$defs/A{n + 1}"}]} for n in range(levels)}
    return {"$ref": "#/$defs/A0", "$defs": {**twice, f"A{levels}": leaf}}


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf"])
def test_what_is_named_twice_at_each_level_is_opened_once(keyword, monkeypatch):
    asked = []
    once = opening._of_parts
    monkeypatch.setattr(opening, "_of_parts", lambda *given: asked.append(given) or once(*given))

    compare(doubled(keyword, 12, TEXT), doubled(keyword, 12, INTEGER), Kind.EVENT)

    assert 0 < len(asked) < 1000


MANY = {
    "listed values on patterns": (
        {"enum": [f"v{n}" for n in range(3000)]}, {"allOf": [{"pattern": f"^(v[0-9]*)*{n}$"} for n in range(100)]},
        "a listed value and a pattern",
    ),
    "patterns on texts of patterns": (
        {"type": "string", "allOf": [{"pattern": f"^a{n}"} for n in range(100)]},
        {"type": "string", "allOf": [{"pattern": f"^b{n}"} for n in range(100)]}, "patterns",
    ),
    "steps on steps": (
        {"type": "number", "allOf": [{"multipleOf": 1 + n / 1000} for n in range(300)]},
        {"type": "number", "allOf": [{"multipleOf": 2 + n / 1000} for n in range(300)]}, "steps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MANY)
def test_what_is_tried_each_on_each_has_a_limit(name):
    before, after, what = MANY[name]

    found = compare(before, after, Kind.EVENT, Mode.BACKWARD)

    assert [one.undecided for one in found] == [True]
    assert f"pairs of {what}" in told_by(found)


NAMES = {
    "long": "x" * 200_000,
    "braces": "{" * 50_000,
    "percent": "%7e" * 30_000,
    "what a terminal obeys": "\x1b[2J\x1b]0;owned\x07\u202e\n  breaking: GET /v1/other is gone.",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_of_strangers_are_cut_and_shown_as_letters(name):
    api = {"openapi": "3.1.0", "paths": {f"/v1/{name}": {"get": {"responses": {"200": {"description": "OK"}}}}}}

    said = told_by(compare(api, {**api, "paths": {}}, Kind.OPENAPI))

    assert said.endswith("is gone. Keep it, deprecate it, and remove it when nobody calls it any more.")


def test_many_changes_of_a_long_path_are_told_in_few_words():
    """Each finding would hold the whole path."""
    names = [f"a{n}" for n in range(300)]

    def path(kind):
        parameters = [{"name": one, "in": "path", "required": True, "schema": {"type": kind}} for one in names]
        item = {"get": {"parameters": parameters, "responses": {}}}
        return {"openapi": "3.1.0", "paths": {"/v1/" + "/".join(f"{{{one}}}" for one in names): item}}

    assert "And 201 more findings" in told_by(compare(path("string"), path("integer"), Kind.OPENAPI))


def test_what_descriptors_and_declarations_of_strangers_say_is_listed_as_all_else():
    def fields(kind):
        files = descriptor_pb2.FileDescriptorSet()
        message = files.file.add(name="a.proto", package="a.v1").message_type.add(name="M")
        for number in range(1, 1000):
            message.field.add(name=f"f{number}", number=number, type=kind, label=1)
        return files.SerializeToString()

    calls = [{"service": "b", "method": "GET", "path": f"/v1/{number}"} for number in range(1000)]
    declared = Contracts("a", {"consumes.json": pretty({"calls": calls})})

    assert "more findings" in told_by(compare(fields(9), fields(5), Kind.PROTOBUF))
    assert "more findings" in told_by(judge(None, declared, {}, None).findings)
