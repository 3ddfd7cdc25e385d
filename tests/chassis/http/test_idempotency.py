"""Idempotency keys: the effect and the stored answer are one transaction, under concurrency and kill -9."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, func, insert, select, text
from sqlalchemy.orm import Session

from slipway_chassis.events.retention import forget_idempotency_keys
from slipway_chassis.events.tables import idempotency_keys
from slipway_chassis.http import Api, Input, Output
from slipway_chassis.service import service

pytestmark = pytest.mark.integration
metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("text", Text, nullable=False))
api = Api("v1")
entered, go_on = threading.Event(), threading.Event()


class NewNote(Input):
    text: str


class Note(Output):
    id: int
    text: str


class WrongNote(Exception):
    pass


@api.post("/v1/notes", location="/v1/notes/{id}", idempotent=True)
def write(body: NewNote, session: Session) -> Note:
    number = session.execute(insert(notes).values(text=body.text).returning(notes.c.id)).scalar_one()
    if body.text == "wrong":
        raise WrongNote("This note is wrong.")
    if body.text == "slow":
        entered.set()
        assert go_on.wait(30)
    return Note(id=number, text=body.text)


NOTES = service("notes", apis=[api], tables=metadata, problems={WrongNote: 409})


@pytest.fixture(name="client")
def _client(client_of):
    return client_of(NOTES)


def post(client, body, key):
    return client.post("/v1/notes", json={"text": body}, headers={"Idempotency-Key": key})


def written(database):
    with database.transaction() as session:
        return list(session.scalars(select(notes.c.text)))


def test_a_repeated_request_has_its_effect_once_and_the_same_answer(client, database):
    key = str(uuid.uuid4())

    answers = [post(client, "tea", key) for _ in range(3)]

    assert written(database) == ["tea"]
    assert {a.status_code for a in answers} == {201}
    assert len({(a.data, a.headers["Location"]) for a in answers}) == 1
    assert [a.headers.get("Idempotency-Replayed") for a in answers] == [None, "true", "true"]


def test_the_same_key_with_another_body_is_a_mistake(client, database):
    post(client, "tea", "k")

    answer = post(client, "coffee", "k")

    assert answer.status_code == 422
    assert "Use a new key" in answer.get_json(force=True)["detail"]
    assert written(database) == ["tea"]


def test_another_query_is_another_request(client, database):
    post(client, "tea", "k")

    answer = client.post("/v1/notes?x=1", json={"text": "tea"}, headers={"Idempotency-Key": "k"})

    assert answer.status_code == 422


def test_a_failed_request_stores_nothing_and_may_be_tried_again(client, database):
    assert post(client, "wrong", "k").status_code == 409
    assert written(database) == []

    assert post(client, "right", "k").status_code == 201


def test_fifty_at_the_same_time_have_one_effect(client, database):
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: post(client.application.test_client(), "tea", "k"), range(50)))

    assert written(database) == ["tea"]
    assert {a.status_code for a in answers} <= {201, 409}
    assert post(client, "tea", "k").status_code == 201


def test_while_the_first_is_worked_on_the_second_is_told_to_wait(client):
    first = threading.Thread(target=post, args=(client.application.test_client(), "slow", "k"))
    first.start()
    assert entered.wait(30)

    answer = post(client, "slow", "k")
    go_on.set()
    first.join(30)

    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")
    assert post(client, "slow", "k").headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "\u00fc"])
def test_a_malformed_key_is_a_problem(client, key):
    assert post(client, "tea", key).status_code == 400


def test_old_answers_are_forgotten_and_new_ones_kept(client, database):
    post(client, "old", "old")
    with database.transaction() as session:
        session.execute(text("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'"))
    post(client, "new", "new")

    with database.transaction() as session:
        assert forget_idempotency_keys(session) == 1
        assert session.scalar(select(func.count()).select_from(idempotency_keys)) == 1
        assert forget_idempotency_keys(session, older_than=timedelta(0)) in (0, 1)


def test_a_connection_the_server_ended_costs_no_request(client, database):
    post(client, "tea", "k")
    with database.autocommit() as connection:
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(text(f"{end} AND pid <> pg_backend_pid()"))

    assert post(client, "coffee", "k2").status_code == 201
