"""Status of a Microservice: what is shown, and the few facts that can't be observed again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .fields import Hash, Model, Sentence, keyed_by
from .microservice import Phase

Generation = Annotated[int, Field(ge=-1, json_schema_extra={"format": "int64"})]
Count = Annotated[int, Field(ge=0)]
Word = Annotated[str, Field(max_length=64)]
Kind = Literal["Install", "Release", "Rollback", "Undo"]
Result = Literal["Succeeded", "Failed", "Superseded", "ContractFailed"]


class Condition(Model):
    type: str = Field(max_length=64, description="Ready, Reconciling, Stalled, Released, ChecksPassed or another.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(max_length=64, description="One word for programs.")
    message: str = Field("", max_length=1024, description="One sentence for people.")
    observed_generation: Generation = Field(-1, description="Generation this was said of.")
    last_transition_time: datetime = Field(description="When status changed last.")


class HeldVersion(Model):
    version: Hash = Field(description="The version that is not tried again.")
    reason: Word = Field(description="Why, as one word.")
    message: Sentence = Field("", description="Why, as a sentence.")
    fingerprint: Hash = Field(description="Of the spec that failed; another spec ends the hold.")
    at: datetime = Field(description="When it failed.")


class ReleaseRecord(Model):
    version: Hash = Field(description="The version that was to become active.")
    label: Word = Field("", description="What people call it.")
    kind: Kind = Field(description="Install, Release, Rollback or Undo.")
    started: datetime = Field(description="When it began.")
    ended: datetime = Field(description="When it ended.")
    result: Result = Field(description="How it ended.")
    reason: Sentence = Field("", description="Why, where it did not succeed.")
    handover_pause_milliseconds: Count | None = Field(
        None, description="How long no consumer of the group was running during the handover."
    )


class OpenRelease(Model):
    version: Hash = Field(description="The version that shall become active.")
    kind: Kind = Field(description="Install, Release, Rollback or Undo.")
    attempt: Count = Field(description="Number of this try; results of earlier ones do not count.")
    fingerprint: Hash = Field("00000000", description="Of the spec that is being released.")
    started: datetime = Field(description="When it began.")
    reached: Word = Field("Recording", description="The furthest step it reached.")
    since: datetime = Field(description="When it reached that step; deadlines count from here.")
    handover_started: datetime | None = Field(None, description="When the old consumers were asked to stop.")
    handover_ended: datetime | None = Field(None, description="When the new consumers were members.")
    promoted_at: datetime | None = Field(None, description="When only the new version got requests.")
    accepted_at: datetime | None = Field(None, description="When its watch ended well.")


class Draining(Model):
    version: Hash = Field(description="A version that was active before.")
    since: datetime = Field(description="When it stopped being needed.")


class KeptSize(Model):
    replicas: Count = Field(description="spec.replicas this holds for; another value ends it.")
    size: Count = Field(description="Pods of the active version meanwhile.")


class MicroserviceStatus(Model):
    observed_generation: Generation = Field(-1, description="Generation of the spec this status belongs to.")
    phase: Phase = Field("Pending", description="Where the service stands, as one word.")
    step: Word = Field("", description="What the release is doing or waiting for.")
    blocked_by: Sentence = Field("", description="The one fact that keeps the release from going on.")
    active_version: str = Field("", max_length=8, description="The version that gets requests.")
    stable_version: str = Field("", max_length=8, description="The version a failed release goes back to.")
    candidate_version: str = Field("", max_length=8, description="The version that is being released.")
    preview_version: str = Field("", max_length=8, description="The version behind the preview Service.")
    held_version: HeldVersion | None = Field(None, description="A failed version, until the spec changes.")
    attempts: Count = Field(0, description="Releases tried so far.")
    paused: bool = Field(False, description="Whether the operator has seen that the release is paused.")
    release: OpenRelease | None = Field(None, description="The release that is going on.")
    draining: tuple[Draining, ...] = Field(
        (), max_length=20, description="Former versions that are still up.", json_schema_extra=keyed_by("version")
    )
    kept_size: KeptSize | None = Field(
        None, description="Size of the active version, where a new version came with another one."
    )
    readiness: str = Field("", max_length=32, description="Ready and wanted pods of the active version.")
    consumers: str = Field("", max_length=64, description="Ready and wanted consumers, and whose they are.")
    replicas: Count = Field(0, description="Pods of the active version, for autoscalers.")
    selector: str = Field("", max_length=512, description="Label selector of those pods, for autoscalers.")
    conditions: tuple[Condition, ...] = Field(
        (),
        max_length=16,
        description="Ready, Reconciling and Stalled as kstatus reads them, and what the release has done.",
        json_schema_extra=keyed_by("type"),
    )
    history: tuple[ReleaseRecord, ...] = Field((), max_length=10, description="The last releases, newest last.")
