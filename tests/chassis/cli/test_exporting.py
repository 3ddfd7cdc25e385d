"""What real pydantic models promise is what the service sends, and what teams change each week is judged rightly."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Literal

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypedDict

from slipway_chassis.cli.exporting import contracts_of
from slipway_chassis.events.asyncapi import asyncapi, event_schema
from slipway_chassis.events.stream import Stream, encode
from slipway_chassis.http import Api, Input, Output
from slipway_chassis.http.problems import Problem
from slipway_chassis.service import service
from slipway_contracts import Contracts, judge
from slipway_contracts.bundle import pretty

KIND = "parcels.ParcelSent.v1"


def parcels(result, *, query=None):
    """A service with one operation, which answers ``result``."""
    api = Api("v1")

    def answer(query):
        return result

    def answer_without():
        return result

    handler = answer if query else answer_without
    handler.__annotations__ = {"return": type(result)} | ({"query": query} if query else {})
    api.get("/v1/parcels")(handler)
    return service("parcels", apis=[api])


def promised(declared, status="200", kind="application/json"):
    document = contracts_of(declared).openapis["v1"]
    schema = document["paths"]["/v1/parcels"]["get"]["responses"][status]["content"][kind]["schema"]
    return {**schema, "components": document["components"]}


def verdict(old, new):
    shown = [one if isinstance(one, Contracts) else contracts_of(one) for one in (old, new)]
    return judge(*shown, {}, None)


class Camel(Output):
    model_config = ConfigDict(alias_generator=to_camel)
    total_cents: int = Field(5, ge=0)


class Part(BaseModel):
    """Nothing of the chassis."""

    weight: int = Field(1, serialization_alias="grams")
    hidden: str = Field("", exclude=True)
    note: str = Field("", exclude_if=lambda note: not note)


@dataclass
class Plain:
    size: int = 3


class Loose(TypedDict, total=False):
    colour: str


class Whole(Output):
    part: Part = Part()
    plain: Plain = Field(default_factory=Plain)
    loose: Loose = {}
    amount: Decimal = Decimal("1.50")
    tag: Literal["a", "b"] = "a"
    maybe: int | None = None


SENT = [
    create_model("Total", __base__=Output, total=(int, Field(5, serialization_alias="totalCents")))(),
    create_model("Renamed", __base__=Output, total=(int, Field(alias="totalCents")))(totalCents=5),
    Camel(totalCents=7),
    Whole(),
    Whole(part=Part(note="fragile"), loose={"colour": "red"}, maybe=4),
]


@pytest.mark.parametrize("result", SENT, ids=lambda one: type(one).__name__)
def test_what_a_service_answers_is_what_its_contract_says(result):
    declared = parcels(result)
    schema = promised(declared)
    answer = declared.build_app(with_parts=False).test_client().get("/v1/parcels").get_json()

    jsonschema.validate(answer, schema)
    own = schema["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert answer.keys() == own["properties"].keys()
    assert sorted(own["required"]) == sorted(answer)


def test_only_what_may_be_left_out_is_optional_in_an_answer():
    schemas = promised(parcels(Whole()))["components"]["schemas"]

    assert schemas["Part"]["required"] == ["grams"]
    assert schemas["Plain"]["required"] == ["size"]
    assert "required" not in schemas["Loose"]


def test_a_problem_is_what_the_contract_says():
    class Search(Input):
        limit: int

    declared = parcels(Whole(), query=Search)
    wrong = declared.build_app().test_client().get("/v1/parcels?limit=x")

    with declared.build_app().test_request_context("/v1/parcels"):
        away = Problem(503, "away").response()
    for status, answer in (("422", wrong), ("503", away)):
        schema = promised(declared, status, "application/problem+json")
        jsonschema.validate(answer.get_json(), schema)
        own = schema["components"]["schemas"]["ProblemDetails"]
        assert set(own["required"]) <= answer.get_json().keys() <= own["properties"].keys()


@pydantic_dataclass
class Aliased:
    parcel_id: int = Field(serialization_alias="parcelId")
    note: str = ""


@dataclass
class Sent:
    parcel_id: int
    reason: str = ""
    part: Part = field(default_factory=Part)


@pytest.mark.parametrize("event", [Aliased(7), Sent(7), Sent(7, part=Part(note="x"))])
def test_what_is_written_to_a_topic_is_what_the_contract_says(event):
    schema = event_schema(KIND, type(event), mode="serialization")
    written = json.loads(encode(event))

    jsonschema.validate(written, schema)
    assert sorted(schema["required"]) == sorted(written)


def output(**fields):
    return parcels(create_model("Parcel", __base__=Output, **fields)(**dict.fromkeys(fields, "x")))


def test_a_field_of_an_answer_gets_a_default():
    assert verdict(output(b=(str, ...)), output(b=(str, ""))).result == "Passed"
    assert verdict(output(b=(str, "")), output(b=(str, ...))).result == "Passed"


def test_a_field_with_a_default_goes_from_an_answer():
    found = verdict(output(b=(str, ""), c=(str, "")), output(c=(str, "")))

    assert not found.ok
    assert "b is gone" in found.message


def event(**fields):
    events = {KIND: create_model("ParcelSent", **fields)}
    stream = Stream(topic="parcels", aggregate="Parcel", source="/parcels", events=events)
    files = {
        "asyncapi.json": pretty(asyncapi("parcels", "1", publishes=[stream], consumes=[])),
        f"events/{KIND}.schema.json": pretty(event_schema(KIND, events[KIND], mode="serialization")),
    }
    return Contracts("parcels", files)


def test_a_field_with_a_default_goes_from_an_event():
    old, new = event(a=(int, ...), reason=(str, "")), event(a=(int, ...))

    assert not verdict(old, new).ok
    assert "reason is gone" in verdict(old, new).message
    assert verdict(new, old).ok


def test_a_field_of_an_event_gets_a_default():
    assert verdict(event(a=(int, ...)), event(a=(int, 3))).ok


def test_the_first_export_that_says_what_is_always_sent_passes():
    """What an earlier chassis wrote called fields with a default optional; going back to it is no break either."""
    new = event(a=(int, ...), reason=(str, ""))
    old = changed(new, without_required)

    assert old.files != new.files
    assert verdict(old, new).result == "Passed"
    assert verdict(new, old).result == "Passed"


def changed(contracts, change):
    files = {path: json.loads(content) for path, content in contracts.files.items()}
    for document in files.values():
        change(document)
    return Contracts("parcels", {path: pretty(document) for path, document in files.items()})


def everywhere(part):
    yield part
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from everywhere(one)


def without_required(document):
    for part in everywhere(document):
        if isinstance(part, dict) and "reason" in part.get("required", ()):
            part["required"].remove("reason")


DECIMAL = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"  # as pydantic 2.12 writes it


def with_pattern(document):
    for part in everywhere(document):
        if isinstance(part, dict) and part.get("title") == "Amount":
            part["pattern"] = DECIMAL


def test_decimal_gets_a_pattern_when_pydantic_is_renewed():
    """pydantic#13089: what is written is the same, so a person looks; it forbids nobody to renew pydantic."""
    old = event(amount=(Decimal, ...))

    found = verdict(old, changed(old, with_pattern))

    assert (found.ok, found.result) == (True, "Inconclusive")
    assert "amount must now match" in found.message


class Cat(Input):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(Input):
    kind: Literal["dog"] = "dog"


class Cow(Input):
    kind: Literal["cow"] = "cow"


def posting(pet):
    api = Api("v1")
    model = create_model("NewPet", __base__=Input, pet=(Annotated[pet, Field(discriminator="kind")], ...))

    def add(body):
        return Camel(totalCents=1)

    add.__annotations__ = {"body": model, "return": Camel}
    api.post("/v1/pets")(add)
    return service("pets", apis=[api])


def test_a_body_takes_a_further_kind():
    assert verdict(posting(Cat | Dog), posting(Cat | Dog | Cow)).result == "Passed"
    assert not verdict(posting(Cat | Dog | Cow), posting(Cat | Dog)).ok
