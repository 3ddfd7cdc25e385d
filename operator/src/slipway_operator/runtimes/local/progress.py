"""What is told of a release: each stage in words, and why. The same lines stand in the journal of the service, which
``slipway release`` reads from another terminal.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ...planning.facts import Stage
from ...planning.steps import Emit, Step, SwitchActive
from ...spec.status import MicroserviceStatus
from .versions import Version

LONGEST_JOURNAL = 256 * 1024

STAGES = {
    Stage.MIGRATING: "the database is made ready; what is added now does not disturb the version that runs",
    Stage.STARTING: "its processes start beside the ones that answer; no request and no event reaches them",
    Stage.CHECKING: "its gates are asked, on ports that nobody else knows",
    Stage.PROMOTING: "it is good; somebody has to promote it (slipway promote)",
    Stage.HANDING_OVER: "events are handed over: the old consumer finishes, commits and leaves; then the new one joins",
    Stage.SWITCHING: "Envoy gets its endpoints: from now on every new request goes to the new version",
    Stage.VERIFYING: "it is waited until Envoy says that no request goes to the old version any more",
    Stage.WATCHING: "it is watched with all requests; the old version stays up for a way back in an instant",
    Stage.RETURNING: "events follow the requests back",
    Stage.DRAINING: "it is released; the old version stays up a little, then its processes end",
    Stage.CONTRACTING: "the database loses what only the old version used",
}

Tell = Callable[[str, str], None]


class Teller:
    """Of one service. ``tell`` prints a line: what, and a remark."""

    def __init__(self, service: str, journal: Path, tell: Tell) -> None:
        self._service = service
        self._journal = journal
        self._tell = tell
        self._told: tuple[str, Stage] | None = None
        self._trouble = ""

    def line(self, what: str, remark: str) -> None:
        self._tell(what, remark)
        if self._journal.exists() and self._journal.stat().st_size > LONGEST_JOURNAL:
            self._journal.unlink()
        self._journal.touch(mode=0o600)
        with self._journal.open("a") as journal:
            journal.write(f"{time.time():.3f}\t{what}\t{remark}\n")

    def trouble(self, what: str) -> None:
        """The same trouble is told once."""
        if what != self._trouble:
            self._trouble = what
            self.line(self._service, what)

    def look(
        self,
        steps: Sequence[Step],
        before: MicroserviceStatus,
        after: MicroserviceStatus,
        versions: Mapping[str, Version],
    ) -> None:
        """Lines for what began or ended, and for the stage a release has come to."""
        for step in steps:
            if isinstance(step, Emit) and not step.message.startswith("Install of"):
                self.line(self._service, in_words(step.message, versions))
        if after.release is None:
            if before.release is not None and before.release.kind != "Install":
                self._over(after, versions)
        elif after.release.kind != "Install" and after.step:
            self._stage(after.release.version, Stage.of(after.step), steps)

    def _stage(self, version: str, stage: Stage, steps: Sequence[Step]) -> None:
        # Before the switch itself, other things are put right in that stage.
        early = stage is Stage.SWITCHING and not any(isinstance(step, SwitchActive) for step in steps)
        if (version, stage) == self._told or stage not in STAGES or early:
            return
        self._told = (version, stage)
        self.line(f"{self._service} {stage.title}", STAGES[stage])

    def _over(self, after: MicroserviceStatus, versions: Mapping[str, Version]) -> None:
        self._told = None
        pause = after.history[-1].handover_pause_milliseconds if after.history else None
        active = versions.get(after.active_version)
        label = active.label if active else after.active_version
        said = f"version {label} answers; the release is over"
        if pause:
            said += f"; events waited {pause / 1000:.1f} s for the handover"
        if after.phase == "Failed" and after.held_version:
            held = versions.get(after.held_version.version)
            said = f"version {label} answers; {held.label if held else after.held_version.version} is held back"
        self.line(self._service, said)


def in_words(message: str, versions: Mapping[str, Version]) -> str:
    """Hashes are replaced by names, pods by processes."""
    for version in versions.values():
        message = message.replace(f"{version.hash} ({version.label})", version.label)
        message = message.replace(version.hash, version.label)
    return re.sub(r"\bpod(s?)\b", r"process\1", message).replace("processs", "processes")
