"""Input from outside is read as its contract says, or refused."""

from typing import Annotated

import pytest
from pydantic import Field

from slipway_chassis.http import Api, Input, Output
from slipway_chassis.resources import Resources
from slipway_chassis.service import service


class Search(Input):
    tag: list[str] = []
    number: list[int] | None = None
    state: Annotated[list[str], Field(alias="in")] = []
    limit: int = 20


class Found(Output):
    tag: list[str]
    number: list[int] | None
    state: list[str]
    limit: int


class Note(Input):
    words: list[str] = []
    labels: dict[str, str] = {}


api = Api("v1")


@api.get("/v1/found")
def found(query: Search) -> Found:
    return Found(tag=query.tag, number=query.number, state=query.state, limit=query.limit)


@api.post("/v1/notes")
def note(body: Note) -> Found:
    return Found(tag=body.words, number=None, state=[], limit=0)


@pytest.fixture(name="client", scope="module")
def _client():
    return service("notes", apis=[api]).build_app(Resources()).test_client()


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", {"tag": [], "number": None, "state": [], "limit": 20}),
        ("tag=a", {"tag": ["a"]}),
        ("tag=a&tag=b&tag=a", {"tag": ["a", "b", "a"]}),
        ("number=1&number=2", {"number": [1, 2]}),
        ("in=new&in=paid", {"state": ["new", "paid"]}),
        ("limit=5", {"limit": 5}),
    ],
)
def test_a_list_takes_all_values_of_its_name(client, query, told):
    answer = client.get(f"/v1/found?{query}")

    assert answer.status_code == 200, answer.json
    assert answer.json.items() >= told.items()


@pytest.mark.parametrize("query", ["limit=1&limit=2", "number=1&number=x", "other=1"])
def test_what_the_contract_does_not_say_is_refused(client, query):
    assert client.get(f"/v1/found?{query}").status_code == 422


@pytest.mark.parametrize("body", [{"words": ["a\x00"]}, {"labels": {"a": "\x00"}}, {"labels": {"\x00": "a"}}])
def test_no_character_that_can_not_be_stored_comes_in_however_deep(client, body):
    answer = client.post("/v1/notes", json=body)

    assert answer.status_code == 422
    assert "NUL" in answer.json["errors"][0]["detail"]
