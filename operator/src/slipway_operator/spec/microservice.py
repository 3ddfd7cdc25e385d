"""Microservice (ms): one service, its strategy and which of its versions is active."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from .fields import COMPONENTS, CONSUMING, SERVING, Model, Port, Seconds, VersionReference, keyed_by, rules
from .gates import Gate
from .strategy import Events, Strategy
from .templates import PodTemplate


class Component(Model):
    replicas: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Number of pods of a consumer, relay or worker. Defaults to 1. Components that serve "
        "follow spec.replicas.",
    )
    template: PodTemplate = Field(description="Pod template of the component.")


_PORT_NAME = r"^[a-z]([a-z0-9-]{0,13}[a-z0-9])?$"
PortName = Annotated[str, Field(pattern=_PORT_NAME, max_length=15)]
# The API server's own type of a target port: limits of numbers hold for numbers, and those of text for text.
_PORT_OR_NAME = {"x-kubernetes-int-or-string": True, "minimum": 1, "maximum": 65535, "pattern": _PORT_NAME}


class ServicePort(Model):
    name: PortName = Field(description="Name of the Service port, and of the container port without a targetPort.")
    port: Port = Field(description="Port that the Service exposes.")
    target_port: Annotated[Port | PortName, WithJsonSchema(_PORT_OR_NAME)] | None = Field(
        None, description="Name or number of the container port. Defaults to the name of the Service port."
    )
    app_protocol: str | None = Field(
        None, max_length=100, description="Application protocol, a hint for proxies, for example kubernetes.io/h2c."
    )

    @property
    def target(self) -> int | str:
        """The number of the container's port, or its name."""
        return self.target_port or self.name


class Migrations(Model):
    expand: PodTemplate | None = Field(
        None,
        description="Job that runs before the candidate starts. It must only add to the schema, so that the "
        "active version keeps working.",
    )
    contract: PodTemplate | None = Field(
        None, description="Job that runs after the former version is gone. It may remove what only the former "
"version used: earlier versions can't become active afterwards.",
    )  # fmt: skip
    deadline_seconds: int = Field(1800, ge=10, le=86400, description="Seconds after which a migration fails.")


class Release(Model):
    promote: VersionReference | None = Field(
        None, description="Version (hash or name) that may be promoted if strategy.autoPromote is false."
    )
    active_version: VersionReference | None = Field(
        None,
        description="Recorded version (hash or name) to activate instead of the one in this spec: a "
        "rollback. Remove it to resume releases.",
    )
    allow_unreleased: VersionReference | None = Field(
        None,
        description="Version (hash or name) that activeVersion may name although no release of it ever succeeded. "
        "It gets all traffic without its gates.",
    )
    paused: bool = Field(False, description="Whether the release is paused. Running pods are not affected.")
    retry: str | None = Field(
        None, max_length=64, description="Any new value retries a version that is held after a failure."
    )


ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?$", max_length=253)]


class Adopt(Model):
    services: tuple[ObjectName, ...] = Field(
        (),
        max_length=10,
        description="Existing Services with names of this service that may be taken. They are given back, with the "
        "selector and ports they had, when the Microservice is deleted.",
    )
    deployments: tuple[ObjectName, ...] = Field(
        (),
        max_length=10,
        description="Existing Deployments that serve until the first version has taken over. They are scaled to zero "
        "then, and to their former size when the Microservice is deleted.",
    )


Suspend = Literal["None", "Workers", "All"]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_PAIR = _listed(SERVING)
_BY_NUMBER = "has(p.targetPort) && type(p.targetPort) == int"
_SERVED_BY_NAME = (
    f"self.components.exists(n, n in [{_PAIR}] && self.components[n].template.spec.containers.exists(c, has(c.ports) "
    "&& c.ports.exists(q, has(q.name) && (has(p.targetPort) ? p.targetPort == q.name : p.name == q.name))))"
)


