"""Which services make up the system, and where its gateway is described: ``[tool.slipway]`` of pyproject.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from slipway_gateway import settings_file
from slipway_gateway.settings import GatewaySettings

from ...errors import LocalRuntimeError
from ...spec.gates import Gate

EXAMPLE = '[tool.slipway]\ngateway = "charts/gateway/values.yaml"\n\n[tool.slipway.services]\norders = {}'

Process = Literal["migrate", "contract", "http", "grpc", "relay", "consumer", "worker"]


class Releasing(BaseModel):
    """How a new version takes over. The words are those of a Microservice; the times are those of one person at one
    machine, who waits for each release.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    auto_promote: bool = True
    watch_seconds: int = Field(3, ge=0, le=3600)
    scale_down_delay_seconds: int = Field(5, ge=0, le=3600)
    progress_deadline_seconds: int = Field(120, ge=10, le=3600)
    handover: Literal["Exclusive", "Overlap"] = "Exclusive"
    history: int = Field(3, ge=1, le=20)
    gates: tuple[Gate, ...] = ()

    @field_validator("gates")
    @classmethod
    def _possible(cls, gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
        for gate in gates:
            if gate.type not in {"http", "contracts"}:
                raise ValueError(f"gate {gate.name}: on one machine gates are of type http or contracts")
            if gate.type == "http" and gate.http is None:
                raise ValueError(f"gate {gate.name} is of type http and has no settings under http")
        if len({gate.name for gate in gates}) < len(gates):
            raise ValueError("two gates have the same name: give each its own")
        return gates


class Service(BaseModel):
    """``processes`` are those of ``slipway run``; ``worker`` is for a service that reads events, since a release waits
    until it has joined its group: one that only sends has ``relay``. ``env`` adds settings; in its values stand
    ``${gateway}`` (address of the gateway), ``${orders_http}`` and ``${orders_grpc}`` (host and port of a service,
    whatever version answers there), and ``${secret}`` (made once, and kept). ``command`` replaces ``slipway run NAME``;
    the process follows it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    processes: tuple[Process, ...] = ("migrate", "http", "worker")
    env: Mapping[str, str] = {}
    command: tuple[str, ...] = ()
    release: Releasing = Releasing()

    @field_validator("processes")
    @classmethod
    def _once(cls, processes: tuple[Process, ...]) -> tuple[Process, ...]:
        if "worker" in processes and {"relay", "consumer"} & set(processes):
            raise ValueError("worker is relay and consumer in one process: remove it, or the two")
        return processes


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
    return System(services=services, gateway_file=gateway_file, gateway=settings_file.read(gateway_file))
