"""What is compared: ``[tool.slipway.audit]`` of a pyproject.toml, or the same in a file of its own."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigurationError

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def _identifier(value: str) -> str:
    if not all(_COLUMN.fullmatch(part) for part in value.split(".")):
        raise ValueError("must be a name, such as orders or public.orders")
    return value


Identifier = Annotated[str, Field(max_length=130), AfterValidator(_identifier)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str = Field(max_length=63, description="whose database it is")


class OfTopic(_Declared):
    """A table with a row for each aggregate of a stream, and the row's version."""

    topic: str = Field(max_length=249)
    table: Identifier
    id: Identifier = "id"
    version: Identifier = "version"


class Aggregate(OfTopic):
    """A table of aggregates and the stream on which their service publishes each change."""

    rows_are_deleted: bool = Field(default=False, description="an aggregate may have events and no row any more")


class Projection(OfTopic):
    """A table that another service keeps of a stream's events."""

    types: tuple[str, ...] = Field(default=(), description="types of events that it follows; none: all of the topic")


class Invariant(_Declared):
    """A query that finds what must not be."""

    sql: str = Field(max_length=10_000, description="SELECT of what is wrong: no row, nothing wrong")


class Audit(BaseModel):
    """All that is compared, by names of one's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    aggregates: dict[str, Aggregate] = {}
    projections: dict[str, Projection] = {}
    invariants: dict[str, Invariant] = {}

    @property
    def services(self) -> list[str]:
        """All whose databases are asked."""
        every: list[_Declared] = [*self.aggregates.values(), *self.projections.values(), *self.invariants.values()]
        return sorted({each.service for each in every})

    @property
    def topics(self) -> list[str]:
        """All that are read."""
        every: list[OfTopic] = [*self.aggregates.values(), *self.projections.values()]
        return sorted({each.topic for each in every})


def read(path: Path) -> Audit:
    """Raises ConfigurationError that names the file, the place and the cure."""
    try:
        found: Any = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}. --file names another one") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} is no TOML: {error}") from error
    if path.name == "pyproject.toml":
        found = _within(found, "tool", "slipway", "audit")
        if found is None:
            raise ConfigurationError(
                f"{path} declares nothing to compare: add [tool.slipway.audit.aggregates.NAME], or name a file (--file)"
            )
    try:
        return Audit.model_validate(found)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
        raise ConfigurationError(f"{path}: {'; '.join(faults)}") from None


def _within(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found
