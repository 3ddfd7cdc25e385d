"""Backups in a folder: each gets there as a whole or not at all, and is read with care.

A backup is written into ``.partial-NAME``, brought to the disk, and renamed. One writer at a time holds the folder's
lock, which ends with its process: so what is partial while one holds it is of a process that has ended, and can go.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from ..errors import BackupError, BackupUnusable
from .manifest import LARGEST_MANIFEST, MANIFEST, KeptFile, Manifest, faults_of, name_of, read_manifest, too_many

PARTIAL, LOCK = ".partial-", ".lock"
MODE, FOLDER_MODE = 0o600, 0o700
LONGEST_SHOWN = 80  # characters of a name that is none
CHUNK = 1024 * 1024
# What is left free beside what is written, in bytes.
SPARE = 64 * 1024 * 1024
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in a folder of backups under one name. ``fault``: why it can't be restored; empty: it can."""

    path: Path
    manifest: Manifest | None = None
    fault: str = ""


class Writing:
    """A backup that is being written to a folder of its own, which nobody is offered yet."""

    def __init__(self, backups: Path, name: str) -> None:
        self.name = name
        self.path = backups / f"{PARTIAL}{name}"
        self.path.mkdir(mode=FOLDER_MODE)

    def add(self, file: str, chunks: Iterable[bytes]) -> KeptFile:
        """Writes a file for its owner alone, and brings it to the disk. OSError when there is no room."""
        checksum, size = hashlib.sha256(), 0
        descriptor = os.open(self.path / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
        with os.fdopen(descriptor, "wb") as opened:
            for chunk in chunks:
                opened.write(chunk)
                checksum.update(chunk)
                size += len(chunk)
            opened.flush()
            os.fsync(opened.fileno())
        return KeptFile(file=file, size=size, sha256=checksum.hexdigest())

    def publish(self, manifest: Manifest) -> Path:
        """Writes the manifest, and then offers the backup under its name."""
        self.add(MANIFEST, [manifest.model_dump_json(indent=1).encode()])
        _to_disk(self.path)
        offered = self.path.with_name(self.name)
        self.path.rename(offered)
        _to_disk(offered.parent)
        return offered


class Backups:
    """Those in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- writing
    @contextmanager
    def writing(self, *, now: datetime, room: int) -> Iterator[Writing]:
        """What is published in the block is offered; when the block ends otherwise nothing is left of it.

        ``now`` gives it its name. ``room``: bytes that it may take. BackupError when there is less, when it turns out
        that there was, and when another process writes here.
        """
        self._make()
        with self._locked():
            self._remove_partial()
            self._require_room(room)
            try:
                yield Writing(self.folder, name_of(now, [each.path.name for each in self.all()]))
            except OSError as error:
                if error.errno in NO_ROOM:
                    raise BackupError(f"{self.folder} has no room for the backup: {error.strerror}") from None
                raise BackupError(f"the backup can't be written to {self.folder}: {error}") from None
            finally:
                self._remove_partial()

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        except OSError as error:
            raise BackupError(f"{self.folder} can't be made: {error.strerror}") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, MODE)
        except OSError as error:
            raise BackupError(f"nothing can be written to {self.folder}: {error.strerror}") from None
        with os.fdopen(descriptor, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BackupError(f"another backup is being written to {self.folder}: wait until it is done") from None
            yield

    def _remove_partial(self) -> None:
        for left in self.folder.glob(f"{PARTIAL}*"):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)

    def _require_room(self, room: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < room + SPARE:
            raise BackupError(
                f"{self.folder} has {free // 1024**2} MB free, and the backup may take {room // 1024**2 + 1} MB "
                f"beside {SPARE // 1024**2} MB that are left: name another folder (--to), or make room"
            )

    def forget(self, keep: int, *, made: str) -> list[str]:
        """Removes whole backups beyond the newest ``keep`` of the same services; returns their names. ``made``: the one
        that was written now, which stays, though a clock that was set back made it look old. A copy under another name
        is a person's. To be called in the block of ``writing``, which holds the folder.
        """
        there = {
            each.path.name: each
            for each in self.all()
            if each.manifest and not each.fault and each.manifest.name == each.path.name
        }
        old = too_many((each.manifest for each in there.values() if each.manifest), keep, made=made)
        for manifest in old:
            path = there[manifest.name].path
            leaving = path.with_name(f"{PARTIAL}{path.name}")  # an interrupted removal is not offered either
            path.rename(leaving)
            shutil.rmtree(leaving, ignore_errors=True)
        return [each.name for each in old]

    # --- reading
    def all(self) -> list[Found]:
        """Everything that is offered, the oldest first; what is partial is not."""
        if not self.folder.is_dir():
            return []
        return [self._found(path) for path in sorted(self.folder.iterdir()) if _is_offered(path)]

    @staticmethod
    def _found(path: Path) -> Found:
        try:
            manifest = manifest_in(path)
        except BackupUnusable as error:
            return Found(path, fault=str(error))
        faults = faults_of(manifest, sizes_in(path, manifest))
        return Found(path, manifest, "; ".join(faults))

    def named(self, reference: str) -> Found:
        """A backup by its name in this folder, or by the path of its own folder. BackupUnusable when it is none, or not
        whole.
        """
        try:
            is_name = Path(reference).name == reference and _is_offered(self.folder / reference)
            path = self.folder / reference if is_name else Path(reference)
            is_there = path.is_dir()
        except (OSError, ValueError) as error:  # too long, a zero byte, a folder that may not be looked into
            raise BackupUnusable(f"{reference[:LONGEST_SHOWN]} can't be looked for: {error}") from None
        if path.name.startswith(PARTIAL):
            raise BackupUnusable(f"{path} was interrupted, and is no backup")
        if not is_there:
            there = ", ".join(each.path.name for each in self.all() if not each.fault) or "none"
            raise BackupUnusable(f"there is no backup {reference}; in {self.folder} there are: {there}")
        found = self._found(path)
        if found.fault:
            raise BackupUnusable(f"{path} can't be used: {found.fault}")
        return found


def _is_offered(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.name.startswith(".")


def _to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def manifest_in(path: Path) -> Manifest:
    """Raises BackupUnusable when there is none that can be read."""
    try:
        with _opened(path / MANIFEST) as file:
            return read_manifest(file.read(LARGEST_MANIFEST + 1))
    except FileNotFoundError:
        raise BackupUnusable(f"it has no {MANIFEST}") from None
    except OSError as error:
        raise BackupUnusable(f"its {MANIFEST} can't be opened: {error.strerror}") from None


def sizes_in(path: Path, manifest: Manifest) -> Mapping[str, int]:
    """Sizes in bytes of the manifest's files that are there as plain files."""
    found = {}
    for each in manifest.files():
        with suppress(OSError):
            seen = (path / each.file).lstat()
            if stat.S_ISREG(seen.st_mode):
                found[each.file] = seen.st_size
    return found


def contents(path: Path, file: KeptFile, *, limit: int) -> bytes:
    """A small file, checked; BackupUnusable when it has more than ``limit`` bytes or is not the one of the manifest."""
    if file.size > limit:
        raise BackupUnusable(f"{file.file} has more than {limit} bytes")
    with _opened(path / file.file) as opened:
        text = opened.read(limit + 1)
    if hashlib.sha256(text).hexdigest() != file.sha256:
        raise BackupUnusable(f"{file.file} is not what the manifest says: its checksum is another one")
    return text


def require_checksum(path: Path, file: KeptFile) -> None:
    """Reads the whole file; BackupUnusable when it is not the one of the manifest."""
    checksum, left = hashlib.sha256(), file.size
    with _opened(path / file.file) as opened:
        while left > 0 and (chunk := opened.read(min(CHUNK, left))):
            checksum.update(chunk)
            left -= len(chunk)
    if left or checksum.hexdigest() != file.sha256:
        raise BackupUnusable(f"{file.file} is not what the manifest says: its checksum is another one")


def _opened(path: Path) -> BinaryIO:
    """A plain file: no link leads elsewhere, and no pipe is waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BackupUnusable(f"{path.name} is no plain file")
    return os.fdopen(descriptor, "rb")
