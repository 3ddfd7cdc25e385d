"""How far the restore of one service has come: one small file, written before each step. Pure, but for reading and
writing.

The same command again goes on with it; what a step did is found by what it left, so a step that was cut is done again.
"""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ..errors import RestoreUnfinished
from ..runtimes.local.state import replace_file
from .manifest import NAME

LARGEST = 64 * 1024


class Restore(BaseModel):
    """``number``: of this restore, by chance. ``before``: what the former database is called afterwards. ``stopped``:
    when the last process of the service had ended.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    backup: str = Field(pattern=NAME)
    number: str = Field(pattern=r"^[0-9a-f]{16}$")
    before: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    begun: AwareDatetime
    stopped: AwareDatetime | None = None

    @property
    def mark(self) -> str:
        """What is written beside the restored database: it is there as soon as the database is in its place."""
        return f"{mark_of(self.backup)}{self.number}"


def mark_of(backup: str) -> str:
    """What the marks of all restores of a backup begin with."""
    return f"slipway restored {backup} as "


def marked_by(mark: str, backup: str) -> bool:
    """Whether a database with this mark was restored from the backup."""
    return mark.startswith(mark_of(backup))


class Notes:
    """The file of one service."""

    def __init__(self, folder: Path, service: str) -> None:
        self._file = folder / f"{service}.json"
        self._service = service

    def read(self) -> Restore | None:
        """None: no restore is under way. RestoreUnfinished when the file can't be read."""
        try:
            with self._file.open("rb") as opened:
                return Restore.model_validate_json(opened.read(LARGEST))
        except FileNotFoundError:
            return None
        except ValidationError:
            raise RestoreUnfinished(
                f"{self._file} can't be read: look whether {self._service} is stopped on purpose, then remove it"
            ) from None

    def begun(self, backup: str, number: str, now: datetime) -> Restore:
        """That which is under way, or a new one. RestoreUnfinished while one of another backup is."""
        there = self.read()
        if there and there.backup != backup:
            raise RestoreUnfinished(
                f"a restore of {self._service} from {there.backup} is not finished: go on with it first "
                f"(slipway backup restore {there.backup} --service {self._service} --yes)"
            )
        if there is None:
            before = f"{self._service}_before_{now.astimezone(UTC):%Y%m%d%H%M%S}"
            there = Restore(backup=backup, number=number, before=before, begun=now)
            self.write(there)
        return there

    def write(self, restore: Restore) -> None:
        replace_file(self._file, restore.model_dump_json(indent=1))

    def remove(self) -> None:
        """The restore is over."""
        self._file.unlink(missing_ok=True)
