"""The contracts of all services of a repository: in its working tree, in a folder, or at a commit."""

import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

from ..errors import UnreadableContracts
from .bundle import INDEX, Contracts
from .verdict import Shown

FOLDER = "contracts"  # beside a service's pyproject.toml


def in_folder(root: Path, services: str = "services") -> dict[str, Shown]:
    """By the name of the service's folder; the error of those that can't be read."""
    indexes = sorted((root / services).glob(f"*/{FOLDER}/{INDEX}"))
    return {
        index.parent.parent.name: shown(_reading(index.parent), str(index.parent.relative_to(root)))
        for index in indexes
    }


def at_commit(root: Path, commit: str, services: str = "services") -> dict[str, Shown]:
    """As they are committed there: nothing of that commit is run."""
    listed = _git(root, "ls-tree", "-r", "--name-only", "-z", "--full-tree", commit, "--", services).decode()
    prefix = f"{services}/"
    names = {
        path.removeprefix(prefix).split("/")[0]
        for path in listed.split("\0")
        if path.startswith(prefix) and path.endswith(f"/{FOLDER}/{INDEX}")
    }
    folders = {name: f"{services}/{name}/{FOLDER}" for name in sorted(names)}
    return {name: shown(_showing(root, commit, folder), f"{commit}:{folder}") for name, folder in folders.items()}


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


def _reading(folder: Path) -> Callable[[str], bytes]:
    def fetch(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise UnreadableContracts(f"{folder / path} can't be read: {error.strerror}") from None

    return fetch


def _showing(root: Path, commit: str, folder: str) -> Callable[[str], bytes]:
    return lambda path: _git(root, "show", f"{commit}:{folder}/{path}")


def _git(root: Path, *arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)  # noqa: S607
    if done.returncode:
        raise UnreadableContracts(done.stderr.decode(errors="replace").strip().splitlines()[-1])
    return done.stdout
