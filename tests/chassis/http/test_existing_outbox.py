"""An existing application goes on with sessions of its own, and what it publishes is in the outbox all the same."""

from dataclasses import dataclass, field

import pytest
from flask import Flask
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, text
from sqlalchemy.orm import registry, scoped_session, sessionmaker

from slipway_chassis.events.stream import Stream
from slipway_chassis.resources import Resources
from slipway_chassis.service import service

pytestmark = [pytest.mark.integration, pytest.mark.core]
metadata = MetaData()
NOTES = Table("notes", metadata, Column("id", Text, primary_key=True), Column("version", Integer), Column("text", Text))


@dataclass(frozen=True, kw_only=True)
class NoteWritten:
    text: str


@dataclass(kw_only=True, eq=False)
class Note:
    id: str
    text: str
    version: int = 1
    events: list = field(default_factory=list)


STREAM = Stream(topic="notes.note.v1", aggregate="note", source="notes", events={"notes.NoteWritten.v1": NoteWritten})


def map_notes():
    registry().map_imperatively(Note, NOTES, version_id_col=NOTES.c.version, version_id_generator=False)


def create_app(url):
    app = Flask("notes")
    db = scoped_session(sessionmaker(create_engine(url)))
    app.teardown_appcontext(lambda _error: db.remove())

    @app.post("/<name>/<outcome>")
    def write(name, outcome):
        db.add(Note(id=name, text=outcome, events=[NoteWritten(text=outcome)]))
        db.flush()
        db.commit() if outcome == "kept" else db.rollback()
        return "", 201

    return app


def test_a_commit_of_its_own_session_writes_the_event_and_a_rollback_none(database, database_url):
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    declared = service(
        "notes",
        app=lambda: create_app(url),
        prepare=map_notes,
        publishes={Note: STREAM},
        tables=metadata,
    )
    declared.schema(database).upgrade()
    client = declared.build_app(Resources(database=database)).test_client()

    client.post("/a/kept")
    client.post("/b/lost")

    with database.transaction() as session:
        assert session.execute(text("SELECT topic, aggregate_id FROM outbox")).all() == [("notes.note.v1", "a")]
