"""Who lets a version have requests: a person, a plan, or a release of it that succeeded. Each word has its end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from .desired import Desired
from .facts import Ended, Facts, OpenRelease, Promotion
from .observed import Noted
from .situation import Situation

# Results of gates that are older say little about now: who is promoted later is checked anew.
RESULTS_LAST = timedelta(minutes=10)


def with_promotion(desired: Desired, facts: Facts) -> Facts:
    """A promotion counts for the attempt that is open when it is first seen, or for the next one."""
    reference, known, release = desired.promoted_as or desired.promote or "", facts.promotion, facts.release
    if known and known.reference == reference:
        return facts
    attempt: int | None = None
    if release and release.careful and release.version == desired.promote:
        attempt = release.attempt
    elif facts.held and facts.held.version == desired.promote:
        attempt = facts.attempts  # it was given for what has failed
    made = Promotion(reference, attempt) if reference and attempt is not None else None
    return facts if made == known else replace(facts, promotion=made)


def promoted(desired: Desired, facts: Facts, release: OpenRelease) -> bool:
    """By a person, for this attempt."""
    if desired.pinned == release.version:
        return True
    known = facts.promotion
    reference = desired.promoted_as or desired.promote
    spent = known is not None and known.reference == reference and known.attempt != release.attempt
    return desired.promote == release.version and not spent


def lost_plan(situation: Situation, release: OpenRelease) -> str:
    """What waited for a plan does not go on because the plan was deleted. Empty: there is none that is gone."""
    if not release.plan or situation.desired.directive or promoted(situation.desired, situation.facts, release):
        return ""
    cure = f"promote {release.version} (kubectl slipway promote, or release.promote), or change its spec"
    return f"plan {release.plan}, for which it waited, is gone: {cure}"


def with_plan(situation: Situation, release: OpenRelease) -> OpenRelease:
    """Whose word it waits for, kept for the time when the plan is gone."""
    directive = situation.desired.directive
    if not directive or not release.careful:
        return release
    plan = directive.plan if directive.order in {"Hold", "Wait"} else ""
    return release if plan == release.plan else replace(release, plan=plan)


def results_are_old(situation: Situation, release: OpenRelease) -> bool:
    """It waited so long for its promotion that its gates must be asked anew."""
    asked = any(not gate.after_promotion for gate in situation.desired.gates)
    return asked and situation.now - release.since > RESULTS_LAST


def was_released(version: str, stable: str | None, history: Sequence[Ended], noted: Noted) -> bool:
    """Whether a release of it ever succeeded. That its record is kept does not tell."""
    tried = [each for each in history if each.version == version]
    if version == stable or any(each.result in {"Succeeded", "ContractFailed"} for each in tried):
        return True
    if noted.released is not None:
        return noted.released
    # Recorded before that was kept.
    return noted.active_from is not None and all(each.kind == "Rollback" for each in tried)


def unreleased_because(noted: Noted) -> str:
    return noted.because or ("it failed while it was watched" if noted.active_from else "it was never active")
