"""Events and rows are one: whatever way an aggregate is saved, taken back or lost."""

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Identity, Integer, MetaData, Table, Text, Uuid, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import registry

from slipway_chassis.errors import ConfigurationError, TransactionRefused
from slipway_chassis.events import tables
from slipway_chassis.events.notes import Notes
from slipway_chassis.events.outbox import write_events_of
from slipway_chassis.events.stream import Stream

pytestmark = [pytest.mark.integration, pytest.mark.core]
metadata = MetaData()


def _table(name, id_column):
    return Table(
        name, metadata, id_column, Column("slug", Text, unique=True), Column("log", Text), Column("kind", Text),
        Column("version", Integer),
    )  # fmt: skip


TABLES = {
    "letter": _table("letters", Column("id", Uuid, primary_key=True)),
    "counted": _table("counted", Column("id", Integer, Identity(), primary_key=True)),
    "given": _table("given", Column("id", Uuid, primary_key=True, default=uuid.uuid4)),
}


@dataclass(frozen=True, kw_only=True)
class Moved:
    note: str


@dataclass(kw_only=True, eq=False)
class Noting:
    """Its row tells by ``log`` which events there must be."""

    id: object = None
    slug: str | None = None
    log: str = ""
    version: int = 0
    events: list = field(default_factory=list)

    def move(self, note):
        self.version += 1
        self.log = f"{self.log},{note}"
        self.events.append(Moved(note=note))


class Letter(Noting):
    pass


class Express(Letter):
    pass


class Counted(Noting):
    pass


class Given(Noting):
    pass


def _map(kind, table, **options):
    version = {"version_id_col": table.c.version, "version_id_generator": False}
    registry(metadata=metadata).map_imperatively(kind, table, **(version | options))


_map(Letter, TABLES["letter"], polymorphic_on=TABLES["letter"].c.kind, polymorphic_identity="letter")
Letter.__mapper__.registry.map_imperatively(Express, inherits=Letter, polymorphic_identity="express")
_map(Counted, TABLES["counted"])
_map(Given, TABLES["given"])


def _stream(name):
    return Stream(topic=f"{name}.v1", aggregate=name, source="/t", events={f"t.{name}.Moved.v1": Moved})


write_events_of({Letter: _stream("letter"), Counted: _stream("counted"), Given: _stream("given")})


@pytest.fixture(autouse=True)
def _schema(database):
    with database.engine.begin() as connection:
        metadata.create_all(connection)
        tables.create_v1(connection)


def new(kind=Letter, *notes, **values):
    made = kind(id=uuid.uuid4() if issubclass(kind, Letter) else None, **values)
    for note in notes or ("made",):
        made.move(note)
    return made


def told(database):
    """(aggregate, id) → the notes of its events by version; fails when their order is not that of versions."""
    found = {}
    with database.transaction() as session:
        for row in session.execute(select(tables.outbox).order_by(tables.outbox.c.seq)):
            notes = found.setdefault((row.aggregate_type, row.aggregate_id), [])
            notes.append(json.loads(row.payload)["note"])
            assert row.aggregate_version == len(notes), (row, notes)
    return found


def rows(database):
    """(aggregate, id) → the notes that its row knows of."""
    with database.transaction() as session:
        return {
            (name, str(row.id)): row.log.split(",")[1:]
            for name, table in TABLES.items()
            for row in session.execute(select(table))
        }


class TestSavepoints:
    def test_an_aggregate_that_is_saved_at_the_second_try_has_its_event(self, database):
        with database.transaction() as session:
            session.add(new(slug="x"))
        with database.transaction() as session:
            late = new(slug="x")
            for slug in ("x", "x-2"):
                late.slug = slug
                with suppress(IntegrityError), session.begin_nested():
                    session.add(late)
                    session.flush()

        assert told(database) == rows(database)
        assert len(rows(database)) == 2

    def test_so_has_one_whose_first_try_was_written_before_it_was_taken_back(self, database):
        late = new()
        with pytest.raises(ZeroDivisionError), database.transaction() as session:
            session.add(late)
            session.flush()
            raise ZeroDivisionError
        with database.transaction() as session:
            with session.begin_nested() as undone:
                with session.begin_nested():
                    session.add(late)
                undone.rollback()
            session.add(late)

        assert told(database) == rows(database) == {("letter", str(late.id)): ["made"]}

    @pytest.mark.parametrize("undo", ["savepoint", "refresh", "expire"])
    def test_what_is_taken_back_tells_nothing(self, database, undo):
        with database.transaction() as session:
            session.add(made := new())
        with database.transaction() as session:
            letter = session.get(Letter, made.id)
            with suppress(KeyError), session.begin_nested():
                letter.move("CANCELLED")
                if undo != "savepoint":
                    getattr(session, undo)(letter)
                else:
                    raise KeyError
            letter.move("noted")

        assert told(database) == rows(database) == {("letter", str(made.id)): ["made", "noted"]}