class MicroserviceSpec(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"!self.components.exists(name, name in [{_listed(CONSUMING)}]) || has(self.events)",
                "A consumer or worker needs events.group: set the consumer group that is handed over.",
            ),
            (
                "!has(self.gates) || self.watchSeconds > 0 || !self.gates.exists(g, g.phase == 'afterPromotion')",
                "Gates with phase afterPromotion run during the observation period: set watchSeconds above 0.",
            ),
            (
                "!has(self.gates) || self.gates.all(g, !has(g.http) || self.ports.exists(p, p.name == g.http.port))",
                "A gate of type http names a port: set http.port to the name of one of ports.",
            ),
            (
                f"self.ports.all(p, ({_BY_NUMBER}) || {_SERVED_BY_NAME})",
                "No container that serves has a port named like one of ports: name it so, or set targetPort.",
            ),
            (
                f"!self.ports.exists(p, {_BY_NUMBER}) || !('http' in self.components && 'grpc' in self.components)",
                "A targetPort that is a number would be asked of pods of http and grpc alike: set the name of a port.",
            ),
        )
    )

    version: str = Field(
        min_length=1,
        max_length=63,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        description="Human-readable label of the version, for example 1.4.2. The operator identifies "
        "versions by a hash of their content.",
    )
    replicas: int = Field(
        1,
        ge=1,
        le=1000,
        description="Number of pods of each serving component. Leave it out if a HorizontalPodAutoscaler sets it.",
    )
    components: Mapping[str, Component] = Field(
        min_length=1,
        max_length=len(COMPONENTS),
        description="Processes of the service, each a Deployment: http and grpc serve requests; consumer and "
        "relay handle events, as does worker, which is both in one process.",
        json_schema_extra=rules(
            (
                f"self.all(name, name in [{_listed(COMPONENTS)}])",
                "Components are http, grpc, consumer, relay and worker: rename or remove the others.",
            ),
            (
                "!('worker' in self) || !('consumer' in self || 'relay' in self)",
                "A worker is consumer and relay in one process: remove consumer and relay, or the worker.",
            ),
            (
                f"self.exists(name, name in [{_PAIR}])",
                "A service needs a component that serves requests: add http or grpc.",
            ),
            (
                f"self.all(name, !(name in [{_PAIR}]) || !has(self[name].replicas))",
                "http and grpc follow spec.replicas, which autoscalers set: remove their own replicas.",
            ),
        ),
    )
    ports: tuple[ServicePort, ...] = Field(
        (ServicePort(name="http", port=80),),
        min_length=1,
        max_length=10,
        description="Ports of the active and the preview Service.",
        json_schema_extra=keyed_by("name")
        | rules(
            (
                "self.all(a, self.exists_one(b, a.port == b.port))",
                "Two ports have the same number: set a different port for each.",
            )
        ),
    )
    strategy: Strategy = Field(Strategy(), description="How a new version becomes active.")
    events: Events | None = Field(
        None, description="How consumers are handed over. Required with a consumer or worker."
    )
    gates: tuple[Gate, ...] = Field(
        (), max_length=16, description="Checks that a new version must pass.", json_schema_extra=keyed_by("name")
    )
    watch_seconds: Seconds = Field(
        30, description="Seconds that a new version is observed with all traffic before its release succeeds."
    )
    migrations: Migrations = Field(
        Migrations(), description="Jobs that migrate the database before and after a release."
    )
    suspend: Suspend = Field(
        "None",
        description="What is stopped on purpose: None; Workers, that is consumers, relays and workers; or All "
        "processes. It stays down whatever is released or rolled back, until this is None again.",
    )
    history: int = Field(
        5, ge=1, le=20, description="Number of former versions to keep, scaled to zero, for a rollback."
    )
    adopt: Adopt = Field(Adopt(), description="Objects of others that are handed over to this service.")
    release: Release = Field(Release(), description="Decisions about the current release.")


Phase = Literal[
    "Pending",
    "Releasing",
    "Waiting",
    "Watching",
    "Finishing",
    "Released",
    "RollingBack",
    "Failed",
    "Blocked",
    "Paused",
    "Suspended",
]
