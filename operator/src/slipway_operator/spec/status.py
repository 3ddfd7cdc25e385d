"""Status of a Microservice: what is shown, and the few facts that can't be observed again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .fields import Hash, Model, Sentence, cut, keyed_by
from .hashing import UNKNOWN
from .microservice import Suspend

Generation = Annotated[int, Field(ge=-1, json_schema_extra={"format": "int64"})]
Count = Annotated[int, Field(ge=0)]
Word = Annotated[str, cut(64), Field(max_length=64)]
Kind = Literal["Install", "Release", "Rollback", "Undo"]


class Condition(Model):
    type: Word = Field(
        description="Type of the condition, for example Ready, Reconciling, Stalled, Released or ChecksPassed.",
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Status of the condition.")
    reason: Word = Field(description="Machine-readable reason of the condition's last transition, in CamelCase.")
    message: Sentence = Field("", description="Human-readable message with details.")
    observed_generation: Generation = Field(-1, description="Generation of the spec that the condition was set for.")
    last_transition_time: datetime = Field(description="Last time the status of the condition changed.")


class HeldVersion(Model):
    version: Hash = Field(description="The version that failed and is not retried.")
    reason: Word = Field(description="Machine-readable reason, in CamelCase.")
    message: Sentence = Field("", description="Human-readable reason.")
    fingerprint: Hash = Field(description="Hash of the failed spec. A different spec clears the hold.")
    at: datetime = Field(description="Time of the failure.")


class ReleaseRecord(Model):
    version: Hash = Field(description="The target version of the release.")
    label: Word = Field("", description="Human-readable label of the version.")
    # Words of the past are kept as they are written, also those of a newer operator that was taken back.
    kind: Word = Field(
        description="Kind of the release: Install, Release, Rollback (by a person) or Undo (after a failure)."
    )
    started: datetime = Field(description="Time at which the release started.")
    ended: datetime = Field(description="Time at which the release ended.")
    result: Word = Field(
        description="Result of the release, for example Succeeded, Failed, Superseded or ContractFailed."
    )
    reason: Sentence = Field("", description="Reason, if the release did not succeed.")
    handover_pause_milliseconds: Count | None = Field(
        None, description="Milliseconds during which no consumer of the group was running in the handover."
    )


class OpenRelease(Model):
    version: Hash = Field(description="The target version of the release.")
    kind: Kind = Field(
        description="Kind of the release: Install, Release, Rollback (by a person) or Undo (after a failure)."
    )
    attempt: Count = Field(description="Number of this attempt. Results of earlier attempts do not count.")
    fingerprint: Hash = Field(UNKNOWN, description="Hash of the spec that is being released.")
    started: datetime = Field(description="Time at which the release started.")
    reached: Word = Field("Recording", description="The furthest stage that the release reached.")
    since: datetime = Field(description="Time at which the release reached that stage. Deadlines count from here.")
    troubled_since: datetime | None = Field(
        None, description="Time at which its pods were first seen in trouble that has not ended."
    )
    workers_lost_since: datetime | None = Field(
        None, description="Time since which no pod of one of its workers is ready in its observation period."
    )
    handover_started: datetime | None = Field(None, description="Time at which the old consumers were asked to stop.")
    handover_ended: datetime | None = Field(None, description="Time at which the new consumers had joined the group.")
    plan: Word = Field("", description="The ReleasePlan that the release waits for.")
    promoted_at: datetime | None = Field(None, description="Time from which only the new version received traffic.")
    accepted_at: datetime | None = Field(None, description="Time at which its observation period succeeded.")


class UnacceptedVersion(Model):
    release: OpenRelease = Field(description="The release of the version that has all traffic.")
    failed: Sentence = Field("", description="Why traffic goes back to the stable version.")
    failed_at: datetime | None = Field(None, description="Time of that failure.")


class Promotion(Model):
    reference: Word = Field(description="Value of release.promote.")
    attempt: Count = Field(description="Number of the attempt that it counts for.")


class Draining(Model):
    version: Hash = Field(description="A former version.")
    since: datetime = Field(description="Time from which it was no longer needed.")


class KeptSize(Model):
    replicas: Count = Field(description="Value of spec.replicas that this applies to. A different value clears it.")
    size: Count = Field(description="Number of pods of the active version in the meantime.")


class MicroserviceStatus(Model):
    # What another release of the operator keeps there stays, so that it finds it again.
    model_config = ConfigDict(extra="allow")

    observed_generation: Generation = Field(-1, description="Generation of the spec that was last reconciled.")
    phase: Word = Field(
        "Pending", description="Phase of the service, for example Releasing, Waiting, Watching, Released or Failed."
    )
    step: Word = Field("", description="Current stage of the release.")
    blocked_by: Sentence = Field("", description="What currently blocks the release.")
    active_version: str = Field("", max_length=8, description="The version that receives traffic.")
    stable_version: str = Field("", max_length=8, description="The version that a failed release rolls back to.")
    candidate_version: str = Field("", max_length=8, description="The version that is being released.")
    preview_version: str = Field("", max_length=8, description="The version that the preview Service selects.")
    held_version: HeldVersion | None = Field(None, description="The version that failed, held until the spec changes.")
    unaccepted: UnacceptedVersion | None = Field(
        None,
        description="The version that has all traffic, is observed, and was not accepted when a newer one was wanted.",
    )
    attempts: Count = Field(0, description="Number of releases attempted so far.")
    paused: bool = Field(False, description="Whether the operator has paused the release.")
    contract_pending: str = Field(
        "", max_length=8, description="The stable version whose contract migration waits until it is wanted again."
    )
    suspended: Suspend = Field("None", description="What the operator has stopped, since spec.suspend says so.")
    stopped_version: str = Field(
        "",
        max_length=8,
        description="The version that was active when all was stopped. Another one is wanted since: it stays down.",
    )
    promotion: Promotion | None = Field(None, description="The promotion by a person, which counts for one attempt.")
    release: OpenRelease | None = Field(None, description="The release in progress.")
    draining: tuple[Draining, ...] = Field(
        (), max_length=20, description="Former versions that are still running.", json_schema_extra=keyed_by("version")
    )
    kept_size: KeptSize | None = Field(
        None,
        description="Number of pods of the active version while a new version that changes spec.replicas is released.",
    )
    readiness: str = Field("", max_length=32, description="Ready and desired pods of the active version.")
    consumers: str = Field(
        "", max_length=64, description="Ready and desired consumers, and the version they belong to."
    )
    replicas: Count = Field(0, description="Number of pods of the active version, for autoscalers.")
    selector: str = Field("", max_length=512, description="Label selector of these pods, for autoscalers.")
    conditions: tuple[Condition, ...] = Field(
        (),
        max_length=16,
        description="Conditions of the service: Ready, Reconciling and Stalled as kstatus defines them, and "
        "the progress of the release.",
        json_schema_extra=keyed_by("type"),
    )
    history: tuple[ReleaseRecord, ...] = Field((), max_length=10, description="The most recent releases, newest last.")
