"""Which services make up the system, and where its gateway is described: ``[tool.slipway]`` of pyproject.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import LocalRuntimeError
from ...gateway import reading
from ...gateway.settings import GatewaySettings

EXAMPLE = '[tool.slipway]\ngateway = "charts/gateway/values.yaml"\n\n[tool.slipway.services]\norders = {}'

Process = Literal["migrate", "http", "grpc", "relay", "consumer"]


class Service(BaseModel):
    """``processes`` are those of ``slipway run``. ``env`` adds settings; in its values stand ``${gateway}`` (address
    of the gateway), ``${orders_http}`` and ``${orders_grpc}`` (host and port of a service), and ``${secret}`` (made
    once, and kept).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    processes: tuple[Process, ...] = ("migrate", "http", "relay", "consumer")
    env: Mapping[str, str] = {}


class System(BaseModel):
    """``gateway_file`` is the values file of the gateway's chart: laptop and cluster have the same gateway."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    services: Sequence[Service] = Field(min_length=1)
    gateway_file: Path
    gateway: GatewaySettings


def read(folder: Path) -> System:
    """The system of the project in ``folder``; services in the order they are written."""
    file = folder / "pyproject.toml"
    try:
        declared = tomllib.loads(file.read_text())["tool"]["slipway"]
        services = [Service(name=name, **options) for name, options in declared["services"].items()]
        gateway_file = folder / declared["gateway"]
    except FileNotFoundError:
        raise LocalRuntimeError(f"there is no {file}. Run this in the folder of a Slipway project.") from None
    except (KeyError, AttributeError, TypeError):
        raise LocalRuntimeError(f"{file} names no services or no gateway. Add for example:\n{EXAMPLE}") from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise LocalRuntimeError(f"{file}: {error}") from error
    return System(services=services, gateway_file=gateway_file, gateway=reading.read(gateway_file))
