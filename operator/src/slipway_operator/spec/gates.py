"""What is checked before a version gets requests, and while it is watched."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .fields import Model, rules
from .templates import PodTemplate

Status = Annotated[int, Field(ge=100, le=599)]


class HttpGate(Model):
    path: str = Field(
        pattern=r"^/\S*$", max_length=500, description="Path to request from the candidate's preview Service."
    )
    status: Status = Field(200, description="Expected HTTP status code.")
    port: str = Field(
        "http",
        pattern=r"^[a-z0-9-]+$",
        max_length=15,
        description="Name of the port in spec.ports to send the request to.",
    )
    contains: str = Field("", max_length=500, description="Text that the response body must contain.")


class JobGate(Model):
    template: PodTemplate = Field(
        description="Pod template of a Job that must succeed. The environment variable PREVIEW_URL is set in "
        "its containers."
    )


class PrometheusGate(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "has(self.min) || has(self.max)",
                "A query without a bound can't fail: set min, max or both.",
            ),
            ("!has(self.min) || !has(self.max) || self.min <= self.max", "min must not be greater than max."),
        )
    )

    address: str = Field(pattern=r"^https?://\S+$", max_length=500, description="URL of the Prometheus server.")
    query: str = Field(
        min_length=1,
        max_length=2000,
        description="PromQL query that returns one number. {{version}} is replaced by the hash of the version.",
    )
    min: float | None = Field(None, description="Minimum value that passes.")
    max: float | None = Field(None, description="Maximum value that passes.")


class AnalysisGate(Model):
    address: str = Field(pattern=r"^https?://\S+$", max_length=500, description="URL of the Prometheus server.")
    window_seconds: int = Field(
        60,
        ge=30,
        le=3600,
        description="Seconds of requests to compare. Must span at least two scrapes.",
    )
    max_error_increase: float = Field(
        0.01, ge=0, le=1, description="Allowed increase of the ratio of failed requests (5xx) over the former version."
    )
    max_latency_factor: float = Field(
        1.5,
        ge=1,
        le=100,
        description="Allowed factor between the 99th percentile of request durations and that of the former version.",
    )


class ContractsGate(Model):
    allow_breaking: bool = Field(
        False, description="Whether breaking changes of APIs and events are reported without failing the gate."
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
                "Contracts are compared before a version receives traffic: set phase to beforePromotion.",
            ),
            (
                "self.intervalSeconds <= self.timeoutSeconds",
                "A gate is retried within its timeout: set intervalSeconds to at most timeoutSeconds.",
            ),
        )
    )

    name: str = Field(
        pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
        max_length=40,
        description="Name of the gate, unique within the service.",
    )
    type: Literal["http", "job", "prometheus", "analysis", "contracts"] = Field(description="Type of the check.")
    phase: Literal["beforePromotion", "afterPromotion"] = Field(
        "beforePromotion",
        description="When the gate runs. beforePromotion runs it against the preview; afterPromotion repeats "
        "it during the observation period.",
    )
    dry_run: bool = Field(False, description="Whether the result is reported only, without an effect on the release.")
    timeout_seconds: int = Field(
        300, ge=1, le=86400, description="Seconds after which a gate without a result fails. No data is no result."
    )
    interval_seconds: int = Field(15, ge=1, le=3600, description="Seconds between two attempts.")
    http: HttpGate | None = Field(None, description="Settings of a gate of type http.")
    job: JobGate | None = Field(None, description="Settings of a gate of type job.")
    prometheus: PrometheusGate | None = Field(None, description="Settings of a gate of type prometheus.")
    analysis: AnalysisGate | None = Field(
        None,
        description="Settings of a gate of type analysis, which compares errors and durations with those of "
        "the former version.",
    )
    contracts: ContractsGate | None = Field(None, description="Settings of a gate of type contracts.")
