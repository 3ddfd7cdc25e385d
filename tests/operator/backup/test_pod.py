"""What the CronJob of a cluster runs, and how a database goes back there: the commands, as the service's own role."""

import json
import os
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest
from click.testing import CliRunner

from slipway_chassis.config import KafkaSettings
from slipway_chassis.errors import BrokerUnavailable, DependencyUnavailable
from slipway_chassis.events.kafka import Committed, Groups, ensure_topics
from slipway_chassis.testing.plugin import eventually
from slipway_operator.backup import cli
from slipway_operator.backup.folder import Backups
from slipway_operator.backup.pod import wait_for

pytestmark = pytest.mark.integration


@pytest.fixture(name="url")
def _url(postgresql, name):
    url = postgresql.ensure_database(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE parcels (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text)")
        connection.execute("CREATE VIEW heard AS SELECT said FROM parcels")
        connection.execute("INSERT INTO parcels (said) VALUES ('a'), ('b'), (repeat('c', 100000))")
    return url


@pytest.fixture(name="pod")
def _pod(url, name, tmp_path):
    """A command as the pod runs it, in an environment that has nothing else."""

    def run(verb, *words, code=0, **settings):
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DATABASE_URL": url, **settings}
        place = {"create": "--to", "verify": "--from", "restore": "--from"}[verb]
        own = () if verb == "verify" else ("--service", name)
        command = [sys.executable, "-m", "slipway_chassis", "backup", "pod", verb, *words, *own, place, tmp_path / "b"]
        done = subprocess.run(
            list(map(str, command)), env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout.splitlines() if code == 0 else done.stderr

    return run


def checksums(url):
    """Of each table, and what exists beside."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        texts = "SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {} t"
        return {name: connection.execute(texts.format(name)).fetchone()[0] for (name,) in tables}


def test_a_database_goes_back_in_place_to_what_it_was(pod, url, tmp_path):
    before = checksums(url)
    name = pod("create", "--keep", 2)[-1].split()[0]
    with psycopg.connect(url, autocommit=True) as service:
        service.execute("DELETE FROM parcels WHERE said = 'a'")
        service.execute("CREATE TABLE later (id int)")
        assert "connected to the database still" in pod("restore", name, code=1)
    assert "later" in checksums(url)

    pod("restore", name)
    assert checksums(url) == before
    with psycopg.connect(url) as service:
        assert service.execute("INSERT INTO parcels (said) VALUES ('d') RETURNING id").fetchone() == (4,)
        assert service.execute("SELECT count(*) FROM heard").fetchone() == (4,)
    pod("verify", name)


def test_a_role_that_does_not_own_the_tables_changes_nothing(pod, postgresql, url, name):
    """As where another one migrates: it would lose what was granted to it, and the tables would stay."""
    backup = pod("create")[-1].split()[0]
    with psycopg.connect(postgresql.url(name), autocommit=True) as superuser:
        superuser.execute("ALTER TABLE parcels OWNER TO postgres")
        superuser.execute(f"GRANT ALL ON parcels TO {name}")

    assert "those of postgres" in pod("restore", backup, code=1)
    assert checksums(url)["parcels"]


def test_one_that_was_left_empty_in_the_middle_is_filled_by_the_same_command(pod, url):
    before = checksums(url)
    name = pod("create")[-1].split()[0]
    with psycopg.connect(url, autocommit=True) as killed:
        killed.execute("DROP OWNED BY CURRENT_USER CASCADE")
    pod("restore", name)

    assert checksums(url) == before


def test_what_can_not_be_restored_is_not_offered_and_takes_the_place_of_none(pod, postgresql, name, tmp_path):
    good = pod("create", "--keep", 1)[-1].split()[0]
    with psycopg.connect(postgresql.url(name), autocommit=True) as superuser:
        superuser.execute("CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'")

    assert "permission denied" in pod("create", "--keep", 1, code=1)
    assert [each.path.name for each in Backups(tmp_path / "b").all()] == [good]
    assert not list((tmp_path / "b").glob(".partial-*"))


def test_a_database_with_what_this_server_has_not_is_kept_untried(pod, postgresql, url, name):
    """As one with an extension that the image lacks: the live server can restore it, and the pod's can't."""
    with psycopg.connect(postgresql.url(name), autocommit=True) as superuser:
        superuser.execute("CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'")
    backup = pod("create", "--no-trial")[-1].split()[0]

    assert "permission denied" in pod("restore", backup, code=1)
    assert checksums(url), "nothing was changed"
    with psycopg.connect(postgresql.url(name), autocommit=True) as superuser:
        superuser.execute("DROP FUNCTION f()")
        superuser.execute("UPDATE pg_language SET lanpltrusted = true WHERE lanname = 'internal'")
    pod("restore", backup, "--no-trial")


def test_a_changed_dump_changes_nothing_of_the_database(pod, url, name, tmp_path):
    backup = pod("create")[-1].split()[0]
    dump = tmp_path / "b" / backup / f"{name}.dump"
    changed = bytearray(dump.read_bytes())
    changed[len(changed) // 2] ^= 1
    dump.write_bytes(changed)
    before = checksums(url)

    assert "checksum" in pod("restore", backup, code=1)
    assert checksums(url) == before


def test_user_and_password_may_stand_beside_the_address(pod, postgresql, name):
    place = f"postgresql://127.0.0.1:{postgresql.port}/{name}"
    pod("create", DATABASE_URL=place, PGUSER=name, PGPASSWORD=postgresql.password)
    said = pod("create", "--wait", "1s", code=3, DATABASE_URL=place, PGUSER=name, PGPASSWORD="another")

    assert "PostgreSQL" in said
    assert "another" not in said.replace("another backup", "")


def test_what_libpq_reads_beside_the_address_is_of_the_live_server_alone(pod, postgresql, name):
    """The programs read it too, and the server that tries the backup has no such role."""
    place = f"postgresql://{name}@database.invalid/{name}"
    beside = {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(postgresql.port), "PGPASSWORD": postgresql.password}
    pod("create", DATABASE_URL=place, PGOPTIONS=f"-c role={name}", **beside)


class Later:
    """A pod that is let through when it asks for the third time, as where policies come into force after it."""

    def __init__(self, url, admit):
        self.asked, self._url, self._admit = 0, url, admit

    def url(self, *_):
        self.asked += 1
        if self.asked == 3:
            self._admit()
        return self._url

    def groups(self):
        return None


def test_a_pod_that_is_not_let_through_yet_waits(postgresql, name):
    url = postgresql.url(name, name)
    later = Later(url, lambda: postgresql.ensure_database(name))
    wait_for(later, 60)
    assert later.asked == 3

    with pytest.raises(DependencyUnavailable, match="PostgreSQL"):
        wait_for(Later(f"{url}_none", lambda: None), 0)


def test_what_is_no_name_of_a_service_is_a_sentence(tmp_path):
    for name in ("../x", "2nd-orders", "x" * 41, ""):
        said = CliRunner().invoke(cli.backup, ["pod", "create", "--service", name, "--to", str(tmp_path / "b")])
        assert (said.exit_code, "is no name of a service" in said.output) == (2, True), said.output
    assert not (tmp_path / "b").exists()


def test_secrets_of_a_volume_are_kept_sealed(pod, name, tmp_path):
    volume = tmp_path / "secrets"
    (volume / "..data").mkdir(parents=True)
    (volume / "..data" / f"{name}-KEY").write_bytes(b"very secret\r\n\xff")
    (volume / f"{name}-KEY").symlink_to(f"..data/{name}-KEY")  # as Kubernetes lays it
    (tmp_path / "passphrase").write_text("correct horse battery")
    (tmp_path / "empty").mkdir()
    assert f"no file {name}-NAME" in pod("create", "--secrets", tmp_path / "empty", code=1)
    left_out, _ = pod("create", "--secrets", volume)[-2:]
    backup = pod("create", "--secrets", volume, "--passphrase-file", tmp_path / "passphrase")[-1].split()[0]

    assert f"{name}-KEY" in left_out
    said = CliRunner().invoke(
        cli.backup, ["unseal", backup, "--from", str(tmp_path / "b"), "--to", str(tmp_path / "out"),
                     "--passphrase-file", str(tmp_path / "passphrase")]
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    assert (tmp_path / "out" / f"{name}-KEY").read_bytes() == b"very secret\r\n\xff"
    assert "very" not in said.output
    assert (tmp_path / "out" / f"{name}-KEY").stat().st_mode & 0o077 == 0

    (volume / "..data" / f"{name}-KEY").write_text("another")
    for words in (("--secrets", volume), ()):
        assert f"{name}-KEY is another secret" in pod("restore", backup, *words, code=1)
    (volume / "..data" / f"{name}-KEY").write_bytes(b"very secret\r\n\xff")
    pod("restore", backup, "--secrets", volume)


def is_set(groups, group, offsets):
    """A broker that was started now has no coordinator of groups yet."""
    try:
        groups.commit(group, offsets)
    except BrokerUnavailable:
        return False
    return True


def test_offsets_go_back_with_the_database(pod, kafka, name, tmp_path):
    brokers = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    settings = KafkaSettings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    ensure_topics(settings, [name])
    with closing(Groups(settings)) as groups:
        topic = groups.topic_ids([name])[name]
        eventually(lambda: is_set(groups, name, {(name, 0): Committed(5, topic)}))
        backup = pod("create", "--group", name, **brokers)[-1].split()[0]
        groups.commit(name, {(name, 0): Committed(9, topic), (name, 1): Committed(2, topic)})
        assert f"the group {name}, not of another" in pod("restore", backup, "--group", "another", code=1, **brokers)
        assert "KAFKA_BOOTSTRAP_SERVERS" in pod("restore", backup, code=1)
        pod("restore", backup, "--no-trial", **brokers)

        kept = json.loads((tmp_path / "b" / backup / "manifest.json").read_text())["services"][0]["offsets"]
        assert kept["topics"][name]["offsets"] == {"0": 5}
        assert {where: one.offset for where, one in groups.committed(name).items()} == {(name, 0): 5, (name, 1): 0}
