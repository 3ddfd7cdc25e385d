"""Whether what a person decided has come true: read from the status, so that it works from any terminal. Pure."""

from dataclasses import dataclass

from ..spec.status import MicroserviceStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    line: str  # where it stands
    done: bool = False
    failed: str = ""  # why it will not come true


def outcome(status: MicroserviceStatus, generation: int, version: str, *, forward: bool) -> Outcome:
    """Of a decision that was written with this generation. ``forward``: the version was never active before."""
    if status.observed_generation < generation:
        return Outcome("the operator has not looked at it yet")
    if _arrived(status, version):
        return Outcome(f"{version} is active", done=True)
    where = " · ".join(word for word in (status.phase, status.step) if word)
    line = f"{where}: {status.blocked_by}" if status.blocked_by else where
    return Outcome(line, failed=_lost(status, version, forward=forward))


def _arrived(status: MicroserviceStatus, version: str) -> bool:
    """It gets all requests, and a failed release would go back to it; scaling down the former one is no matter."""
    if version != status.active_version or version != status.stable_version:
        return False
    release = status.release
    if release is None:
        return True
    return release.version == version and release.kind != "Undo" and release.accepted_at is not None


def _lost(status: MicroserviceStatus, version: str, *, forward: bool) -> str:
    held, release = status.held_version, status.release
    if held and held.version == version:
        return held.message or held.reason
    if status.phase == "Blocked":
        return status.blocked_by
    if forward and (release is None or release.version != version):
        return "another version is wanted now"
    return ""
