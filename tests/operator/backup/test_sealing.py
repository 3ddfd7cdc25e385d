"""Secrets under a passphrase."""

import pytest

from slipway_operator.backup.sealing import SHORTEST, fingerprint, is_same, passphrase_of, put_back, seal, unseal
from slipway_operator.errors import BackupError, BackupUnusable

PASSPHRASE = b"correct horse battery"
SEALED = seal({"users-KEY": b"secret"}, PASSPHRASE)


def test_what_is_sealed_opens_with_the_passphrase_and_hides_without_it():
    assert unseal(SEALED, PASSPHRASE) == {"users-KEY": b"secret"}
    assert b"secret" not in SEALED
    assert b"users-KEY" not in SEALED


def test_a_secret_of_any_bytes_comes_back_as_it_was(tmp_path):
    secret = b"\xff\x00line\r\nline\n"
    put_back(tmp_path / "users-KEY", unseal(seal({"users-KEY": secret}, PASSPHRASE), PASSPHRASE)["users-KEY"])

    assert (tmp_path / "users-KEY").read_bytes() == secret
    assert (tmp_path / "users-KEY").stat().st_mode & 0o077 == 0


def test_the_same_secrets_are_sealed_otherwise_each_time():
    assert seal({"users-KEY": b"secret"}, PASSPHRASE) != SEALED


@pytest.mark.parametrize("position", [0, 20, 35, 50, -1])
def test_a_changed_byte_is_found(position):
    changed = bytearray(SEALED)
    changed[position] ^= 1

    with pytest.raises(BackupUnusable):
        unseal(bytes(changed), PASSPHRASE)


@pytest.mark.parametrize("text", [b"", SEALED[:30], SEALED[:-1], b"x" * 100], ids=["empty", "begun", "cut", "else"])
def test_what_is_cut_or_something_else_is_a_sentence(text):
    with pytest.raises(BackupUnusable):
        unseal(text, PASSPHRASE)


def test_another_passphrase_does_not_open_it():
    with pytest.raises(BackupUnusable, match="passphrase"):
        unseal(SEALED, b"wrong horse battery")


@pytest.mark.parametrize(("text", "good"), [(b"x" * SHORTEST + b"\r\nmore", True), (b"short\n", False), (b"", False),
                                            (b"x" * 5000, False)])  # fmt: skip
def test_a_passphrase_is_the_first_line_of_a_file_and_has_bounds(tmp_path, text, good):
    file = tmp_path / "passphrase"
    file.write_bytes(text)
    if good:
        assert passphrase_of(file) == b"x" * SHORTEST
    else:
        with pytest.raises(BackupError, match="bytes"):
            passphrase_of(file)


def test_fingerprints_tell_secrets_apart_and_do_not_show_them():
    assert is_same(b"one", fingerprint(b"one"))
    assert not is_same(b"two", fingerprint(b"one"))
    assert "one" not in fingerprint(b"one")
