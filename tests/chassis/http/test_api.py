"""Typed routes: what their annotations promise, versions side by side, and the OpenAPI document."""

from datetime import date

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.orm import Session

from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys
from slipway_chassis.cli.exporting import contracts_of, openapi
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.http import Api, Input, Output, Problem
from slipway_chassis.resources import Resources
from slipway_chassis.service import service


class NewThing(Input):
    name: str


class Thing(Output):
    id: int
    name: str


class Query(Input):
    limit: int = 20


v1 = Api("v1", deprecated=date(2026, 1, 1), sunset=date(2027, 1, 1), successor="/v2/things")
v2 = Api("v2")


@v1.get("/v1/things/<int:number>")
def old_show(number: int) -> Thing:
    """Show a thing, the old way."""
    return Thing(id=number, name="old")


@v2.get("/v2/things/<int:number>", scopes=["things:read"], errors={404: "No such thing"})
def show(number: int, query: Query) -> Thing:
    """Show a thing."""
    return Thing(id=number, name=str(query.limit))


@v2.post("/v2/things", location="/v2/things/{id}")
def create(body: NewThing) -> Thing:
    if body.name == "teapot":
        raise Problem(418, "Short and stout.", headers={"X-Spout": "yes"})
    return Thing(id=7, name=body.name)


THINGS = service("things", apis=[v1, v2])


@pytest.fixture(name="client")
def _client(issuer):
    verifier = Verifier(Keys(issuer.fetch), issuer=issuer.url, audience="test")
    return THINGS.build_app(Resources(verifier=verifier)).test_client()


def used(version):
    return REGISTRY.get_sample_value(
        "http_api_requests_total", {"version": version, "deprecated": str(version == "v1").lower()}
    )


def test_an_old_version_says_that_it_ends_and_what_follows(client):
    answer = client.get("/v1/things/1")

    assert answer.headers["Deprecation"] == "@1767225600"
    assert answer.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert answer.headers["Link"] == '</v2/things>; rel="successor-version"'


def test_each_version_is_counted_for_itself(client):
    before = used("v1") or 0
    for _ in range(3):
        client.get("/v1/things/1")
    client.post("/v2/things", json={"name": "x"})

    assert used("v1") == before + 3
    assert "Deprecation" not in client.post("/v2/things", json={"name": "x"}).headers


def test_a_new_resource_has_its_location(client):
    answer = client.post("/v2/things", json={"name": "cup"})

    assert (answer.status_code, answer.headers["Location"]) == (201, "/v2/things/7")


def test_a_problem_of_the_handler_is_answered(client):
    answer = client.post("/v2/things", json={"name": "teapot"})

    assert (answer.status_code, answer.headers["X-Spout"]) == (418, "yes")
    assert answer.get_json(force=True)["detail"] == "Short and stout."


def test_the_document_tells_everything_the_annotations_say(client):
    document = client.get("/openapi.json").get_json()

    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {"/v1/things/{number}", "/v2/things", "/v2/things/{number}"}
    old = document["paths"]["/v1/things/{number}"]["get"]
    assert old["deprecated"] is True
    new = document["paths"]["/v2/things/{number}"]["get"]
    assert new["security"] == [{"bearer": ["things:read"]}]
    assert {p["name"] for p in new["parameters"]} == {"number", "limit"}
    assert set(new["responses"]) == {"200", "401", "403", "404", "422", "503"}
    assert "application/problem+json" in new["responses"]["404"]["content"]
    assert document["components"]["schemas"]["NewThing"]["additionalProperties"] is False


def test_the_contract_is_the_same_each_time():
    first, second = (contracts_of(THINGS) for _ in range(2))

    assert first == second
    assert list(first.files) == ["openapi.v1.json", "openapi.v2.json"]
    assert set(first.openapis["v1"]["paths"]) == {"/v1/things/{number}"}
    assert "NewThing" in first.openapis["v2"]["components"]["schemas"]
    assert "NewThing" not in first.openapis["v1"]["components"]["schemas"]
    assert openapi(THINGS, "1.0.0")["info"] == {"title": "things", "version": "1.0.0"}


def test_idempotency_without_a_transaction_is_refused_at_declaration():
    with pytest.raises(ConfigurationError, match="is idempotent and takes no session"):

        @Api("v1").post("/v1/things", idempotent=True)
        def create(body: NewThing) -> Thing: ...


def test_a_sunset_needs_the_day_of_deprecation():
    with pytest.raises(ConfigurationError, match="has a sunset date and no deprecated date"):
        Api("v1", sunset=date(2027, 1, 1))


def test_a_session_without_a_database_is_told(client):
    api = Api("v1")

    @api.get("/v1/x")
    def needs(session: Session) -> Thing: ...

    assert service("x", apis=[api]).build_app().test_client().get("/v1/x").status_code == 500
    with pytest.raises(ConfigurationError, match="has no database"):
        service("x", consumes=[object()])
