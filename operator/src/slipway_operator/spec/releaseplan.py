"""ReleasePlan (rp): several services released together, wave by wave; all get their new version, or none keeps it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .fields import Model, Name, Sentence, keyed_by, rules
from .status import Condition, Count, Generation, Word

_EXACT = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_COMPARED = r"(>=|<=|>|<|==|!=|~=) ?[0-9][A-Za-z0-9.]*(\.\*)?"
VersionRange = Annotated[
    str,
    Field(
        pattern=rf"^({_EXACT}|{_COMPARED}([, ] ?{_COMPARED})*)$",
        max_length=64,
    ),
]

# Wait: no promotion yet. Hold: not even begun, what it depends on is not released. Go: promoted. Return: back to
# the version it came from.
Order = Literal["Hold", "Wait", "Go", "Return"]
PlanPhase = Literal["Pending", "Preparing", "Releasing", "Returning", "Succeeded", "Failed", "Blocked", "Paused"]


class PlannedService(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.dependsOn) || !(self.name in self.dependsOn)",
                "A service can't depend on itself: remove its own name from dependsOn.",
            )
        )
    )

    name: Name = Field(description="Name of the Microservice.")
    version: VersionRange = Field(
        description="The spec.version of the Microservice that belongs to this plan: a version, for example "
        "1.4.2, or a range, for example >=1.4, <2."
    )
    depends_on: tuple[Name, ...] = Field(
        (),
        max_length=5,
        description="Services of earlier waves that the gates of this one need in their new versions: it "
        "does not start before they are released. Without it, a service is prepared at once and "
        "promoted with its wave.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class Wave(Model):
    name: Name = Field(description="Name of the wave.")
    services: tuple[PlannedService, ...] = Field(
        min_length=1,
        max_length=8,  # rules are priced by the largest plan there can be
        description="Services that are promoted together.",
        json_schema_extra=keyed_by("name"),
    )


_NAMES = "o.services.exists(t, t.name == {})"
_ELSEWHERE = f"self.waves.exists(o, o.name != w.name && {_NAMES.format('d')})"


class ReleasePlanSpec(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"self.waves.all(w, w.services.all(s, self.waves.exists_one(o, {_NAMES.format('s.name')})))",
                "A service is released once: list it in one wave only.",
            ),
            (
                f"self.waves.all(w, w.services.all(s, !has(s.dependsOn) || s.dependsOn.all(d, {_ELSEWHERE})))",
                "dependsOn must list services of other waves of this plan: add the service to an earlier wave.",
            ),
        )
    )

    waves: tuple[Wave, ...] = Field(
        min_length=1,
        max_length=6,
        description="Waves, in the order of their promotion. Immutable, since a plan is executed once.",
        json_schema_extra=keyed_by("name")
        | rules(
            ("self == oldSelf", "A plan is executed once: delete it, or create another one with a different name.")
        ),
    )
    paused: bool = Field(
        False, description="Whether promotions are paused. A plan that is created paused waits until this is false."
    )
    abort: bool = Field(
        False, description="Whether to roll all services back to the versions they had before the plan."
    )


class ServiceProgress(Model):
    name: Name = Field(description="Name of the Microservice.")
    order: Order = Field(description="Directive of the plan to the service: Hold, Wait, Go or Return.")
    came_from: str = Field("", max_length=8, description="The version that was active when the plan started.")
    version: str = Field("", max_length=8, description="The version that the directive applies to.")
    state: Word = Field("", description="State of the service within the plan.")
    message: Sentence = Field("", description="Human-readable message with details.")


class ReleasePlanStatus(Model):
    observed_generation: Generation = Field(-1, description="Generation of the spec that was last reconciled.")
    phase: PlanPhase = Field("Pending", description="Phase of the plan.")
    wave: Word = Field("", description="The wave in progress.")
    released: Count = Field(0, description="Number of services that run their new version.")
    services: tuple[ServiceProgress, ...] = Field(
        (), max_length=48, description="Progress of each service of the plan.", json_schema_extra=keyed_by("name")
    )
    blocked_by: Sentence = Field("", description="What currently blocks the plan.")
    failure: Sentence = Field("", description="Why the services were rolled back.")
    started: datetime | None = Field(None, description="Time at which the plan started.")
    ended: datetime | None = Field(
        None, description="Time at which all services had their new version, or were rolled back."
    )
    conditions: tuple[Condition, ...] = Field(
        (),
        max_length=16,
        description="Conditions of the plan: Ready, Reconciling and Stalled.",
        json_schema_extra=keyed_by("type"),
    )
