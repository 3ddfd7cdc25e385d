"""What a version is on one machine: its name, its settings, and the code it runs, which is copied when it is released.

The version ``dev`` is the working tree itself: it runs what lies there, and is what ``slipway up`` begins with. As a
way back from what was edited and released since, it runs what lay there when it began.
"""

import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import LocalRuntimeError
from ...spec.fields import CONSUMING, SERVING, WORKERS
from ...spec.hashing import digest
from .system import Process, Service

DEV = "dev"
LABEL = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,38}[A-Za-z0-9])?$"
MOST_FILES, MOST_BYTES = 5_000, 100 * 1024 * 1024
_CACHES = {"__pycache__", "node_modules"}


class Version(BaseModel):
    """``source``: the folder that is put before all others on Python's path; empty: what is installed. ``folder``:
    where a command of its own is started. ``module``, ``health`` and ``port`` as of a service.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str
    label: str = Field(pattern=LABEL)
    processes: tuple[Process, ...]
    env: Mapping[str, str] = {}
    command: tuple[str, ...] = ()
    module: str = ""
    health: str = ""
    port: int | None = None
    folder: str = ""
    source: str = ""
    origin: str = ""  # where the source was copied from
    made: datetime

    @property
    def serving(self) -> list[str]:
        return [process for process in self.processes if process in SERVING]

    @property
    def workers(self) -> list[str]:
        return [process for process in self.processes if process in WORKERS]

    @property
    def consumes(self) -> bool:
        return any(process in CONSUMING for process in self.processes)

    def argv(self, service: str, process: str, port: int) -> list[str]:
        """``port``: where it answers requests."""
        if not self.command:
            return [sys.executable, "-m", "slipway_chassis", "run", self.module or service, process]
        words = [word.replace("${port}", str(port)) for word in self.command]
        return words if len(self.processes) == 1 else [*words, process]


def working_tree(service: Service) -> Version:
    """The version dev: always as pyproject.toml and the tree are now."""
    return Version(
        hash=digest({"service": service.name, "label": DEV}),
        label=DEV,
        processes=service.processes,
        env=service.env,
        command=service.command,
        module=service.module,
        health=service.health,
        port=service.port,
        folder=service.source or "." if service.command else "",
        made=datetime.fromtimestamp(0, UTC),
    )


class Versions:
    """Those of one service that were released on this machine, each a folder with its record and its code."""

    def __init__(self, folder: Path, service: Service) -> None:
        self._folder = folder / "versions"
        self._service = service

    def all(self) -> dict[str, Version]:
        """By hash, the working tree included."""
        dev = working_tree(self._service)
        kept = {version.hash: version for version in self._read()}
        return kept | {dev.hash: dev}

    def _read(self) -> Iterator[Version]:
        for record in sorted(self._folder.glob("*/version.json")):
            try:
                yield Version.model_validate_json(record.read_text())
            except (OSError, ValidationError) as error:
                raise LocalRuntimeError(f"{record} can't be read; remove its folder: {error}") from None

    def keep(self, label: str, *, source: Path | None, env: Mapping[str, str]) -> Version:
        """Copies the code and writes the record. The same code and settings under the same name are one version."""
        if label == DEV:
            raise LocalRuntimeError(f"{DEV} is the working tree itself: give the version another name")
        service = self._service
        found = code_of(service, source)
        settings = {**service.env, **env}
        identity = {"label": label, "processes": service.processes, "env": settings}
        with _reading(found):
            code = _digests(found, found if service.is_folder else found.parent)
        identity |= {"command": service.command, "code": code}
        identity |= {"health": service.health} if service.health else {}
        version = Version(
            hash=digest(identity),
            label=label,
            processes=service.processes,
            env=settings,
            command=service.command,
            module=service.module,
            health=service.health,
            port=service.port,
            source="",
            origin=str(found),
            made=datetime.now(UTC),
        )
        namesake = next((each for each in self._read() if each.label == label), None)
        if namesake and namesake.hash == version.hash:
            return namesake
        if namesake:
            raise LocalRuntimeError(
                f"{self._service.name} has a version {label} already, with other code or settings "
                f"(kept since {namesake.made:%Y-%m-%d %H:%M} UTC). Give this one another name"
            )
        return self._copy(version, found)

    # --- the working tree, as a way back
    def remember_working_tree(self) -> None:
        """Copies it as it begins to run. What can't be copied, or is too large for a version, is no way back."""
        kept, unfinished = self._working_tree, self._working_tree.with_name("dev.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(kept, ignore_errors=True)
        with suppress(LocalRuntimeError, OSError):
            found = code_of(self._service, None)
            _require_small(found)
            self._copy_code(found, unfinished / "code")
            unfinished.rename(kept)

    def as_it_began(self, version: Version) -> Version:
        """What ran, for a version that may have been edited since: the copy of the working tree, if there is one."""
        code = str(self._working_tree / "code")
        if version.label != DEV or not Path(code).exists():
            return version
        return version.model_copy(update={"source": code, "folder": code if version.command else ""})

    @property
    def _working_tree(self) -> Path:
        return self._folder.with_name(DEV)

    # --- copies
    def _copy(self, version: Version, found: Path) -> Version:
        """The folder appears as a whole, under its name, or not at all."""
        folder = self._folder / version.hash
        unfinished = self._folder.with_name(f"{version.hash}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with _reading(found):
            self._copy_code(found, unfinished / "code")
        copied = str(folder / "code")
        version = version.model_copy(update={"source": copied, "folder": copied if version.command else ""})
        (unfinished / "version.json").write_text(version.model_dump_json(indent=1))
        self._folder.mkdir(exist_ok=True, mode=0o700)
        unfinished.rename(folder)
        return version

    def _copy_code(self, found: Path, code: Path) -> None:
        code.mkdir(parents=True, mode=0o700)
        if found.is_dir():
            within = code if self._service.is_folder else code / found.name
            shutil.copytree(found, within, ignore=_left_out, dirs_exist_ok=True)
        else:
            shutil.copy2(found, code / found.name)

    def forget(self, version: str) -> None:
        shutil.rmtree(self._folder / version, ignore_errors=True)

    def named(self, reference: str) -> Version:
        """By name or hash; LocalRuntimeError says which there are."""
        there = self.all()
        for version in there.values():
            if reference in {version.label, version.hash}:
                return version
        kept = ", ".join(version.label for version in there.values())
        raise LocalRuntimeError(f"{self._service.name} has no version {reference}; kept: {kept}")


def code_of(service: Service, folder: Path | None) -> Path:
    """What a version is copied from: the folder in which its command is started, or its Python module."""
    folder = folder or (Path(service.source) if service.source else None)
    if not service.is_folder:
        return source_of(service.module or service.name, folder)
    found = (folder or Path.cwd()).absolute()
    if not found.is_dir():
        raise LocalRuntimeError(f"there is no folder {found}, which is the source of {service.name}")
    return found


def source_of(module: str, folder: Path | None) -> Path:
    """The package's folder, or the module's file: in ``folder``, or where Python finds it."""
    if folder is not None:
        for found in (folder / "src" / module, folder / module, folder / f"{module}.py"):
            if found.exists():
                return found.absolute()
        raise LocalRuntimeError(
            f"{folder} has neither src/{module} nor {module} nor {module}.py: name the folder of the service"
        )
    sys.path.append(str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(module)
    finally:
        sys.path.pop()
    if spec is None or (spec.origin is None and not spec.submodule_search_locations):
        raise LocalRuntimeError(f"Python finds no module {module}: install the service, or name its folder with --from")
    places = list(spec.submodule_search_locations or ())
    return Path(places[0] if places else str(spec.origin)).absolute()


def _digests(found: Path, base: Path) -> dict[str, str]:
    """Of each file of the code, by its path below ``base``."""
    return {
        str(path.relative_to(base)): hashlib.sha256(path.read_bytes()).hexdigest() for path in _require_small(found)
    }


def _require_small(found: Path) -> list[Path]:
    """The files of the code; LocalRuntimeError where they are too many or too large."""
    files = list(islice(_files(found), MOST_FILES + 1))
    if len(files) > MOST_FILES or sum(path.stat().st_size for path in files) > MOST_BYTES:
        raise LocalRuntimeError(
            f"{found} is too large for the code of a service: name its own folder by source (pyproject.toml) or --from"
        )
    return files


def _files(found: Path) -> Iterator[Path]:
    if found.is_file():
        yield found
    elif found.is_dir():
        names = sorted(path.name for path in found.iterdir())
        left_out = _left_out(str(found), names)
        for name in names:
            if name not in left_out:
                yield from _files(found / name)


def _left_out(folder: str, names: Sequence[str]) -> set[str]:
    """Caches, environments and hidden folders (.git, .slipway) are no code of a service; nor are links to nowhere
    (an editor's locks), sockets and pipes.
    """
    return {name for name in names if name in _CACHES or name.endswith(".pyc") or _is_no_code(Path(folder, name))}


def _is_no_code(path: Path) -> bool:
    if path.is_dir():
        return path.name.startswith(".") or (path / "pyvenv.cfg").exists()
    return not path.is_file()


@contextmanager
def _reading(found: Path) -> Iterator[None]:
    try:
        yield
    except shutil.Error as error:  # of all files that failed
        [(source, _, why), *_] = error.args[0]
        raise LocalRuntimeError(f"{source} can't be copied: {why}") from None
    except OSError as error:
        raise LocalRuntimeError(f"{error.filename or found} can't be copied: {error.strerror or error}") from None
