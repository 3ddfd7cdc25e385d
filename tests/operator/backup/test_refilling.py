"""A database filled in place: all of it, or nothing changes. By the service's own role, on a real PostgreSQL."""

import subprocess
import tempfile
import uuid
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from pydantic import SecretStr

from slipway_chassis.embedded import postgresql as embedded
from slipway_chassis.embedded.processes import free_port
from slipway_operator.backup.creating import create
from slipway_operator.backup.databases import Databases
from slipway_operator.backup.folder import Backups
from slipway_operator.backup.pod import Pod, PodSettings, restore_here, verify_here
from slipway_operator.backup.programs import errors_of, started
from slipway_operator.backup.refilling import Refill, require_one_owner
from slipway_operator.errors import BackupError, BackupUnusable
from slipway_operator.runtimes.local.system import Service

pytestmark = pytest.mark.integration


def quiet(*_):
    pass


class World:
    """The database of a service, with a table of rows, and who administers it."""

    def __init__(self, server, folder):
        self.server, self.folder, self.name = server, folder, f"t{uuid.uuid4().hex[:12]}"
        self.url = server.ensure_database(self.name)
        self.say("CREATE TABLE parcels (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text)")
        self.say("INSERT INTO parcels (said) VALUES ('a'), ('b'), (repeat('c', 100000))")

    def say(self, *statements):
        with psycopg.connect(self.url, autocommit=True) as connection:
            return [connection.execute(each) for each in statements][-1]

    def administer(self, *statements):
        with psycopg.connect(self.server.url(self.name), autocommit=True) as connection:
            return [connection.execute(each.replace("SERVICE", self.name)) for each in statements][-1]

    def pod(self):
        return Pod(Service(name=self.name, processes=("migrate",)), "", PodSettings(database_url=SecretStr(self.url)))

    def back_up(self, *, tried=False):
        check = (lambda found: verify_here(found, tell=quiet)) if tried else quiet
        made = create(
            self.pod(), Backups(self.folder), services=[self.name], passphrase=None, keep=None, tell=quiet, check=check
        )
        kept = made.manifest.services[0].database
        return Refill(self.url, kept, made.path / kept.dump.file)

    def rows(self):
        return self.say("SELECT count(*) FROM parcels").fetchone()[0]


@pytest.fixture(name="world")
def _world(postgresql, tmp_path):
    return World(postgresql, tmp_path / "b")


