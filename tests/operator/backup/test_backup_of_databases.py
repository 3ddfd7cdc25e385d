"""Backups on a real PostgreSQL: of one moment, verified, restored beside, swapped; and the commands around them."""

import json
import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from slipway_operator.backup.creating import create
from slipway_operator.backup.databases import Databases
from slipway_operator.backup.folder import Backups
from slipway_operator.backup.shop import Shop
from slipway_operator.backup.verifying import SCRATCH, verify
from slipway_operator.errors import BackupError, BackupUnusable
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.system import Service, of_one

pytestmark = pytest.mark.integration


@pytest.fixture(name="rows")
def _rows(postgresql, name):
    """The service's connection, on a database with a table of three rows, a sequence and a view."""
    with psycopg.connect(postgresql.ensure_database(name), autocommit=True) as connection:
        connection.execute("CREATE TABLE parcels (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text)")
        connection.execute("CREATE VIEW heard AS SELECT said FROM parcels")
        connection.execute("INSERT INTO parcels (said) VALUES ('a'), ('b'), (repeat('c', 100000))")
        yield connection


@pytest.fixture(name="shop")
def _shop(run_folder, postgresql, name, tmp_path):
    layout = Layout(run_folder, gateway=0, base=postgresql.port)
    (run_folder / "environment.json").write_text(json.dumps({"": {}, name: {}}))
    (run_folder / "ports.json").write_text(json.dumps([0, postgresql.port]))
    service = Service(name=name, processes=("migrate", "http"))
    with layout.locked():
        yield Shop(layout, of_one(service, tmp_path / "pyproject.toml"))


def made(shop, folder, **more):
    said = {"services": [], "passphrase": None, "keep": None, "tell": lambda *_: None, **more}
    return create(shop, Backups(folder), **said)


def count(connection):
    return connection.execute("SELECT count(*) FROM parcels").fetchone()[0]


def test_it_is_of_one_moment_can_be_verified_and_takes_the_database_back(shop, rows, name, tmp_path):
    databases = Databases(shop)
    with databases.snapshot(name) as seen:
        rows.execute("INSERT INTO parcels (said) VALUES ('too late')")
        assert seen.rows == {"public.parcels": 3}
    rows.execute("DELETE FROM parcels WHERE said = 'too late'")
    created = made(shop, tmp_path / "backups")
    [kept] = created.manifest.services
    rows.execute("INSERT INTO parcels (said) VALUES ('d')")

    found = Backups(tmp_path / "backups").named(created.path.name)
    verify(shop, found, tell=lambda *_: None)
    assert not databases.exists(f"{SCRATCH}{name}")
    databases.restored(kept.database, found.path / f"{name}.dump", f"{name}_restoring", owner=name)
    with pytest.raises(BackupError, match="connected still"):
        databases.swap(f"{name}_restoring", name, before=f"{name}_before", mark="mark")
    rows.close()
    databases.swap(f"{name}_restoring", name, before=f"{name}_before", mark="mark")

    assert (databases.mark(name), databases.rows(name)) == ("mark", {"public.parcels": 3})
    assert databases.rows(f"{name}_before") == {"public.parcels": 4}
    with psycopg.connect(shop.url(name, name)) as connection:
        inserted = connection.execute("INSERT INTO parcels (said) VALUES ('e') RETURNING id").fetchone()
    assert inserted == (5,), "the sequence is where it was"


def test_a_database_that_is_gone_comes_back(shop, rows, name, tmp_path):
    created, databases = made(shop, tmp_path), Databases(shop)
    rows.close()
    databases.drop(name)

    databases.restored(created.manifest.services[0].database, created.path / f"{name}.dump", f"{name}_r", owner=name)
    databases.swap(f"{name}_r", name, before=f"{name}_before", mark="mark")

    assert databases.rows(name) == {"public.parcels": 3}
    assert not databases.exists(f"{name}_before")


