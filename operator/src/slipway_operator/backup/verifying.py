"""``slipway backup verify``: a backup that was never restored is a hope, so each dump is restored and counted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import BackupError, BackupUnusable
from .connections import connected
from .databases import Databases
from .folder import Found, contents, require_checksum
from .manifest import Manifest, ServiceBackup
from .sealing import LARGEST as LARGEST_SECRETS
from .sealing import unseal
from .shop import Shop

SCRATCH = "slipway_scratch_"
# Of scratch databases: one command at a time uses them, and what it finds of them is of one that was killed.
_LOCK = "SELECT pg_try_advisory_lock(hashtext('slipway backup scratch'))"

Tell = Callable[[str, str], None]


def verify(shop: Shop, found: Found, *, tell: Tell) -> None:
    """Compares checksums, restores each dump into a scratch database, compares its rows, and drops it. BackupUnusable
    that names what is wrong; DatabaseUnavailable when PostgreSQL is away.
    """
    require_files(found, tell=tell)
    for service in whole(found).services:
        with scratch(shop, found.path, service):
            rows = sum(service.database.rows.values())
            tell(
                service.service, f"restored into a scratch database: {rows} rows in {len(service.database.rows)} tables"
            )


def require_files(found: Found, *, tell: Tell) -> None:
    """BackupUnusable when one is not what the manifest says."""
    manifest = whole(found)
    for file in manifest.files():
        require_checksum(found.path, file)
    tell("checksums", f"of {sum(1 for _ in manifest.files())} files are right, {manifest.size} bytes")


def unsealed(found: Found, passphrase: bytes) -> dict[str, bytes]:
    """Its secrets, by name; BackupUnusable when it has none, or they do not open."""
    sealed = whole(found).secrets.sealed
    if sealed is None:
        raise BackupUnusable(f"{whole(found).name} has no secrets: they were left out")
    values = unseal(contents(found.path, sealed, limit=LARGEST_SECRETS), passphrase)
    if wrong := [name for name in values if "/" in name]:
        raise BackupUnusable(f"its secrets have {wrong[0]!r}, which is no name of a file")
    return values


def whole(found: Found) -> Manifest:
    """The manifest of what ``Backups.named`` found."""
    assert found.manifest  # noqa: S101 # a backup without one is not given
    return found.manifest


@contextmanager
def scratch(shop: Shop, folder: Path, service: ServiceBackup) -> Iterator[str]:
    """A database with what the backup has of the service, for the block; its name. BackupError while another command
    has one.
    """
    databases, name = Databases(shop), f"{SCRATCH}{service.service}"
    shop.chosen([service.service])
    with connected(shop.url("postgres")) as lock:
        taken = lock.execute(_LOCK).fetchone()
        if not taken or not taken[0]:
            raise BackupError("another command restores into scratch databases: wait until it is done")
        try:
            databases.restored(service.database, folder / service.database.dump.file, name, owner=service.service)
            yield name
        finally:
            databases.drop(name)
