"""The logs of a data folder, read from their ends, and followed. Bounded: of a long one its last part is read."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .layout import Layout
from .log_lines import Line, lines_of

LONGEST_READ = 8 * 1024 * 1024  # bytes of one file


@dataclass
class LogFile:
    """One log and how far it was read. ``cut``: bytes at its beginning that were left out. ``at_once``: the most that
    one read takes.
    """

    path: Path
    source: str
    offset: int = 0
    cut: int = 0
    at_once: int = LONGEST_READ
    _rest: bytes = field(default=b"", repr=False)

    def read(self) -> list[Line]:
        """What is new since the last time. Half of a line waits for its other half."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                if size < self.offset:  # somebody emptied it
                    self.offset, self._rest = 0, b""
                if size - self.offset > LONGEST_READ:
                    self.cut, self._rest = size - LONGEST_READ, b""
                    self.offset = self.cut
                file.seek(self.offset)
                data = file.read(self.at_once)
        except OSError:  # it is gone
            return []
        self.offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_READ:
            self._rest = b""
        return list(lines_of(self.source, (each.decode("utf-8", errors="replace") for each in whole)))

    @property
    def whole(self) -> int:
        """Where the first line begins that was not read to its end."""
        return self.offset - len(self._rest)


def log_files(layout: Layout) -> Iterator[LogFile]:
    """Of all services' processes, and of the gateway, Kafka and PostgreSQL."""
    for path in sorted(layout.logs.glob("*.log")):
        yield LogFile(path, path.stem)
    platform = {
        "gateway": layout.data / "gateway" / "envoy.log",
        "kafka": layout.data / "kafka" / "kafka.log",
        "postgresql": layout.postgresql_data / "postgresql.log",
    }
    for source, path in platform.items():
        if path.exists():
            yield LogFile(path, source)