@pytest.fixture(name="reporting")
def _reporting(world):
    """A role that reads what the service has."""
    role = f"r{world.name}"
    world.administer(f"CREATE ROLE {role}", f"CREATE SCHEMA hers AUTHORIZATION {role}")
    yield role
    world.administer(f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_a_dump_that_ends_in_the_middle_changes_nothing(world):
    world.say("CREATE TABLE later AS SELECT generate_series(1, 100000) AS number, md5(random()::text) AS said")
    refill = world.back_up()
    refill.file.write_bytes(refill.file.read_bytes()[:-400_000])
    world.say("INSERT INTO parcels (said) VALUES ('d')")

    with pytest.raises(BackupUnusable, match=f"{world.name}.dump can't be restored"):
        refill.run()
    assert world.rows() == 4
    assert world.say("SELECT count(*) FROM later").fetchone() == (100_000,)


def test_other_rows_than_were_counted_change_nothing(world):
    refill = world.back_up()
    world.say("INSERT INTO parcels (said) VALUES ('d')")
    wrong = refill.dump.model_copy(update={"rows": {"public.parcels": 7, "public.none": 1}})

    with pytest.raises(BackupUnusable, match=r"parcels has 3 rows, not 7; public\.none is missing"):
        Refill(world.url, wrong, refill.file).run()
    assert world.rows() == 4


def test_large_objects_come_back_in_the_same_transaction(world):
    """In a script their data has a COMMIT of its own, behind which nothing could be taken back."""
    world.say(f"COMMENT ON INDEX parcels_pkey IS '{'what comes behind them ' * 1000}'")
    oid = world.say("SELECT lo_from_bytea(0, 'abc')").fetchone()[0]
    refill = world.back_up()
    world.say(f"SELECT lo_put({oid}, 0, 'xyz')", "INSERT INTO parcels (said) VALUES ('d')")
    wrong = refill.dump.model_copy(update={"rows": {"public.parcels": 7}})
    with pytest.raises(BackupUnusable):
        Refill(world.url, wrong, refill.file).run()
    assert (world.rows(), world.say(f"SELECT lo_get({oid})").fetchone()) == (4, (b"xyz",))

    refill.run()
    assert (world.rows(), world.say(f"SELECT lo_get({oid})").fetchone()) == (3, (b"abc",))


@pytest.mark.parametrize(
    "given",
    [
        ("ALTER SCHEMA public OWNER TO SERVICE",),
        ("CREATE SCHEMA own AUTHORIZATION SERVICE", "COMMENT ON SCHEMA own IS 'of the service'",
         "CREATE TABLE own.t (id int)", "ALTER TABLE own.t OWNER TO SERVICE"),
        ("CREATE SCHEMA given", "GRANT ALL ON SCHEMA given TO SERVICE", "COMMENT ON SCHEMA given IS 'by an admin'",
         "CREATE TABLE given.t (id int)", "ALTER TABLE given.t OWNER TO SERVICE"),
        ("CREATE EXTENSION vector", "COMMENT ON EXTENSION vector IS 'another'", "CREATE TABLE v (v vector(3))",
         "ALTER TABLE v OWNER TO SERVICE"),
        ("CREATE SCHEMA ext", "CREATE EXTENSION vector SCHEMA ext", "GRANT USAGE ON SCHEMA ext TO SERVICE",
         "CREATE TABLE v (v ext.vector(3))", "ALTER TABLE v OWNER TO SERVICE"),
        ("CREATE FUNCTION f(a int, b text[]) RETURNS int LANGUAGE sql AS 'SELECT 1'",
         "COMMENT ON FUNCTION f IS 'x'", "CREATE VIEW seen AS SELECT 1 AS one", "GRANT SELECT ON seen TO SERVICE"),
        ("CREATE PUBLICATION everything FOR ALL TABLES", "COMMENT ON PUBLICATION everything IS 'of an admin'"),
        ("CREATE PUBLICATION parts FOR TABLE parcels", "ALTER PUBLICATION parts OWNER TO SERVICE",
         "COMMENT ON PUBLICATION parts IS 'of the service'"),
        ("CREATE TYPE size AS ENUM ('s')", "ALTER TYPE size OWNER TO SERVICE", "CREATE DOMAIN short AS text",
         "ALTER DOMAIN short OWNER TO SERVICE", "CREATE TYPE pair AS (a int)", "ALTER TYPE pair OWNER TO SERVICE",
         "CREATE TABLE parts (id int, size size) PARTITION BY RANGE (id)", "ALTER TABLE parts OWNER TO SERVICE",
         "CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9)", "ALTER TABLE part OWNER TO SERVICE",
         "CREATE STATISTICS shapes ON id, size FROM part", "ALTER STATISTICS shapes OWNER TO SERVICE"),
    ],
    ids=["public", "schema", "schema-of-admin", "extension", "extension-in-schema", "function-of-admin",
         "publication-of-admin", "publication", "kinds"],
)  # fmt: skip
def test_what_an_administrator_has_made_is_in_nobodys_way(world, given):
    """The role may make no schema, extension or publication itself any more."""
    world.administer(*given, "ALTER DATABASE SERVICE OWNER TO postgres", "GRANT CREATE ON SCHEMA public TO SERVICE")
    refill = world.back_up(tried=True)
    world.say("INSERT INTO parcels (said) VALUES ('d')", "CREATE TABLE later (id int)")
    for _ in range(2):
        refill.run()

    assert world.rows() == 3
    assert world.administer("SELECT to_regclass('later')").fetchone() == (None,)
    publications = world.administer("SELECT count(*) FROM pg_publication_tables WHERE tablename = 'parcels'").fetchone()
    assert publications == (int("PUBLICATION" in given[0]),)


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("CREATE VIEW hers.seen AS SELECT * FROM public.parcels", "view hers.seen"),
        ("CREATE TABLE hers.notes (parcel bigint REFERENCES public.parcels)", "constraint notes_parcel_fkey"),
        ("CREATE TABLE hers.notes (size public.size)", "column size of table hers.notes"),
        ("CREATE PUBLICATION hers FOR TABLE public.parcels", "in publication hers"),
    ],
)
def test_what_others_have_built_on_it_is_named_and_nothing_is_changed(world, reporting, made, named):
    world.say("CREATE TYPE size AS ENUM ('s')", f"GRANT ALL ON parcels TO {reporting}")
    refill = world.back_up()
    world.administer(made)
    world.say("INSERT INTO parcels (said) VALUES ('d')")

    for attempt in (refill.require, refill.run):
        with pytest.raises(BackupError, match=named):
            attempt()
    assert world.rows() == 4


def test_grants_and_policies_for_other_roles_come_back_and_want_the_role(world, reporting):
    odd = f'odd "{world.name}'
    quoted = '"' + odd.replace('"', '""') + '"'
    world.administer(f"CREATE ROLE {quoted}")
    world.say(
        f"GRANT SELECT ON parcels TO {reporting}",
        f"CREATE POLICY p ON parcels FOR SELECT TO {reporting}, {quoted} USING (said <> ' TO nobody;')",
        f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {reporting} WITH GRANT OPTION",
    )
    refill = world.back_up(tried=True)
    refill.run()
    assert world.administer(f"SELECT has_table_privilege('{reporting}', 'parcels', 'SELECT')").fetchone() == (True,)

    world.administer("DROP POLICY p ON parcels", f"DROP ROLE {quoted}")
    world.say("INSERT INTO parcels (said) VALUES ('d')")
    with pytest.raises(BackupError, match="no such role"):
        refill.run()
    assert world.rows() == 4


