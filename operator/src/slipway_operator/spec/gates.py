"""What is checked before a version gets requests, and while it is watched."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .fields import Model, rules
from .templates import PodTemplate

Status = Annotated[int, Field(ge=100, le=599)]


class HttpGate(Model):
    path: str = Field(
        pattern=r"^/\S*$", max_length=500, description="Path that is asked of the candidate's preview Service."
    )
    status: Status = Field(200, description="Status that must be answered.")
    port: str = Field("http", pattern=r"^[a-z0-9-]+$", max_length=15, description="Name of the port in spec.ports.")
    contains: str = Field("", max_length=500, description="Text that the answer must contain.")


class JobGate(Model):
    template: PodTemplate = Field(description="The pod of a Job that must end with success; PREVIEW_URL is set in it.")


class PrometheusGate(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.min) || has(self.max)",
                "A query without a bound can't fail: give min, max or both.",
            ),
            ("!has(self.min) || !has(self.max) || self.min <= self.max", "min must not be greater than max."),
        )
    )

    address: str = Field(pattern=r"^https?://\S+$", max_length=500, description="Address of Prometheus.")
    query: str = Field(
        min_length=1, max_length=2000, description="Query with one number as its result; {{version}} is the hash."
    )
    min: float | None = Field(None, description="Smallest value that passes.")
    max: float | None = Field(None, description="Greatest value that passes.")


class AnalysisGate(Model):
    address: str = Field(pattern=r"^https?://\S+$", max_length=500, description="Address of Prometheus.")
    window_seconds: int = Field(
        60,
        ge=30,
        le=3600,
        description="Requests of so many seconds are compared; two readings of the metrics at least.",
    )
    max_error_increase: float = Field(
        0.01, ge=0, le=1, description="Share of requests that may fail (5xx) more than with the former version."
    )
    max_latency_factor: float = Field(
        1.5, ge=1, le=100, description="The p99 of durations may be so many times the former version's."
    )


class ContractsGate(Model):
    allow_breaking: bool = Field(
        False, description="true: a breaking change of an API or an event is reported, and stops nothing."
    )


_NAMES_ITS_SETTINGS = [
    (
        f"self.type == '{name}' ? has(self.{name}) : !has(self.{name})",
        f"A gate of type {name}, and no other, has settings under {name}: add {name} or change type.",
    )
    for name in ("http", "job", "prometheus", "analysis")
]


class Gate(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            *_NAMES_ITS_SETTINGS,
            (
                "self.type == 'contracts' || !has(self.contracts)",
                "Only a gate of type contracts has settings under contracts: remove them or change type.",
            ),
            (
                "self.type != 'contracts' || self.phase == 'beforePromotion'",
                "Contracts are compared before a version gets requests: set phase to beforePromotion.",
            ),
            (
                "self.intervalSeconds <= self.timeoutSeconds",
                "A gate is tried again within its time: make intervalSeconds smaller than timeoutSeconds.",
            ),
        )
    )

    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", max_length=40, description="Name of the gate.")
    type: Literal["http", "job", "prometheus", "analysis", "contracts"] = Field(description="What is checked.")
    phase: Literal["beforePromotion", "afterPromotion"] = Field(
        "beforePromotion", description="beforePromotion: on the preview; afterPromotion: again and again while watched."
    )
    dry_run: bool = Field(False, description="true: the result is shown, and decides nothing.")
    timeout_seconds: int = Field(
        300, ge=1, le=86400, description="A gate without a result by then (no data included) has failed."
    )
    interval_seconds: int = Field(15, ge=1, le=3600, description="Time between two tries.")
    http: HttpGate | None = Field(None, description="Settings of type http.")
    job: JobGate | None = Field(None, description="Settings of type job.")
    prometheus: PrometheusGate | None = Field(None, description="Settings of type prometheus.")
    analysis: AnalysisGate | None = Field(
        None, description="Settings of type analysis: errors and durations beside the former version's."
    )
    contracts: ContractsGate | None = Field(None, description="Settings of type contracts.")
