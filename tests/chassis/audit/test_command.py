"""``slipway audit`` on real PostgreSQL and Kafka."""

import json
import uuid
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from slipway_chassis.cli import cli
from slipway_chassis.events import kafka, tables
from slipway_chassis.events.dead_letters import dead_letter_topic
from slipway_chassis.events.ports import Record
from slipway_chassis.events.stream import Envelope

pytestmark = [pytest.mark.integration, pytest.mark.core]
DECLARED = """
[tool.slipway.audit]
aggregates.parcels = {{service = "parcels", topic = "{topic}", table = "parcels"}}
projections.listed = {{service = "parcels", topic = "{topic}", table = "public.listed", id = "parcel_id"}}
invariants.weight = {{service = "parcels", sql = "SELECT id FROM parcels WHERE note LIKE '%wrong%'"}}
"""


def event(topic, key, version):
    envelope = Envelope(
        id=uuid.uuid4(), type="parcels.ParcelMoved.v1", source="/parcels", subject=key,
        time=datetime(2026, 1, 1, tzinfo=UTC), version=version,
    )  # fmt: skip
    return Record(topic=topic, key=key.encode(), value=b"{}", headers=envelope.headers())


@pytest.fixture(name="execute")
def _execute(database):
    def execute(statement, **values):
        with database.transaction() as session:
            session.execute(text(statement), values)

    return execute


@pytest.fixture(name="audit")
def _audit(database, execute, database_url, kafka_settings, topic, tmp_path, monkeypatch):
    with database.engine.begin() as connection:
        tables.create_v1(connection)
        tables.create_v2(connection)
    execute("CREATE TABLE parcels (id text PRIMARY KEY, version int, note text)")
    execute("CREATE TABLE listed (parcel_id text PRIMARY KEY, version int)")
    for key, version in (("a", 2), ("b", 1)):
        execute("INSERT INTO parcels VALUES (:key, :version, '')", key=key, version=version)
        execute("INSERT INTO listed VALUES (:key, :version)", key=key, version=version)
    kafka.ensure_topics(kafka_settings, [topic, dead_letter_topic(topic, "parcels")])
    publisher = kafka.publisher(kafka_settings, client_id="t")
    for records in ([event(topic, "a", 1), event(topic, "b", 1)], [event(topic, "a", 2)]):
        assert publisher.publish(records) == [None] * len(records)
    (tmp_path / "pyproject.toml").write_text(DECLARED.format(topic=topic))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka_settings.kafka_bootstrap_servers)

    def run(*arguments, code):
        done = CliRunner().invoke(cli, ["audit", "--settle", "1s", *arguments])
        assert done.exit_code == code, (done.output, done.exception)
        return done.output or str(done.exception)

    run.publish = publisher.publish
    yield run
    publisher.close()


def test_what_is_in_order_is_counted_and_what_is_not_is_named(audit, execute, topic):
    checks = {row["check"]: row for row in json.loads(audit("-o", "json", code=0))}
    assert checks["aggregates parcels"]["of"] == checks["projections listed"]["of"] == 2
    assert checks[f"stream {topic}"]["of"] == 3

    execute("UPDATE parcels SET version = 1, note = 'quite wrong' WHERE id = 'a'")
    execute("DELETE FROM listed WHERE parcel_id = 'b'")
    audit.publish([event(topic, "c", 2)])
    audit.publish([Record(dead_letter_topic(topic, "parcels"), b"a", b"{}", (("dlq_reason", b"failed"),))])
    execute(
        "INSERT INTO parked_keys (consumer_group, topic, key, letters, settled, replaying) "
        "VALUES ('parcels', 'in', 'k', 2, 0, false)"
    )

    said = audit(code=1)
    for sentence in (
        "aggregates parcels: a others know version 2, the database 1: it went back",
        "aggregates parcels: c others know version 2, the database has no such row",
        "projections listed: b version 1 was published, and there is no row: not applied",
        f"stream {topic}: c version 1 is missing, and 2 is there",
        "invariants weight: id=a must not be",
        "parked keys parcels: k is parked on in with 2 letters",
        f"dead letters {topic} parcels: ",
    ):
        assert sentence in said, said


def test_what_waits_in_the_outbox_is_on_its_way_or_a_finding_when_it_stays(audit, execute, topic):
    execute("UPDATE parcels SET version = 3 WHERE id = 'a'")
    execute(
        "INSERT INTO outbox (event_id, topic, aggregate_type, aggregate_id, aggregate_version, shard, type, source, "
        "payload) VALUES (gen_random_uuid(), :topic, 'parcel', 'a', 3, 0, 't', '/', '{}')",
        topic=topic,
    )
    said = audit(code=1)
    assert f"outbox parcels: a version 3 waits to be sent to {topic}" in said
    assert "aggregates parcels: a" not in said


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM parcels RETURNING id",
        "COMMIT; DELETE FROM parcels",
        "SELECT 1; DELETE FROM parcels",
        "SET TRANSACTION READ WRITE",
        "SELECT nothing FROM nowhere",
        "",
    ],
)
def test_a_query_reads_alone(audit, tmp_path, execute, topic, sql):
    (tmp_path / "audit.toml").write_text(f'[invariants]\nx = {{service = "parcels", sql = {json.dumps(sql)}}}\n')
    said = CliRunner().invoke(cli, ["audit", "--file", "audit.toml"])
    assert said.exit_code in {0, 1}
    execute("UPDATE parcels SET note = 'still there' WHERE id = 'a'")
    assert json.loads(audit("-o", "json", code=0))[1]["of"] == 3


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("", "declares nothing to compare"),
        ("tool = 7", "declares nothing to compare"),
        ("= 7", "is no TOML"),
        ("[tool.slipway.audit]\nagregates = {}", "agregates: Extra inputs are not permitted"),
        ('[tool.slipway.audit.aggregates]\nx = {service = "x", topic = "t", table = "a; drop"}', "must be a name"),
    ],
)
def test_a_file_that_says_nothing_is_refused_in_a_sentence(audit, tmp_path, file, sentence):
    (tmp_path / "pyproject.toml").write_text(file)
    assert sentence in audit(code=1)


def test_a_table_or_a_topic_that_is_not_there_is_named(audit, tmp_path):
    text_of = DECLARED.format(topic="nowhere").replace('"public.listed"', '"nowhere"')
    (tmp_path / "pyproject.toml").write_text(text_of)
    assert 'relation "nowhere" does not exist' in audit(code=1)
