"""Which services make up the system, and where its gateway is described: ``[tool.slipway]`` of pyproject.toml."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from slipway_gateway import settings_file
from slipway_gateway.settings import GatewaySettings

from ...errors import LocalRuntimeError
from ...spec.gates import Gate

LARGEST_BODY = 16 * 1024 * 1024
EXAMPLE = '[tool.slipway]\ngateway = "gateway.yaml"\n\n[tool.slipway.services]\norders = {}'

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
    whatever version answers there), ``${secret}`` (made once, and kept), ``${database}`` (URL of a database of its own)
    and ``${port}`` (where this process answers requests).

    ``command`` replaces ``slipway run NAME``, for applications without the chassis: it is started in the folder
    ``source``, which is copied with a version. With more than one process the name of the process follows it.
    ``health`` is the path that says whether it is ready, on the port of requests. ``port`` is for a server that always
    listens on the same one. ``module`` is the Python module of a service, where it is not called like it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    processes: tuple[Process, ...] = ("migrate", "http", "worker")
    env: Mapping[str, str] = {}
    command: tuple[str, ...] = ()
    module: str = Field("", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")
    source: str = ""
    health: str = Field("", pattern=r"^(/[!-~]*)?$", max_length=500)
    port: int | None = Field(None, ge=1024, le=65535)
    release: Releasing = Releasing()

    @model_validator(mode="before")
    @classmethod
    def _foreign(cls, given: Any) -> Any:
        """What brings a command of its own is asked for nothing but answers."""
        if isinstance(given, dict) and given.get("command") and "processes" not in given:
            return given | {"processes": ("http",)}
        return given

    @field_validator("processes")
    @classmethod
    def _once(cls, processes: tuple[Process, ...]) -> tuple[Process, ...]:
        if "worker" in processes and {"relay", "consumer"} & set(processes):
            raise ValueError("worker is relay and consumer in one process: remove it, or the two")
        return processes

    @model_validator(mode="after")
    def _answers(self) -> "Service":
        if (self.health or self.port) and "http" not in self.processes:
            raise ValueError("health and port are of the process http: add it to processes, or remove them")
        return self

    @property
    def is_folder(self) -> bool:
        """Whether its code is a folder, and not a Python module."""
        return bool(self.command) and not self.module

    @property
    def group(self) -> str:
        """What brokers call the group of its consumers."""
        return f"{self.env.get('KAFKA_PREFIX', '')}{self.name}"

    @property
    def wants_database(self) -> bool:
        """One of its own, which is made for it."""
        own = "migrate" in self.processes and "DATABASE_URL" not in self.env
        return own or any("${database}" in value for value in self.env.values())


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
        if "gateway" not in declared and len(services) == 1:
            return of_one(services[0], file)
        gateway_file = folder / declared["gateway"]
    except FileNotFoundError:
        raise LocalRuntimeError(f"there is no {file}. Run this in the folder of a Slipway project.") from None
    except (KeyError, AttributeError, TypeError):
        raise LocalRuntimeError(f"{file} names no services or no gateway. Add for example:\n{EXAMPLE}") from None
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise LocalRuntimeError(f"{file}: {error}") from error
    return System(services=services, gateway_file=gateway_file, gateway=settings_file.read(gateway_file))


def of_one(service: Service, file: Path) -> System:
    """A single service needs no description of its gateway: everything is its own, and tokens are checked by itself."""
    if "http" not in service.processes:
        raise LocalRuntimeError(f"{file} names no gateway, and {service.name} has no process http to lead requests to")
    route = {"prefix": "/", "upstream": service.name, "public": True, "timeoutSeconds": 60}
    values = {
        "upstreams": {service.name: {"address": service.name}},
        "routes": [route],
        "requestBody": {"maxBytes": LARGEST_BODY},
    }
    return System(services=[service], gateway_file=file, gateway=settings_file.checked(values))