def test_tables_of_several_roles_are_refused_when_backed_up_and_a_copy_of_later_is_left_alone(world):
    require_one_owner(world.url)
    refill = world.back_up()
    world.administer("CREATE TABLE copied AS SELECT * FROM parcels")
    with pytest.raises(BackupError, match=r"postgres has public\.copied"):
        require_one_owner(world.url)
    world.say("DELETE FROM parcels")

    refill.run()
    assert world.rows() == 3
    assert world.administer("SELECT count(*) FROM copied").fetchone() == (3,)


def test_a_role_whose_requests_end_soon_is_backed_up_and_restored(world):
    world.say(
        "CREATE FUNCTION slow(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT pg_sleep(0.3) IS NOT NULL'",
        "ALTER TABLE parcels ADD CHECK (public.slow(said))",
    )
    soon = {"statement_timeout": "500ms", "transaction_timeout": "500ms", "idle_in_transaction_session_timeout": "1ms"}
    world.administer(*(f"ALTER ROLE SERVICE SET {name} = '{said}'" for name, said in soon.items()))
    world.back_up().run()

    world.administer("ALTER ROLE SERVICE RESET ALL")
    assert world.rows() == 3


def test_who_is_connected_is_named_and_other_databases_do_not_count(world, postgresql):
    refill = world.back_up()
    with psycopg.connect(world.url, application_name="pooler") as idle:
        pid = idle.info.backend_pid
        with pytest.raises(BackupError, match=rf"pooler of {world.name} \(pid {pid}\)"):
            refill.run()
    with psycopg.connect(postgresql.url()):
        refill.run()


def test_a_table_that_may_not_be_read_is_a_sentence(world):
    world.administer("CREATE TABLE hidden (id int)")
    with pytest.raises(BackupError, match="permission denied for table hidden"):
        world.back_up()


def test_the_room_that_is_asked_for_is_that_of_the_database_whatever_the_service_is_called(world):
    assert Databases(world.pod()).bytes_of("otherwise") > 1_000_000


def test_rows_are_not_told_when_they_do_not_come_back(world):
    world.say(
        "CREATE FUNCTION good(text) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT true'",
        "ALTER TABLE parcels ADD CHECK (public.good(said))",
        "INSERT INTO parcels (said) VALUES ('very private')",
        "CREATE OR REPLACE FUNCTION good(text) RETURNS bool IMMUTABLE LANGUAGE sql AS $$SELECT $1 <> 'very private'$$",
    )
    refill = world.back_up()
    for attempt in (refill.run, lambda: world.back_up(tried=True)):
        with pytest.raises(BackupUnusable, match="violates check constraint") as told:
            attempt()
        assert "private" not in str(told.value)
    assert errors_of(f"pg_restore: error: COPY failed\nCONTEXT: very private\npg_restore: detail: {world.name}") == (
        "pg_restore: error: COPY failed"
    )


def test_no_argument_of_a_program_holds_a_secret(world):
    url = f"{world.url}?sslpassword=of-a-key&application_name=mine"
    with started("psql", ["--file=-"], url=url, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.input.write(b"SELECT 1;\n")
        running.input.flush()
        assert running.output.readline(), "it is connected"
        said = Path(f"/proc/{running.process.pid}/cmdline").read_text()
        running.input.close()
        assert running.process.wait() == 0, running.words()

    assert "application_name=mine" in said
    assert (world.server.password in said, "of-a-key" in said) == (False, False)


def test_a_database_that_is_gone_comes_back_without_what_an_administrator_makes(world):
    world.administer("CREATE PUBLICATION everything FOR ALL TABLES", "CREATE PUBLICATION one FOR TABLE parcels")
    refill = world.back_up(tried=True)
    world.say("DROP TABLE parcels")
    world.administer("DROP PUBLICATION everything", "DROP PUBLICATION one")

    refill.run()
    assert world.rows() == 3


class Joined:
    """A group that the service joins while its database is restored."""

    def __init__(self):
        self.asked = 0

    def describe(self, _):
        self.asked += 1
        return SimpleNamespace(members=["a consumer"] * (self.asked > 1))

    def close(self):
        pass


def test_offsets_of_a_group_that_was_joined_meanwhile_stay(world, monkeypatch):
    refill, group = world.back_up(), Joined()
    pod = world.pod()
    monkeypatch.setattr(Pod, "groups", lambda *_: group)
    found = Backups(world.folder).named(refill.file.parent.name)

    with pytest.raises(BackupError, match="the database is restored, the offsets are not"):
        restore_here(pod, found, trial=False, tell=quiet)


@pytest.fixture(name="former")
def _former(monkeypatch):
    """A server of version 16, which the same wheel has."""
    there = embedded._binaries(for_others=embedded.is_root()).parents[1] / "pginstall" / "bin"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with monkeypatch.context() as patched:
            patched.setattr(embedded, "_binaries", lambda **_: there)
            server = embedded.start(Path(folder) / "postgresql", port=free_port(), durable=False)
        yield server
        server.child.stop()


def test_a_server_of_a_former_version_takes_its_backup_back(former, tmp_path):
    world = World(former, tmp_path / "b")
    refill = world.back_up()
    world.say("DELETE FROM parcels")
    refill.run()

    assert world.rows() == 3
