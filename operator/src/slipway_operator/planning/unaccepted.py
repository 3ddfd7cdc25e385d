"""A version that has all requests, was not accepted yet, and is not wanted any more: a newer one was pushed.

It is watched as long as it has the requests, since the newer one may wait for hours, for a person or a window. What
its watch finds is acted on: it becomes the stable version, or requests go back.
"""

from dataclasses import replace

from . import decisions, stages
from .facts import Facts, OpenRelease, Result, Stage
from .observed import VersionView
from .situation import Situation
from .stage_status import Failure, StageStatus
from .steps import Emit


def looked_at(situation: Situation) -> tuple[Situation, StageStatus | None, list[Emit]]:
    """The facts after this look, and what its watch, or its way back, has to do now."""
    facts = situation.facts
    kept = facts.unaccepted
    view = situation.view(kept.release.version) if kept else None
    if kept is None:
        return situation, None, []
    if view is None or situation.current != view.version or (facts.release and facts.release.kind == "Undo"):
        result: Result = "Failed" if kept.failed else "Superseded"
        return replace(situation, facts=_closed(situation, result, kept.failed)), None, []
    if kept.failed:
        return situation, _back(situation), []
    found, watched = _watched(situation, kept.release, view)
    failure = decisions.should_fail(watched, kept.release, found)
    if failure:
        facts, told = _failed(situation, failure)
    elif found.accepted:
        facts, told = _accepted(situation)
    else:
        facts, told = _watched_on(situation, kept.release, view, found), []
    return replace(situation, facts=facts), found, told


def said(situation: Situation) -> str:
    kept = situation.facts.unaccepted
    if kept is None:
        return ""
    name = situation.name_of(kept.release.version)
    if kept.failed:
        return f"{name} has all requests and is not accepted: {kept.failed}; they go back to {situation.facts.stable}"
    since = kept.release.promoted_at or situation.now
    ends = f"{since + situation.desired.watch:%H:%M:%S} UTC"
    return f"{name} has all requests and is not accepted: it is watched until {ends}"


def _watched(situation: Situation, release: OpenRelease, view: VersionView) -> tuple[StageStatus, Situation]:
    """At the size it has: another one came with the newer version."""
    desired = replace(situation.desired, replicas=situation.active_size)
    watched = replace(situation, desired=desired, facts=replace(situation.facts, kept_size=None))
    if release.promoted_at is None and not view.endpoints:
        return StageStatus(Stage.VERIFYING), watched
    begun = replace(release, promoted_at=release.promoted_at or situation.now)
    return stages.watching(watched, begun, view) or StageStatus(Stage.WATCHING, accepted=True), watched


def _watched_on(situation: Situation, release: OpenRelease, view: VersionView, found: StageStatus) -> Facts:
    kept = situation.facts.unaccepted
    assert kept  # noqa: S101 # the caller has seen it
    noted = decisions.noted_trouble(situation, release, found)
    if release.promoted_at is None and view.endpoints:
        noted = replace(noted, promoted_at=situation.now)
    return situation.facts if noted == release else replace(situation.facts, unaccepted=replace(kept, release=noted))


def _failed(situation: Situation, failure: Failure) -> tuple[Facts, list[Emit]]:
    facts = situation.facts
    kept, stable = facts.unaccepted, facts.stable
    assert kept  # noqa: S101 # the caller has seen it
    version = kept.release.version
    if stable is None or stable == version:
        return _closed(situation, "Failed", failure.message), [_told(version, failure, "")]
    kept = replace(kept, failed=failure.message[:1024], failed_at=situation.now)
    return replace(facts, unaccepted=kept), [_told(version, failure, f"; back to {stable}")]


def _told(version: str, failure: Failure, back: str) -> Emit:
    return Emit("ReleaseFailed", f"{version}: {failure.message}{back}", "Warning")


def _back(situation: Situation) -> StageStatus:
    """The same way back as that of a release that failed, beside the newer one."""
    facts = situation.facts
    assert facts.unaccepted and facts.stable  # noqa: S101, PT018 # the caller has seen it
    at = facts.unaccepted.failed_at or situation.now
    undo = OpenRelease(facts.stable, "Undo", 0, situation.desired.fingerprint, at, Stage.STARTING, at)
    return stages.stage_status(replace(situation, target=facts.stable), undo)


def _accepted(situation: Situation) -> tuple[Facts, list[Emit]]:
    facts = situation.facts
    assert facts.unaccepted  # noqa: S101 # the caller has seen it
    of_watched = replace(situation, facts=replace(facts, release=facts.unaccepted.release))
    after, told = decisions.accepted(of_watched)
    release = facts.release
    if release and release.kind == "Install":
        # There is a version to go back to now, and so something to decide: a first version waits for nobody.
        again = release.reached > Stage.CHECKING
        since = situation.now if again else release.since
        release = replace(release, kind="Release", reached=min(release.reached, Stage.CHECKING), since=since)
    closed = decisions.closed(situation.observed, after, situation.now, "Succeeded")
    pending = facts.unaccepted.release.version
    kept_size = facts.kept_size
    return replace(closed, release=release, unaccepted=None, contract_pending=pending, kept_size=kept_size), told


def _closed(situation: Situation, result: Result, reason: str) -> Facts:
    facts = situation.facts
    assert facts.unaccepted  # noqa: S101 # the caller has seen it
    of_watched = replace(facts, release=facts.unaccepted.release)
    closed = decisions.closed(situation.observed, of_watched, situation.now, result, reason)
    return replace(closed, release=facts.release, unaccepted=None)
