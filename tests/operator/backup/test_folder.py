"""Backups in a folder: whole or not at all, for their owner alone, and read with care."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import pytest

from slipway_operator.backup import folder as folder_module
from slipway_operator.backup.folder import Backups, contents, require_checksum
from slipway_operator.backup.manifest import DatabaseDump, Manifest, ServiceBackup
from slipway_operator.errors import BackupError, BackupUnusable

NOW = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)


def manifest_of(name, dump, service="orders", moment=NOW):
    database = DatabaseDump(database=service, dump=dump, moment=moment, lsn="0/1", rows={})
    return Manifest(name=name, begun=NOW, finished=NOW, services=[ServiceBackup(service=service, database=database)])


def make(folder, content=b"abc", service="orders"):
    with Backups(folder).writing(now=NOW, room=0) as writing:
        return writing.publish(manifest_of(writing.name, writing.add(f"{service}.dump", [content]), service))


def names(folder):
    return sorted(each.name for each in folder.iterdir() if each.name != ".lock")


def test_a_backup_is_offered_under_its_name_for_its_owner_alone(tmp_path):
    path = make(tmp_path / "backups")

    [found] = Backups(tmp_path / "backups").all()
    assert (found.path, found.fault) == (path, "")
    assert {stat.S_IMODE(each.stat().st_mode) for each in path.iterdir()} == {0o600}
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_in_one_second_have_two_names(tmp_path):
    assert [make(tmp_path).name, make(tmp_path).name] == ["20261129T140000Z", "20261129T140000Z-2"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_on_the_way_is_a_sentence_and_leaves_nothing(tmp_path, number):
    def full():
        yield b"abc"
        raise OSError(number, "No space left on device")

    with pytest.raises(BackupError, match="no room"), Backups(tmp_path).writing(now=NOW, room=0) as writing:
        writing.add("orders.dump", full())

    assert names(tmp_path) == []


def test_no_room_before_is_a_sentence_and_leaves_nothing(tmp_path):
    with pytest.raises(BackupError, match="MB free"), Backups(tmp_path).writing(now=NOW, room=2**60):
        pytest.fail("there is no room")

    assert names(tmp_path) == []


def test_an_error_on_the_way_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), Backups(tmp_path).writing(now=NOW, room=0) as writing:
        writing.add("orders.dump", [b"abc"])
        raise KeyboardInterrupt

    assert names(tmp_path) == []


KILLED = """
    import os, signal, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from slipway_operator.backup.folder import Backups
    def chunks():
        yield b"abc"
        print("writing", flush=True)
        signal.pause()
    with Backups(Path(sys.argv[1])).writing(now=datetime.now(UTC), room=0) as writing:
        writing.add("orders.dump", chunks())
