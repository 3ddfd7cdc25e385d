"""Microservice (ms): one service, its strategy and which of its versions is active."""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import ConfigDict, Field

from .fields import COMPONENTS, CONSUMING, SERVING, Model, Port, Seconds, VersionReference, keyed_by, rules
from .gates import Gate
from .strategy import Events, Strategy
from .templates import PodTemplate


class Component(Model):
    replicas: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Pods of a consumer, relay or worker; not set: 1. Others follow spec.replicas.",
    )
    template: PodTemplate = Field(description="The pod, as the chart renders it.")


class ServicePort(Model):
    name: str = Field(
        pattern=r"^[a-z]([a-z0-9-]{0,13}[a-z0-9])?$",
        max_length=15,
        description="Name of the Service's port, and of the container's port behind it.",
    )
    port: Port = Field(description="Port of the Service.")
    app_protocol: str | None = Field(
        None, max_length=100, description="Protocol hint for proxies, for example kubernetes.io/h2c."
    )


class Migrations(Model):
    expand: PodTemplate | None = Field(
        None, description="Job before the candidate starts: it only adds, so that the active version goes on."
    )
    contract: PodTemplate | None = Field(
        None, description="Job after the old version is gone: it may remove what only the old one used. "
        "Versions before this one can't become active any more.",
    )  # fmt: skip
    deadline_seconds: int = Field(1800, ge=10, le=86400, description="A migration that takes longer has failed.")


class Release(Model):
    promote: VersionReference | None = Field(
        None, description="Version (hash or name) that may be promoted where strategy.autoPromote is false."
    )
    active_version: VersionReference | None = Field(
        None,
        description="Kept version (hash or name) that shall be active instead of the one described here: a rollback. "
        "Remove it to release again.",
    )
    paused: bool = Field(False, description="true: the release stands still and what runs goes on running.")
    retry: str | None = Field(
        None, max_length=64, description="Any new value lets a version that is held after a failure be tried again."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_PAIR = _listed(SERVING)


class MicroserviceSpec(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"!self.components.exists(name, name in [{_listed(CONSUMING)}]) || has(self.events)",
                "A consumer or worker needs events.group: name the consumer group that is handed over.",
            ),
            (
                "!has(self.gates) || self.watchSeconds > 0 || !self.gates.exists(g, g.phase == 'afterPromotion')",
                "Gates with phase afterPromotion look while the version is watched: set watchSeconds above 0.",
            ),
            (
                "!has(self.gates) || self.gates.all(g, !has(g.http) || self.ports.exists(p, p.name == g.http.port))",
                "A gate of type http asks a port by its name: let http.port name one of ports.",
            ),
        )
    )

    version: str = Field(
        min_length=1,
        max_length=63,
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
        description="What people call this version, for example 1.4.2; the machine tells versions apart by a hash.",
    )
    replicas: int = Field(
        1,
        ge=1,
        le=1000,
        description="Pods of each serving component. Leave it out where a HorizontalPodAutoscaler sets it.",
    )
    components: Mapping[str, Component] = Field(
        min_length=1,
        max_length=len(COMPONENTS),
        description="Processes of the service: http and grpc serve; consumer and relay work, or worker, which is both. "
        "Each is a Deployment.",
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
                "A service needs a component that serves: add http or grpc.",
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
                "Two ports have the same number: give each its own.",
            )
        ),
    )
    strategy: Strategy = Field(Strategy(), description="How a new version takes over.")
    events: Events | None = Field(None, description="How consumers are handed over; needed with a consumer or worker.")
    gates: tuple[Gate, ...] = Field(
        (), max_length=16, description="Checks of a new version.", json_schema_extra=keyed_by("name")
    )
    watch_seconds: Seconds = Field(
        30, description="How long a new version is watched with all requests before the release counts as done."
    )
    migrations: Migrations = Field(Migrations(), description="Jobs that change the database around a release.")
    history: int = Field(5, ge=1, le=20, description="Versions that are kept, scaled down, for a rollback.")
    release: Release = Field(Release(), description="What people decide about the running release.")


Phase = Literal[
    "Pending", "Releasing", "Waiting", "Watching", "Finishing", "Released", "RollingBack", "Failed", "Blocked", "Paused"
]
