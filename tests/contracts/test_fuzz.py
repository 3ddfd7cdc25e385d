"""Real documents, changed at random (by a seed): the rules neither fail nor dwell on any of them, and a change that
narrows a schema is seen in at least one direction. Unit tests tell a slice, the soak all of it.
"""

import copy
import json
import random
import time

import pytest

from slipway_contracts import LENIENT, Kind, Mode, Severity, compare
from support.repository import ROOT

SLICE, ALL = 300, 10_000
PART = 1_000  # of all, in one test: two processes share them, and none takes long
MOST_PROCESSOR_SECONDS = 1.0  # of one case
STRANGE = [
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "#",
    "#/",
    "x" * 50,
    [],
    {},
    [{}],
    {"": {}},
    {"$ref": "#"},
    {"$ref": "#/paths"},
]
KEYWORDS = ["type", "$ref", "allOf", "oneOf", "anyOf", "not", "enum", "items", "properties", "required", "maximum",
            "pattern", "format", "if", "then", "contains", "nullable", "discriminator", "in", "schema"]  # fmt: skip


def documents():
    for path in sorted(ROOT.glob("services/*/contracts/**/*.json")):
        kind = Kind.OPENAPI if path.name.startswith("openapi") else Kind.EVENT if path.parent.name == "events" else None
        kind = Kind.ASYNCAPI if path.name == "asyncapi.json" else kind
        if kind:
            yield kind, json.loads(path.read_text())


DOCUMENTS = list(documents())


def places(part, found):
    """All containers, with what they hold."""
    found.append(part)
    for one in part.values() if isinstance(part, dict) else part:
        if isinstance(one, dict | list):
            places(one, found)
    return found


def mutate(chance, document):
    """One of its parts is gone, is something else, stands twice, or has a keyword more."""
    part = chance.choice(places(document, []))
    if isinstance(part, dict) and (not part or chance.random() < 0.3):
        part[chance.choice(KEYWORDS)] = copy.deepcopy(chance.choice(STRANGE))
    elif part:
        key = chance.choice(list(part)) if isinstance(part, dict) else chance.randrange(len(part))
        what = chance.randrange(4)
        if what == 0:
            del part[key]
        elif what == 1:
            part[key] = copy.deepcopy(chance.choice(STRANGE))
        elif what == 2:
            part[key] = copy.deepcopy(chance.choice(places(document, [])))
        elif isinstance(part, dict):
            part[f"{key}2"] = part.pop(key)


def judged(kind, old, new):
    return compare(old, new, kind, Mode.FULL, reading=LENIENT)


def fuzz(numbers):
    for number in numbers:
        chance = random.Random(number)
        kind, original = chance.choice(DOCUMENTS)
        old, new = copy.deepcopy(original), copy.deepcopy(original)
        for one in (new,) if chance.random() < 0.7 else (old, new):
            for _ in range(chance.randint(1, 3)):
                mutate(chance, one)
        began = time.process_time()
        try:
            for one in judged(kind, old, new):
                json.dumps(one.data())
        except Exception as error:
            raise AssertionError(f"case {number}") from error
        assert time.process_time() - began < MOST_PROCESSOR_SECONDS, f"case {number}"


def schemas(document, part, seen):
    """Of bodies, answers and parameters with a type of one value each."""
    if isinstance(part, dict):
        reference = part.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/") and reference not in seen:
            seen.add(reference)
            target = document
            for token in reference[2:].split("/"):
                target = target[token.replace("~1", "/").replace("~0", "~")]
            yield from schemas(document, target, seen)
        if str(part.get("type")) in {"string", "integer", "number", "boolean", "array"}:
            yield part
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from schemas(document, one, seen)


def narrow(chance, schema):
    kind = schema["type"]
    choices = [{"type": "boolean" if kind != "boolean" else "array"}, {"const": "never seen before"}, {"not": {}}]
    if kind == "string" and not schema.keys() & {"enum", "const", "maxLength"}:
        choices.append({"maxLength": 1})
    if kind in {"integer", "number"} and not schema.keys() & {"enum", "const"}:
        choices += [{"minimum": 10**6, "maximum": 10**6}, {"multipleOf": 7}]
    if kind == "array":
        choices += [{"minItems": 3, "maxItems": 3}, {"items": False}]
    schema.update(chance.choice(choices))


def narrowings(numbers):
    for number in numbers:
        chance = random.Random(number)
        kind, original = chance.choice([one for one in DOCUMENTS if one[0] is not Kind.ASYNCAPI])
        new = copy.deepcopy(original)
        found = list(schemas(new, new["paths"] if kind is Kind.OPENAPI else new, set()))
        narrow(chance, chance.choice(found))
        said = [*judged(kind, original, new), *judged(kind, new, original)]
        assert any(one.severity is Severity.BREAKING or one.undecided for one in said), f"case {number}"


def test_no_document_upsets_the_rules_or_holds_them_up():
    fuzz(range(SLICE))


def test_a_narrower_schema_is_seen_in_one_direction():
    narrowings(range(SLICE // 3))


@pytest.mark.soak
@pytest.mark.parametrize("begin", range(0, ALL, PART))
def test_no_document_of_many_upsets_the_rules_or_holds_them_up(begin):
    fuzz(range(begin, begin + PART))


@pytest.mark.soak
@pytest.mark.parametrize("begin", range(0, ALL, PART))
def test_a_narrower_schema_of_many_is_seen_in_one_direction(begin):
    narrowings(range(begin, begin + PART))