def test_a_dump_that_was_changed_is_found_by_its_checksum_and_one_that_lacks_rows_by_its_count(
    shop, rows, name, tmp_path
):
    created = made(shop, tmp_path)
    text = (created.path / "manifest.json").read_text()
    (created.path / "manifest.json").write_text(text.replace('"public.parcels": 3', '"public.parcels": 4'))
    with pytest.raises(BackupUnusable, match="has 3 rows, not 4"):
        verify(shop, Backups(tmp_path).named(created.path.name), tell=lambda *_: None)

    dump = created.path / f"{name}.dump"
    changed = bytearray(dump.read_bytes())
    changed[len(changed) // 2] ^= 1
    dump.write_bytes(changed)
    with pytest.raises(BackupUnusable, match="checksum"):
        verify(shop, Backups(tmp_path).named(created.path.name), tell=lambda *_: None)
    assert not Databases(shop).exists(f"{SCRATCH}{name}")


def test_a_dump_can_do_no_more_than_its_service_can(shop, rows, name, tmp_path):
    """It may come from elsewhere: what needs a superuser is refused."""
    with psycopg.connect(shop.url(name), autocommit=True) as superuser:
        superuser.execute("CREATE FUNCTION f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'")
    created = made(shop, tmp_path)

    with pytest.raises(BackupUnusable, match="permission denied"):
        verify(shop, Backups(tmp_path).named(created.path.name), tell=lambda *_: None)


def test_secrets_go_in_under_a_passphrase_alone(shop, rows, name, run_folder, tmp_path):
    (run_folder / "secrets").mkdir(exist_ok=True)
    (run_folder / "secrets" / f"{name}-KEY").write_text("very secret")

    without = made(shop, tmp_path)
    sealed = made(shop, tmp_path, passphrase=b"correct horse battery")

    assert (list(without.left_out), list(sealed.left_out)) == ([f"{name}-KEY"], [])
    assert without.manifest.secrets.sealed is None
    for path in (*without.path.iterdir(), *sealed.path.iterdir()):
        assert b"very secret" not in path.read_bytes()


def command(tmp_path, run_folder, *words):
    """As it is typed in a project."""
    whole = [sys.executable, "-m", "slipway_chassis", "backup", *words, "--data", str(run_folder)]
    return subprocess.Popen(whole, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(name="project")
def _project(shop, name, tmp_path):
    (tmp_path / "pyproject.toml").write_text(f"[tool.slipway.services.{name}]\nprocesses = ['migrate', 'http']\n")
    return tmp_path


def test_one_that_is_killed_in_the_middle_is_never_offered(shop, rows, project, run_folder, tmp_path):
    backups = tmp_path / "backups"
    with psycopg.connect(shop.url(shop.system.services[0].name)) as holding:
        holding.execute("LOCK TABLE parcels")  # it waits for the table
        with command(project, run_folder, "create", "--to", str(backups)) as writer:
            ends = time.monotonic() + 60
            while not list(backups.glob(".partial-*")):
                assert time.monotonic() < ends
                time.sleep(0.05)
            os.kill(writer.pid, signal.SIGKILL)
    with command(project, run_folder, "ls", "--from", str(backups)) as shown:
        assert shown.communicate()[0] == "no backups\n"
    assert list(backups.glob(".partial-*"))

    with command(project, run_folder, "create", "--to", str(backups)) as writer:
        said = writer.communicate()
    assert writer.returncode == 0, said
    assert [each.name for each in backups.iterdir() if each.name != ".lock"] == [said[0].splitlines()[-1].split()[0]]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("verify", "20200101T000000Z"), 1, "there is no backup 20200101T000000Z"),
        (("create", "--service", "nobody"), 1, "nobody has no database here"),
        (("create", "--keep", "0"), 2, "--keep"),
        (("restore",), 2, "BACKUP"),
    ],
)
def test_what_can_not_be_done_is_a_sentence_with_its_code(rows, project, run_folder, words, code, sentence):
    with command(project, run_folder, *words) as running:
        said = running.communicate()[1]

    assert (running.returncode, sentence in said, "Traceback" in said) == (code, True, False), said


def test_postgresql_that_is_away_is_a_dependency(project, run_folder, name):
    (run_folder / "ports.json").write_text(json.dumps([0, 1]))
    with command(project, run_folder, "create") as running:
        said = running.communicate()[1]

    assert (running.returncode, "PostgreSQL" in said) == (3, True), said
