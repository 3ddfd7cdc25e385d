"""PostgreSQL's own programs as child processes. What is secret of an address is none of their arguments, and what they
say of rows is not told.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from slipway_chassis.embedded.postgresql import programs

from ..errors import BackupError
from .config import libpq_settings

CONNECT_SECONDS = 5
LAST_WORDS = 2000
MOST_SAID = 1024 * 1024
_SERVICE = "slipway"


@dataclass(frozen=True, slots=True)
class Program:
    process: subprocess.Popen[bytes]
    said: IO[bytes]

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout  # noqa: S101 # asked for by who reads it
        return self.process.stdout

    @property
    def input(self) -> IO[bytes]:
        assert self.process.stdin  # noqa: S101 # asked for by who writes to it
        return self.process.stdin

    def words(self) -> str:
        """Its errors, without what it tells around them: statements, and rows that they were about."""
        self.said.seek(0, 2)
        self.said.seek(max(0, self.said.tell() - MOST_SAID))
        return errors_of(self.said.read().decode(errors="replace")) or "it gave no reason"


def errors_of(said: str) -> str:
    """The lines that a program begins with its own name, but for warnings, details and hints."""
    own = [line for line in said.splitlines() if line.startswith(("pg_dump:", "pg_restore:", "psql:"))]
    told = [line for line in own if not any(f": {each}:" in line for each in ("detail", "hint", "warning"))]
    return "\n".join(told)[-LAST_WORDS:].strip()


@contextmanager
def started(program: str, arguments: list[str], *, url: str = "", stdin: int = subprocess.DEVNULL,
            stdout: int = subprocess.DEVNULL) -> Iterator[Program]:  # fmt: skip
    """Runs it for the block, on the server of ``url`` where there is one. It is killed when the block raises."""
    folder = programs()
    with tempfile.TemporaryFile() as said, _address(url) as (place, environment):
        process = subprocess.Popen(
            [str(folder / program), *place, *arguments],
            env={"PATH": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"} | environment,
            stdin=stdin,
            stdout=stdout,
            stderr=said,
        )
        try:
            yield Program(process, said)
        except BaseException:
            process.kill()
            raise
        finally:
            for pipe in filter(None, (process.stdin, process.stdout)):
                with suppress(BrokenPipeError):
                    pipe.close()
            process.wait()


@contextmanager
def _address(url: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """As arguments, and as variables; libpq knows some secrets by a file alone."""
    if not url:
        yield [], {}
        return
    place, environment = conninfo_to_dict(url, connect_timeout=CONNECT_SECONDS), libpq_settings()
    hidden = {each.keyword.decode() for each in pq.Conninfo.get_defaults() if each.dispchar}
    secrets = {name: str(place.pop(name)) for name in hidden & place.keys()}
    if password := secrets.pop("password", ""):
        environment["PGPASSWORD"] = password
    with tempfile.TemporaryDirectory(prefix="slipway-address-") as folder:
        if secrets:
            if "service" in place or "PGSERVICE" in environment:
                raise BackupError(f"{', '.join(secrets)} can't stand beside a service: put it into the service's file")
            file = Path(folder) / "service"
            file.write_text("\n".join([f"[{_SERVICE}]", *(f"{name}={said}" for name, said in secrets.items()), ""]))
            environment |= {"PGSERVICE": _SERVICE, "PGSERVICEFILE": str(file)}
        yield ["--no-password", f"--dbname={make_conninfo('', **place)}"], environment