class TestWaysToSave:
    @pytest.mark.parametrize("kind", [Express, Counted, Given])
    def test_subclasses_and_ids_of_the_database_have_events_under_their_id(self, database, kind):
        for _ in range(2):
            with database.transaction() as session:
                session.add_all([new(kind), new(kind)])
        with database.transaction() as session:
            session.scalars(select(kind)).first().move("again")

        assert told(database) == rows(database)
        assert sorted(len(notes) for notes in rows(database).values()) == [1, 1, 1, 2]

    def test_a_merged_aggregate_has_its_events(self, database):
        with database.transaction() as session:
            session.merge(new(Letter, "made", "moved"))

        assert told(database) == rows(database)
        assert [len(notes) for notes in rows(database).values()] == [2]

    def test_a_bulk_path_that_passes_events_over_is_refused(self, database):
        with pytest.raises(TransactionRefused, match="add_all"), database.transaction() as session:
            session.bulk_save_objects([new()])

        assert rows(database) == {}

    def test_an_event_without_a_changed_column_or_version_is_refused(self, database):
        with database.transaction() as session:
            session.add(made := new())
        with pytest.raises(TransactionRefused, match="each event is one version"), database.transaction() as session:
            letter = session.get(Letter, made.id)
            letter.events.append(Moved(note="unseen"))
        with pytest.raises(TransactionRefused, match="each version one event"), database.transaction() as session:
            session.get(Letter, made.id).version += 1

        assert told(database) == rows(database)

    def test_an_event_that_no_flush_can_see_is_refused_at_the_commit(self, database):
        with database.transaction() as session:
            session.add(made := new())
        with pytest.raises(TransactionRefused, match="not written"), database.transaction() as session:
            letter = session.get(Letter, made.id)
            letter.events = [Moved(note="unseen")]


def test_an_event_of_an_aggregate_that_nobody_holds_is_refused():
    """SQLAlchemy lets go of an unchanged object as soon as the caller does."""
    events = Notes(of=Letter())

    with pytest.raises(TransactionRefused, match="keep the object in a variable"):
        events.append(Moved(note="lost"))


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "version_id_col"), ({"version_id_col": "version"}, "version_id_generator=False"), (None, "prepare=")],
)
def test_a_mapping_that_cannot_keep_order_is_refused_at_start(options, said):
    class Parcel:
        pass

    if options is not None:
        table = Table("t", MetaData(), Column("id", Integer, primary_key=True), Column("version", Integer))
        registry().map_imperatively(Parcel, table, **{name: table.c[column] for name, column in options.items()})

    with pytest.raises(ConfigurationError, match=said):
        write_events_of({Parcel: _stream("parcel")})


OPERATIONS = [
    "add", "move", "move", "flush", "begin", "begin", "release", "undo", "undo", "refresh", "expire", "merge", "bulk",
    "delete", "clash", "again", "commit",
]  # fmt: skip
SCRIPTS = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 3)), min_size=3, max_size=25)


class Script:
    """Does what authors of handlers may do, to up to four aggregates; none of it is a mistake."""

    def __init__(self, session, loaded):
        self.session = session
        self.slots = dict(enumerate(loaded))
        self.savepoints = []
        self.notes = 0

    def do(self, operation, slot):
        getattr(self, operation)(slot)

    def _persistent(self, slot):
        letter = self.slots.get(slot)
        return letter if letter is not None and inspect(letter).persistent else None

    def add(self, slot):
        self.slots[slot] = new((Letter, Express, Counted, Given)[slot])
        self.session.add(self.slots[slot])

    def move(self, slot):
        letter = self.slots.get(slot)
        if letter is not None and not inspect(letter).deleted and letter not in self.session.deleted:
            self.notes += 1
            letter.move(f"n{self.notes}")

    def flush(self, _slot):
        self.session.flush()

    def begin(self, _slot):
        self.savepoints.append(self.session.begin_nested())

    def release(self, _slot):
        if self.savepoints:
            self.savepoints.pop().commit()

    def undo(self, slot):
        """What is new again after it is saved once more, by every other author."""
        if self.savepoints:
            self.savepoints.pop().rollback()
            for other in self.slots if slot % 2 else ():
                self.again(other)

    def refresh(self, slot):
        if letter := self._persistent(slot):
            self.session.refresh(letter)

    def expire(self, slot):
        if letter := self._persistent(slot):
            self.session.expire(letter)

    def merge(self, slot):
        self.slots[slot] = self.session.merge(new((Letter, Express)[slot % 2], "made", "merged"))

    def bulk(self, slot):
        with suppress(TransactionRefused):
            self.session.bulk_save_objects([new((Letter, Express)[slot % 2])])

    def delete(self, slot):
        self.session.flush()
        if letter := self._persistent(slot):
            self.session.delete(letter)

    def clash(self, slot):
        """A savepoint in which a unique index refuses the row, as by a handler that tries another name then."""
        letter = new((Letter, Express)[slot % 2])
        for slug in ("taken", "taken", None):
            with suppress(IntegrityError), self.session.begin_nested():
                letter.slug = slug
                self.session.add(letter)
                self.session.flush()
                break

    def again(self, slot):
        letter = self.slots.get(slot)
        if letter is not None and inspect(letter).transient:
            self.session.add(letter)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=SCRIPTS)
def test_whatever_a_session_does_rows_and_events_agree(database, script):
    with database.engine.begin() as connection:
        connection.execute(text("TRUNCATE letters, counted, given, outbox"))
    remaining = list(script)
    while remaining:
        with database.transaction() as session:
            doing = Script(session, [one for kind in (Letter, Counted, Given) for one in session.scalars(select(kind))])
            while remaining:
                operation, slot = remaining.pop(0)
                if operation == "commit":
                    break
                doing.do(operation, slot)
        known = rows(database)
        events = told(database)
        assert {key: events.get(key) for key in known} == known
