"""What people decide, as a change of spec.release; or why it would have no effect. Pure.

A decision names versions by their hash, so that one which comes too late hits nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..planning.desired import PLAN_FAILED
from ..planning.facts import RETIRED, OpenRelease, Stage
from ..planning.permissions import promoted, unreleased_because, was_released
from ..planning.promotion_window import closed_because
from ..spec.hashing import version_name
from .errors import NotPossible
from .snapshot import Kept, Snapshot

# Known tools that write specs, by the manager's name in managedFields.
_TOOLS = {
    "helm": "Helm", "helm-controller": "Flux", "kustomize-controller": "Flux", "argocd-controller": "Argo CD",
    "argocd-application-controller": "Argo CD", "skaffold": "Skaffold",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReleasePatch:
    release: Mapping[str, Any]  # fields of spec.release to set; None removes one
    said: str
    version: str = ""  # the version that shall be active at the end; empty: none in particular
    notes: tuple[str, ...] = ()  # what else is good to know
    warnings: tuple[str, ...] = ()

    @property
    def patch(self) -> dict[str, Any]:
        return {"spec": {"release": dict(self.release)}}


def promote(snapshot: Snapshot, wanted: str = "") -> ReleasePatch:
    """``wanted``: that version alone, by hash, name of the ServiceVersion or label; empty: whichever waits."""
    _must_be_seen(snapshot)
    release = _forward(snapshot, "promoted")
    title = snapshot.title(release.version)
    if wanted and _named(snapshot, wanted).version != release.version:
        raise NotPossible(f"{title} is being released, and not {wanted[:64]}: nothing was promoted")
    stage = Stage.of(snapshot.status.step)
    if snapshot.status.phase == "Suspended":
        raise NotPossible(f"{snapshot.name} is stopped on purpose: first set spec.suspend to None")
    if snapshot.status.phase == "Paused":
        raise NotPossible(f"{snapshot.name} is paused: first {snapshot.command(f'resume {snapshot.name}')}")
    if release.kind == "Rollback":
        raise NotPossible(f"a rollback to {title} is going on, which nobody has to promote")
    if snapshot.desired.auto_promote and not release.plan and stage is not Stage.PROMOTING:
        raise NotPossible(f"{title} is promoted by itself, since strategy.autoPromote is true; it is at {stage.title}")
    if release.reached > Stage.PROMOTING:
        raise NotPossible(f"{title} was promoted already; it is at {stage.title}")
    closed = closed_because(snapshot.desired.window, snapshot.now)
    said = promoted(snapshot.desired, snapshot.facts, release)
    if said or (snapshot.desired.auto_promote and not release.plan):
        raise NotPossible(f"{title} may be promoted already" + (f": {closed}" if closed else ""))
    notes = [f"{title} is at {stage.title} and takes over when that and its gates are done"] * (stage < Stage.PROMOTING)
    notes += [f"promotion is allowed, and {closed}"] * bool(closed)
    notes += [f"plan {release.plan} decides, as long as it is there"] * bool(release.plan)
    # Each promotion counts for one attempt: another one is told from it by how it is written.
    again = snapshot.desired.promoted_as == release.version
    named = version_name(snapshot.name, release.version) if again else release.version
    return _decided(snapshot, {"promote": named}, f"{title} may take over", release.version, notes=notes)


def abort(snapshot: Snapshot) -> ReleasePatch:
    _must_be_seen(snapshot)
    status = snapshot.status
    release = _forward(snapshot, "aborted")
    stable = status.stable_version
    if not stable or release.kind == "Install":
        raise NotPossible(f"{snapshot.title(release.version)} is the first version: there is none to stay with")
    given_up = snapshot.title(release.version)
    said = f"{given_up} is given up; {snapshot.title(stable)} stays active until release.activeVersion is removed"
    return _back(snapshot, stable, said)


def rollback(snapshot: Snapshot, wanted: str = "", *, unreleased: bool = False) -> ReleasePatch:
    """``unreleased``: a person said that no release of the version need have succeeded."""
    _must_be_seen(snapshot)
    status = snapshot.status
    target = _named(snapshot, wanted) if wanted else _former(snapshot)
    title = snapshot.title(target.version)
    if target.retired:
        raise NotPossible(f"{title} can't come back: {target.retired}. {_choices(snapshot)}")
    held = status.held_version
    if held and held.version == target.version:
        raise NotPossible(f"{title} is held after a failure ({held.message}). {_choices(snapshot)}")
    release = snapshot.facts.release
    busy = release is not None and not release.accepted_at and release.kind != "Undo"
    if busy and release and release.version == target.version:
        raise NotPossible(f"{title} is being released right now: {snapshot.command(f'status {snapshot.name}')}")
    if target.version == status.active_version and not busy:
        raise NotPossible(f"{title} is active already. {_choices(snapshot)}")
    if target.version == status.stable_version and busy:
        raise NotPossible(f"{title} is what a release goes back to: {snapshot.command(f'abort {snapshot.name}')}")
    good = _was_good(snapshot, target)
    if not good and not unreleased:
        why = unreleased_because(target.noted)
        cure = "to activate it without its gates, add --allow-unreleased"
        raise NotPossible(f"no release of {title} has succeeded ({why}): {cure}. {_choices(snapshot)}")
    said = f"{title} becomes active again, until release.activeVersion is removed"
    return _back(snapshot, target.version, said, unreleased=not good)


def _back(snapshot: Snapshot, version: str, said: str, *, unreleased: bool = False) -> ReleasePatch:
    """One write: in an emergency nobody lifts a pause first, and lets the release go on by that."""
    desired = snapshot.desired
    change: dict[str, Any] = {"activeVersion": version}
    if unreleased or desired.unreleased:
        change["allowUnreleased"] = version if unreleased else None
    change |= {"paused": None} if desired.paused else {}
    # Left standing, a promotion would let the next try of the same version through without a person.
    change |= {"promote": None} if desired.promote else {}
    notes = ["the pause is lifted, since nothing goes back while it stands"] * desired.paused
    notes.append(f"to release what the spec says: {snapshot.command(f'retry {snapshot.name}')}")
    return _decided(snapshot, change, said, version, notes=notes)


def pause(snapshot: Snapshot) -> ReleasePatch:
    if snapshot.desired.paused:
        raise NotPossible(f"{snapshot.name} is paused already: {snapshot.command(f'resume {snapshot.name}')}")
    notes = []
    if snapshot.status.step == Stage.HANDING_OVER.title:
        notes.append("consumers are being handed over: they go back to the version that gets requests")
    return _decided(snapshot, {"paused": True}, f"{snapshot.name} stands still, and what runs goes on", warnings=notes)


def resume(snapshot: Snapshot) -> ReleasePatch:
    if not snapshot.desired.paused:
        raise NotPossible(f"{snapshot.name} is not paused")
    return _decided(snapshot, {"paused": None}, f"{snapshot.name} goes on")


def retry(snapshot: Snapshot, now: datetime) -> ReleasePatch:
    """What the spec says is released again: after a failure, a rollback or an abort."""
    _must_be_seen(snapshot)
    desired, held = snapshot.desired, snapshot.status.held_version
    title = snapshot.title(desired.version)
    change: dict[str, Any] = {}
    notes = []
    if held and held.version == desired.version:
        if held.reason == RETIRED:
            raise NotPossible(f"{title} can't come back: {held.message}. Release another version")
        notes = ["as long as the plan that sent it back is there, it stays back: delete the plan"]
        notes *= held.reason == PLAN_FAILED
        change["retry"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    if desired.pinned and (desired.pinned != desired.version or snapshot.status.phase == "Blocked"):
        change["activeVersion"] = None
    if not change:
        raise NotPossible(
            f"nothing is held or pinned: {snapshot.command(f'explain {snapshot.name}')} says where it stands"
        )
    # A promotion counts for one attempt: a person is asked again.
    change |= {"promote": None} if desired.promote else {}
    return _decided(snapshot, change, f"{title} is released again", desired.version, notes=notes)


# --- which version is meant
def _must_be_seen(snapshot: Snapshot) -> None:
    if snapshot.status.observed_generation < 0:
        raise NotPossible(f"the operator has not looked at {snapshot.name} yet: does it run?")
    if not snapshot.seen:
        late = f"the operator has not looked at the latest change of {snapshot.name} yet"
        raise NotPossible(f"{late}, so where it stands is not known: try again in a moment")


def _forward(snapshot: Snapshot, what: str) -> OpenRelease:
    """The release that is going on and could still be decided about."""
    status, release = snapshot.status, snapshot.facts.release
    active = snapshot.title(status.active_version) if status.active_version else "no version"
    if status.phase == "Failed" and status.held_version:
        held, cure = snapshot.title(status.held_version.version), snapshot.command(f"retry {snapshot.name}")
        raise NotPossible(f"nothing can be {what}: {held} is held after a failure; to try it again: {cure}")
    if release is None:
        raise NotPossible(f"nothing can be {what}: no release is going on, and {active} is active")
    if release.kind == "Undo":
        raise NotPossible(f"nothing can be {what}: it goes back to {snapshot.title(release.version)} already")
    if release.accepted_at:
        cure = snapshot.command(f"rollback {snapshot.name}")
        raise NotPossible(f"nothing can be {what}: {snapshot.title(release.version)} is released; to go back: {cure}")
    return release


def _named(snapshot: Snapshot, wanted: str) -> Kept:
    """By hash, name of the ServiceVersion, or label."""
    word = wanted.rpartition("/")[2]
    for kept in snapshot.kept.values():
        if word in {kept.version, version_name(snapshot.name, kept.version)}:
            return kept
    labelled = [kept for kept in snapshot.kept.values() if kept.label == word]
    if len(labelled) > 1:
        named = ", ".join(f"{kept.version} (revision {kept.revision})" for kept in labelled)
        raise NotPossible(f"several versions are called {word}: name one by its hash: {named}")
    if labelled:
        return labelled[0]
    raise NotPossible(f"version {word[:64]} is not kept. {_choices(snapshot)}")


def _former(snapshot: Snapshot) -> Kept:
    """The version that was released with success before the active one, if it can come back."""
    active = snapshot.status.active_version
    held = snapshot.status.held_version
    for record in reversed(snapshot.status.history):
        kept = snapshot.kept.get(record.version)
        good = record.result in {"Succeeded", "ContractFailed"} and record.version != active
        if good and kept and not kept.retired and not (held and held.version == kept.version):
            return kept
    raise NotPossible(f"the history names no former version that could come back. {_choices(snapshot)}")


def _choices(snapshot: Snapshot) -> str:
    names = [snapshot.title(kept.version) for kept in _possible(snapshot)]
    return f"Kept: {', '.join(names)}: choose with --to" if names else "No other version is kept"


def _possible(snapshot: Snapshot) -> Iterator[Kept]:
    held = snapshot.status.held_version
    for kept in sorted(snapshot.kept.values(), key=lambda each: -each.revision):
        gone = kept.retired or kept.version == snapshot.status.active_version
        if not gone and not (held and held.version == kept.version) and _was_good(snapshot, kept):
            yield kept


def _was_good(snapshot: Snapshot, kept: Kept) -> bool:
    facts = snapshot.facts
    return was_released(kept.version, facts.stable, facts.history, kept.noted)


def possible(snapshot: Snapshot) -> list[Kept]:
    """Versions a rollback can name, newest first."""
    return list(_possible(snapshot))


# --- who else writes it
def _decided(
    snapshot: Snapshot,
    release: Mapping[str, Any],
    said: str,
    version: str = "",
    *,
    warnings: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> ReleasePatch:
    foreign = [
        f"release.{name} was set by {_TOOLS.get(manager, manager)}, which may set it back: change it there as well"
        for name, manager in snapshot.owners.items()
        if name in release
    ]
    return ReleasePatch(release, said, version, tuple(notes), (*warnings, *foreign))
