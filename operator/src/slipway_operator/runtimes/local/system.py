"""Which services make up the system: ``[tool.slipway.services]`` of pyproject.toml."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import LocalRuntimeError

EXAMPLE = '[tool.slipway.services]\norders = { routes = ["/v1/orders"] }'


class Service(BaseModel):
    """``routes`` are the paths the gateway sends to the service; the first that fits wins."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    routes: list[str] = Field(min_length=1)


def read(folder: Path) -> list[Service]:
    """The services of the project in ``folder``, in the order they are written."""
    file = folder / "pyproject.toml"
    try:
        declared = tomllib.loads(file.read_text())["tool"]["slipway"]["services"]
        return [Service(name=name, **options) for name, options in declared.items()]
    except FileNotFoundError:
        raise LocalRuntimeError(f"there is no {file}. Run this in the folder of a Slipway project.") from None
    except (KeyError, AttributeError, TypeError):
        raise LocalRuntimeError(f"{file} names no services. Add for example:\n{EXAMPLE}") from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise LocalRuntimeError(f"{file}: {error}") from error
