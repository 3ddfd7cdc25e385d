"""The manifest: what it takes from outside, what is wrong with a folder, RPO, names, and what --keep removes."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_operator.backup.manifest import (
    LARGEST_MANIFEST,
    NAME,
    DatabaseDump,
    KeptFile,
    Manifest,
    Secrets,
    ServiceBackup,
    faults_of,
    name_of,
    read_manifest,
    seconds_lost,
    too_many,
)
from slipway_operator.backup.rows import differences
from slipway_operator.errors import BackupUnusable

NOW = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)
moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
counts = st.dictionaries(words, st.integers(0, 9), max_size=5)


def kept(file, size=3):
    return KeptFile(file=file, size=size, sha256="a" * 64)


def of_service(name="orders", moment=NOW, rows=None):
    dump = DatabaseDump(database=name, dump=kept(f"{name}.dump"), moment=moment, lsn="0/1A2B", rows=rows or {})
    return ServiceBackup(service=name, database=dump)


def manifest(*services, name="20261129T140000Z", **more):
    given_ = services or (of_service(),)
    return Manifest(name=name, begun=NOW, finished=NOW, services=given_, **more)


def changed(**changes):
    return json.dumps(json.loads(manifest().model_dump_json()) | changes).encode()


def test_what_was_written_is_read():
    made = manifest(of_service(), of_service("users"), secrets=Secrets(sealed=kept("secrets.sealed")))

    assert read_manifest(made.model_dump_json().encode()) == made


@pytest.mark.parametrize(
    "file",
    ["../orders.dump", "/etc/passwd", "a/b.dump", "..", ".", "orders.dump\n", "orders.dump\0", "", ".partial-x", "a..b",
     "orders\\x.dump", "ORDERS.dump", "orders.dump/"],
)  # fmt: skip
def test_a_file_outside_of_its_folder_is_refused(file):
    text = manifest().model_dump_json().replace("orders.dump", "@@").replace("@@", json.dumps(file)[1:-1])

    with pytest.raises(BackupUnusable, match="can't be read"):
        read_manifest(text.encode())


@given(words)
def test_no_name_of_a_file_leads_out_of_the_folder(file):
    text = manifest().model_dump_json().replace('"orders.dump"', json.dumps(file))
    try:
        read = read_manifest(text.encode())
    except BackupUnusable:
        return
    assert all("/" not in each.file and not each.file.startswith(".") for each in read.files())


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"null", b"[]", b"\xff\xfe", changed(format=2), changed(services=[]), changed(extra=1),
     changed(name="../x"), changed(finished="2026-11-29T14:00:00"), b"[" * 100_000, b" " * (LARGEST_MANIFEST + 1)],
)  # fmt: skip
def test_what_is_no_manifest_is_a_sentence(text):
    with pytest.raises(BackupUnusable):
        read_manifest(text)


def test_two_services_or_files_of_one_name_are_refused():
    doubled = json.loads(manifest().model_dump_json())
    doubled["services"] *= 2

    with pytest.raises(BackupUnusable, match="named twice"):
        read_manifest(json.dumps(doubled).encode())


def test_a_size_is_bounded_below():
    with pytest.raises(BackupUnusable):
        read_manifest(manifest().model_dump_json().replace('"size":3', '"size":-1').encode())


def test_faults_name_what_is_missing_and_what_has_another_size():
    made = manifest(of_service(), of_service("users"))

    assert faults_of(made, {"orders.dump": 3, "users.dump": 3}) == []
    assert faults_of(made, {"users.dump": 2}) == ["orders.dump is missing", "users.dump has 2 bytes, not 3"]


def test_a_service_that_is_not_in_it_is_told_with_those_that_are():
    with pytest.raises(BackupUnusable, match="has no users, only: orders"):
        manifest().of("users")


@given(moments, moments)
def test_what_is_lost_is_never_negative_and_is_the_time_between(moment, stopped):
    lost = seconds_lost(moment, stopped)

    assert lost >= 0
    assert lost == pytest.approx(max(0, (stopped - moment).total_seconds()))


@given(moments, st.integers(0, 4))
def test_a_name_is_new_and_sorts_by_time(now, before):
    taken = []
    for _ in range(before):
        taken.append(name_of(now, taken))
    name = name_of(now, taken)

    assert name not in taken
    assert manifest(name=name).name == name
    assert name[:16] > name_of(now - timedelta(seconds=1), [])[:16]
    assert re.fullmatch(NAME, name)


@given(
    st.lists(st.tuples(moments, st.sets(st.sampled_from(["orders", "users"]), min_size=1)), max_size=8),
    st.integers(1, 4),
)
def test_the_newest_of_each_set_of_services_stay(made, keep):
    given_ = [
        manifest(*(of_service(each, moment) for each in sorted(services)), name=f"20261129T14{number:04}Z")
        for number, (moment, services) in enumerate(made)
    ]
    gone = too_many(given_, keep)

    for services in {frozenset(one.service for one in each.services) for each in given_}:
        alike = [each for each in given_ if frozenset(one.service for one in each.services) == services]
        left = [each for each in alike if each not in gone]
        assert len(left) == min(keep, len(alike))
        lost = [each for each in alike if each in gone]
        assert not lost or max(each.moment for each in lost) <= min(each.moment for each in left)


@given(counts, counts)
def test_rows_differ_where_and_only_where_counts_do(expected, found):
    assert bool(differences(expected, found)) == (expected != found)


def test_many_differences_are_counted_and_not_all_told():
    told = differences({f"t{number}": 1 for number in range(9)}, {})

    assert told[-1] == "and 4 tables more"
