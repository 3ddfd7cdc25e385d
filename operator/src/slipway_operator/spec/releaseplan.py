"""ReleasePlan (rp): several services released in an order. The schema has room for it; nothing acts on it yet."""

from typing import Annotated

from pydantic import ConfigDict, Field

from .fields import Model, Name, Sentence, keyed_by, rules
from .status import Condition, Generation, Word

Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9*^~<>=. -]+$", max_length=64)]


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
    version: Version = Field(description="Version (spec.version) or range, for example >=1.4 <2.")
    depends_on: tuple[Name, ...] = Field(
        (),
        max_length=5,
        description="Services of earlier waves that must be released before this one.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )


class Wave(Model):
    name: Name = Field(description="Name of the wave.")
    services: tuple[PlannedService, ...] = Field(
        min_length=1,
        max_length=8,  # rules are priced by the largest plan there can be
        description="Services that are released at the same time.",
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
        min_length=1, max_length=6, description="Waves in their order.", json_schema_extra=keyed_by("name")
    )
    paused: bool = Field(False, description="true: no further wave begins.")


class ReleasePlanStatus(Model):
    observed_generation: Generation = Field(-1, description="Generation of the spec this status belongs to.")
    phase: Word = Field("Pending", description="Where the plan stands, as one word.")
    wave: Word = Field("", description="The wave that is being released.")
    blocked_by: Sentence = Field("", description="The one fact that keeps the plan from going on.")
    conditions: tuple[Condition, ...] = Field(
        (), max_length=16, description="Ready, Reconciling and Stalled.", json_schema_extra=keyed_by("type")
    )