"""


def test_one_that_is_killed_is_never_offered_and_goes_with_the_next(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "writing\n"
        [partial] = [each for each in names(tmp_path) if each.startswith(".partial-")]
        assert Backups(tmp_path).all() == []
        with pytest.raises(BackupError, match="another backup is being written"):
            make(tmp_path)
        assert partial in names(tmp_path), "its owner lives"
        os.kill(writer.pid, signal.SIGKILL)

    assert Backups(tmp_path).all() == []
    with pytest.raises(BackupUnusable, match="interrupted"):
        Backups(tmp_path).named(str(tmp_path / partial))
    made = make(tmp_path)

    assert names(tmp_path) == [made.name]


def test_a_folder_without_a_manifest_is_told_and_not_given(tmp_path):
    path = make(tmp_path)
    (path / "manifest.json").unlink()

    assert "no manifest" in Backups(tmp_path).all()[0].fault
    with pytest.raises(BackupUnusable, match="no manifest"):
        Backups(tmp_path).named(path.name)


@pytest.mark.parametrize("spoil", ["shorter", "gone", "link", "pipe"])
def test_a_file_that_is_not_as_the_manifest_says_is_told(tmp_path, spoil):
    path = make(tmp_path)
    dump = path / "orders.dump"
    if spoil == "shorter":
        dump.write_bytes(b"ab")
    else:
        dump.unlink()
    if spoil == "link":
        dump.symlink_to(tmp_path / "elsewhere")
    if spoil == "pipe":
        os.mkfifo(dump)

    with pytest.raises(BackupUnusable, match=r"orders\.dump"):
        Backups(tmp_path).named(path.name)


def test_another_content_of_the_same_size_is_told_by_its_checksum(tmp_path):
    path = make(tmp_path)
    (path / "orders.dump").write_bytes(b"abd")
    found = Backups(tmp_path).named(str(path))
    [file] = found.manifest.files()

    for check in (lambda: require_checksum(path, file), lambda: contents(path, file, limit=10)):
        with pytest.raises(BackupUnusable, match="checksum"):
            check()


def test_a_link_to_a_manifest_is_not_followed(tmp_path):
    path = make(tmp_path)
    (path / "manifest.json").rename(tmp_path / "other.json")
    (path / "manifest.json").symlink_to(tmp_path / "other.json")

    assert "can't be opened" in Backups(tmp_path).all()[0].fault


def test_a_link_to_a_folder_is_not_offered(tmp_path):
    path = make(tmp_path / "elsewhere")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / path.name).symlink_to(path)

    assert Backups(tmp_path / "here").all() == []


def test_a_name_that_is_none_is_told_with_those_that_are(tmp_path):
    made = make(tmp_path)

    with pytest.raises(BackupUnusable, match=f"there are: {made.name}"):
        Backups(tmp_path).named("20200101T000000Z")


def test_keep_removes_older_ones_of_the_same_services_and_no_others(tmp_path):
    other = make(tmp_path, service="users")
    first, second = make(tmp_path), make(tmp_path)
    backups = Backups(tmp_path)
    with backups.writing(now=NOW, room=0) as writing:
        third = writing.publish(manifest_of(writing.name, writing.add("orders.dump", [b"x"])))
        gone = backups.forget(2, made=writing.name)

    assert gone == [first.name]
    assert names(tmp_path) == sorted([other.name, second.name, third.name])


def test_a_clock_that_was_set_back_takes_nothing_of_what_was_made_now(tmp_path):
    """By the clock it is the oldest one, and the command would call it whole and remove it."""
    first, second = make(tmp_path), make(tmp_path)
    backups = Backups(tmp_path)
    with backups.writing(now=NOW - timedelta(days=1), room=0) as writing:
        dump = writing.add("orders.dump", [b"x"])
        made = writing.publish(manifest_of(writing.name, dump, moment=NOW - timedelta(days=1)))
        gone = backups.forget(1, made=writing.name)

    assert gone == [first.name, second.name]
    assert names(tmp_path) == [made.name]


def test_a_copy_under_another_name_is_a_person_s(tmp_path):
    first = make(tmp_path)
    shutil.copytree(first, tmp_path / "before-the-move")
    backups = Backups(tmp_path)
    with backups.writing(now=NOW, room=0) as writing:
        second = writing.publish(manifest_of(writing.name, writing.add("orders.dump", [b"x"])))
        assert backups.forget(1, made=writing.name) == [first.name]

    assert names(tmp_path) == sorted(["before-the-move", second.name])


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "/" + "y" * 5000])
def test_a_name_that_no_file_can_have_is_a_sentence(tmp_path, name):
    with pytest.raises(BackupUnusable, match=r"there is no backup|can't be looked for"):
        Backups(tmp_path).named(name)


def test_a_folder_that_nobody_may_write_to_is_a_sentence(tmp_path, monkeypatch):
    def refuse(*_arguments, **_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(folder_module.os, "open", refuse)

    with pytest.raises(BackupError, match="Permission denied"):
        make(tmp_path)
