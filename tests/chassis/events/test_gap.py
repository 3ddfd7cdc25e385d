"""After a restore: rows that went back go on from the versions that others know."""

import uuid
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid, select
from sqlalchemy.orm import registry

from slipway_chassis.events.gap import Unknown, go_on_from
from slipway_chassis.events.stream import Stream

pytestmark = pytest.mark.integration
metadata = MetaData()
crates = Table(
    "crates", metadata, Column("id", Uuid, primary_key=True), Column("note", Text), Column("version", Integer)
)


@dataclass(frozen=True)
class CrateMoved:
    note: str


@dataclass(kw_only=True, eq=False)
class Crate:
    id: uuid.UUID
    note: str
    version: int
    events: list = field(default_factory=list)


STREAM = Stream(topic="crates", aggregate="crate", source="/crates", events={"crates.CrateMoved.v1": CrateMoved})
registry(metadata=metadata).map_imperatively(Crate, crates, version_id_col=crates.c.version, version_id_generator=False)
BEHIND, AHEAD, GONE = (uuid.UUID(int=number) for number in range(3))


def test_rows_that_went_back_take_the_number_that_others_know_and_keep_what_they_say(database):
    with database.engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(
            crates.insert(), [{"id": BEHIND, "note": "x", "version": 2}, {"id": AHEAD, "note": "y", "version": 9}]
        )
    gap = [
        Unknown("crates", str(BEHIND), 5, 2),
        Unknown("crates", str(AHEAD), 7, 6),  # it was changed since the gap was looked for
        Unknown("crates", str(GONE), 3, None),
        Unknown("another", str(BEHIND), 70, 1),
    ]

    assert go_on_from(database, {Crate: STREAM}, gap) == 1
    assert go_on_from(database, {Crate: STREAM}, gap) == 0, "it may be repeated"

    with database.transaction() as session:
        found = session.execute(select(crates.c.note, crates.c.version).order_by(crates.c.id)).all()
    assert found == [("x", 5), ("y", 9)]
