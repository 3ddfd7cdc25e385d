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
                "A service can't wait for itself: remove its own name from dependsOn.",
            )
        )
    )

    name: Name = Field(description="Name of the Microservice.")
    version: VersionRange = Field(
        description="Which spec.version of the Microservice belongs to this plan: a version, for example 1.4.2, or a "
        "range, for example >=1.4, <2."
    )
    depends_on: tuple[Name, ...] = Field(
        (),
        max_length=5,
        description="Services of earlier waves without whose new versions this one can't even be checked: it is not "
        "begun before they are released. Others are prepared at once, and only promoted in the order of the waves.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class Wave(Model):
    name: Name = Field(description="Name of the wave.")
    services: tuple[PlannedService, ...] = Field(
        min_length=1,
        max_length=8,  # rules are priced by the largest plan there can be
        description="Services that are promoted at the same time.",
        json_schema_extra=keyed_by("name"),
    )


_NAMES = "o.services.exists(t, t.name == {})"
_ELSEWHERE = f"self.waves.exists(o, o.name != w.name && {_NAMES.format('d')})"


class ReleasePlanSpec(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"self.waves.all(w, w.services.all(s, self.waves.exists_one(o, {_NAMES.format('s.name')})))",
                "A service is released once: let only one wave name it.",
            ),
            (
                f"self.waves.all(w, w.services.all(s, !has(s.dependsOn) || s.dependsOn.all(d, {_ELSEWHERE})))",
                "dependsOn names services of other waves of this plan: add the service to an earlier wave.",
            ),
        )
    )

    waves: tuple[Wave, ...] = Field(
        min_length=1,
        max_length=6,
        description="Waves in their order. A plan is carried out once, so they can't be changed.",
        json_schema_extra=keyed_by("name")
        | rules(
            ("self == oldSelf", "A plan is carried out once: delete it, or make another one with a name of its own.")
        ),
    )
    paused: bool = Field(
        False, description="true: nothing more is promoted. A plan that is made paused waits for a person."
    )
    abort: bool = Field(False, description="true: all services go back to the versions they came from.")


class ServiceProgress(Model):
    name: Name = Field(description="The service.")
    order: Order = Field(description="What the plan says to it: Hold, Wait, Go or Return.")
    came_from: str = Field("", max_length=8, description="The version that was active when the plan began.")
    version: str = Field("", max_length=8, description="The version this order is about; it says nothing to another.")
    state: Word = Field("", description="How far it is, as one word.")
    message: Sentence = Field("", description="How far it is, as a sentence.")


class ReleasePlanStatus(Model):
    observed_generation: Generation = Field(-1, description="Generation of the spec this status belongs to.")
    phase: PlanPhase = Field("Pending", description="Where the plan stands, as one word.")
    wave: Word = Field("", description="The wave that is being released.")
    released: Count = Field(0, description="Services that have their new version.")
    services: tuple[ServiceProgress, ...] = Field(
        (), max_length=48, description="Each service of the plan.", json_schema_extra=keyed_by("name")
    )
    blocked_by: Sentence = Field("", description="The one fact that keeps the plan from going on.")
    failure: Sentence = Field("", description="Why all services went back.")
    started: datetime | None = Field(None, description="When the plan began.")
    ended: datetime | None = Field(None, description="When all services had their new version, or the old one again.")
    conditions: tuple[Condition, ...] = Field(
        (), max_length=16, description="Ready, Reconciling and Stalled.", json_schema_extra=keyed_by("type")
    )
