"""Secrets under a passphrase: scrypt makes the key, AES-256-GCM encrypts and proves that nothing was changed."""

import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ..errors import BackupError, BackupUnusable

MAGIC = b"slipway-sealed-1"
SALT_BYTES, NONCE_BYTES = 16, 12
# 64 MB of memory and a fifth of a second for each guess.
COST, BLOCK, PARALLEL = 2**16, 8, 1
SHORTEST, LONGEST = 12, 1024
LARGEST = 1024 * 1024
ANY_BYTES = "surrogateescape"  # a secret may be no text, and what seals it takes text


def passphrase_of(file: Path) -> bytes:
    """The first line of ``file``; BackupError when it is shorter than SHORTEST bytes or longer than LONGEST."""
    try:
        with file.open("rb") as opened:
            line = opened.readline(LONGEST + 2).rstrip(b"\r\n")
    except OSError as error:
        raise BackupError(f"the passphrase can't be read: {file}: {error.strerror}") from None
    if not SHORTEST <= len(line) <= LONGEST:
        raise BackupError(f"the passphrase in {file} must have {SHORTEST} to {LONGEST} bytes in its first line")
    return line


def seal(values: Mapping[str, bytes], passphrase: bytes) -> bytes:
    """The values, readable with the passphrase alone."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    text = json.dumps({name: value.decode(errors=ANY_BYTES) for name, value in values.items()}).encode()
    return MAGIC + salt + nonce + AESGCM(_key(salt, passphrase)).encrypt(nonce, text, MAGIC)


def unseal(sealed: bytes, passphrase: bytes) -> dict[str, bytes]:
    """What was sealed; BackupUnusable when the passphrase is another one, or a byte was changed."""
    begin = len(MAGIC) + SALT_BYTES
    salt, nonce, text = sealed[len(MAGIC) : begin], sealed[begin : begin + NONCE_BYTES], sealed[begin + NONCE_BYTES :]
    if not sealed.startswith(MAGIC) or len(text) < SALT_BYTES:
        raise BackupUnusable("its secrets are not in a form that this release reads")
    try:
        opened = AESGCM(_key(salt, passphrase)).decrypt(nonce, text, MAGIC)
    except InvalidTag:
        raise BackupUnusable(
            "its secrets do not open: the passphrase is another one, or the file was changed"
        ) from None
    found: dict[str, str] = json.loads(opened)
    return {name: value.encode(errors=ANY_BYTES) for name, value in found.items()}


def _key(salt: bytes, passphrase: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=COST, r=BLOCK, p=PARALLEL).derive(passphrase)


def fingerprint(secret: bytes) -> str:
    """Tells two secrets apart. It says nothing about one that was drawn by chance, as those of ``slipway up`` are."""
    return hashlib.sha256(b"slipway backup\0" + secret).hexdigest()[:16]


def is_same(secret: bytes, known: str) -> bool:
    return secrets.compare_digest(fingerprint(secret), known)


def put_back(file: Path, secret: bytes) -> None:
    """Written beside it and moved there, for its owner alone: whoever reads sees the old one or the new one."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".new")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(secret)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
