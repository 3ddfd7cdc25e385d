"""The contracts of all services of a repository that is somewhere else, by git: ``https://host/users.git#v1.4``.

What comes after # is a branch, a tag or a commit; without it, what the repository shows first. One commit is fetched,
without files that are too large for contracts where the server can leave them out; nothing of it is checked out or run.
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from .bundle import MAX_FILE_BYTES
from .errors import UnreadableContracts
from .tree import at_commit, read_by_git
from .verdict import Shown

SECONDS = 120.0
MAX_FETCHED_BYTES = 512 * 1024 * 1024  # of one file: a server may send what nobody asked for
MAX_COMPLAINT_BYTES = 64 * 1024
_BOUNDED = 'ulimit -f "$0"; export GIT_TERMINAL_PROMPT=0; exec "$@"'
SECRET = re.compile(r"(?<=://)[^/@\s]+@")  # a token may stand in the address
NAMED_BY_SCHEME = ("git+", "git://", "ssh://")


def is_repository(place: str) -> bool:
    """Whether it is read by git.

    >>> is_repository("git@host:team/users.git#main"), is_repository("https://shop.example/contracts")
    (True, False)
    """
    return place.startswith(NAMED_BY_SCHEME) or place.partition("#")[0].endswith(".git")


def at_remote(place: str, services: str = "services", *, seconds: float = SECONDS) -> dict[str, Shown]:
    """By service, as ``at_commit``. Raises UnreadableContracts for what can't be fetched within ``seconds``."""
    address, _, commit = place.removeprefix("git+").partition("#")
    if address.startswith("-") or commit.startswith("-"):
        raise UnreadableContracts(f"{place} is no address of a repository: git takes it for an option")
    if os.path.exists(address):  # noqa: PTH110 # Path.exists raises for what is too long to be a path
        address = str(Path(address).resolve())
    with tempfile.TemporaryDirectory(prefix="slipway-contracts-") as folder:
        read_by_git(Path(folder), "init", "-q")
        read_by_git(Path(folder), "remote", "add", "origin", address)
        _fetch(Path(folder), commit or "HEAD", SECRET.sub("", f"{address}#{commit or 'HEAD'}"), seconds)
        return at_commit(Path(folder), "FETCH_HEAD", services)


def _end_all_of(git: subprocess.Popen[bytes]) -> None:
    """The programs that speak for it (git-remote-https, ssh) as well: they wait for the server longer than it does."""
    if git.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(git.pid, signal.SIGKILL)


def _fetch(folder: Path, commit: str, named: str, seconds: float) -> None:
    """Who would be asked for a password is told instead: there is nobody to type it."""
    fetch = ["fetch", "-q", "--depth=1", "--no-tags", f"--filter=blob:limit={MAX_FILE_BYTES}", "origin", commit]
    complaint = folder / "complaint"
    with complaint.open("wb") as said, subprocess.Popen(
        ["/bin/sh", "-c", _BOUNDED, str(MAX_FETCHED_BYTES // 512), "git", "-C", str(folder), *fetch],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True,
    ) as git:  # fmt: skip
        try:
            git.wait(seconds)
        except subprocess.TimeoutExpired:
            raise UnreadableContracts(f"{named} was not fetched within {seconds:g} s") from None
        finally:
            _end_all_of(git)
    if git.returncode:
        with complaint.open("rb") as file:
            file.seek(max(0, complaint.stat().st_size - MAX_COMPLAINT_BYTES))
            lines = SECRET.sub("", file.read().decode(errors="replace")).strip().splitlines()
        why = next((line for line in lines if line.startswith("fatal:")), "git did not say why")[:300]
        raise UnreadableContracts(f"{named} can't be fetched: {why.removeprefix('fatal: ')}")
