"""The contracts of all services of a repository: in its working tree, in a folder, or at a commit.

Of services in a folder each, and of one at the root. The latter is called as its index says.
"""

import subprocess
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from .bundle import INDEX, MAX_FILE_BYTES, Contracts
from .errors import UnreadableContracts
from .verdict import Shown

FOLDER = "contracts"  # beside a service's pyproject.toml


def in_folder(root: Path, services: str = "services") -> dict[str, Shown]:
    """By the name of the service's folder; the error of those that can't be read."""
    indexes = sorted((root / services).glob(f"*/{FOLDER}/{INDEX}"))
    found = {
        index.parent.parent.name: shown(reading(index.parent), str(index.parent.relative_to(root))) for index in indexes
    }
    own = root / FOLDER
    return found | (_at_root(shown(reading(own), FOLDER)) if (own / INDEX).is_file() else {})


def at_commit(root: Path, commit: str, services: str = "services") -> dict[str, Shown]:
    """As they are committed there: nothing of that commit is run."""
    top = PurePosixPath(read_by_git(root, "rev-parse", "--show-prefix").decode().strip())
    below = ["--", str(top)] if top.name else []
    listed = read_by_git(root, "ls-tree", "-r", "--name-only", "-z", "--full-tree", commit, *below).decode(
        errors="replace"
    )
    indexes = [PurePosixPath(path) for path in listed.split("\0") if path.endswith(f"{FOLDER}/{INDEX}")]
    own, folders = top / FOLDER, {each.parent for each in indexes if each.parent.name == FOLDER}
    of_services = {each.parent.name: each for each in folders - {own} if each.parent.parent == top / services}
    found = {
        name: shown(_showing(root, commit, folder), f"{commit}:{folder}")
        for name, folder in sorted(of_services.items())
    }
    return found | (_at_root(shown(_showing(root, commit, own), f"{commit}:{own}")) if own in folders else {})


def folder_of(root: Path, services: str, name: str) -> str:
    """Where the contracts of a service of the working tree lie, below the root."""
    at_root = (root / FOLDER / INDEX).is_file() and not (root / services / name).is_dir()
    return FOLDER if at_root else str(PurePosixPath(services, name, FOLDER))


def _at_root(contracts: Shown) -> dict[str, Shown]:
    return {contracts.service if isinstance(contracts, Contracts) else ".": contracts}


def without_contracts(root: Path, services: str, known: Collection[str]) -> list[str]:
    """Services of the working tree that committed none."""
    there = [path.parent.name for path in (root / services).glob("*/pyproject.toml")]
    return sorted(name for name in there if name not in known and (root / services / name / "src" / name).is_dir())


def shown(fetch: Callable[[str], bytes], folder: str = "") -> Shown:
    """What ``Contracts.read`` gives, or why it can't be read. ``folder``: where its files lie."""
    try:
        return Contracts.read(fetch, where=f"{folder}/" if folder else "")
    except UnreadableContracts as error:
        return error


def reading(folder: Path) -> Callable[[str], bytes]:
    """Files below ``folder`` by their path, no more than shows that one is too large; UnreadableContracts for one that
    is not there.
    """

    def fetch(path: str) -> bytes:
        try:
            if not (folder / path).is_file() and (folder / path).exists():  # a pipe would be waited for
                raise UnreadableContracts(f"{folder / path} is no file")
            with (folder / path).open("rb") as file:
                return file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise UnreadableContracts(f"{folder / path} can't be read: {error.strerror}") from None

    return fetch


def _showing(root: Path, commit: str, folder: PurePosixPath) -> Callable[[str], bytes]:
    def fetch(path: str) -> bytes:
        name = f"{commit}:{folder / path}"
        size = int(read_by_git(root, "cat-file", "-s", name))
        if size > MAX_FILE_BYTES:
            raise UnreadableContracts(f"{name} is too large: {size} bytes, of at most {MAX_FILE_BYTES}")
        return read_by_git(root, "show", name)

    return fetch


def read_by_git(root: Path, *arguments: str) -> bytes:
    """What git prints; UnreadableContracts with the last line of what it says instead."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)  # noqa: S607
    except FileNotFoundError:
        raise UnreadableContracts(
            "git is not installed, and commits are read by it. Or compare with a folder"
        ) from None
    except (ValueError, OSError) as error:  # a zero byte, or more than an argument may have
        raise UnreadableContracts(f"git can't be asked for that: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnreadableContracts(said[-1] if said else f"git {arguments[0]} ended with {done.returncode}")
    return done.stdout
