"""What a person may do from the page: the same as the commands do, and each a line of the log."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slipway_chassis.events import replay
from slipway_chassis.events.replay import Filter, Queue

from ....console.place import Action, Words
from ....errors import LocalRuntimeError
from ..layout import Layout
from ..releasing import Controls
from ..system import System
from .addresses import Addresses
from .happenings import Happenings

RATE = 200.0  # letters a second
MOST_LETTERS = 2000  # that are sent while a browser waits
AUDIT_LOG = "console.log"
WORDS = ("action", "service", "version", "topic", "group")


@dataclass(frozen=True)
class Acting:
    """On one data folder."""

    layout: Layout
    system: System
    addresses: Addresses

    def actions(self) -> Mapping[str, Action]:
        """By name; each takes ``service``, and replay ``topic`` and ``group``."""
        return {"promote": self._promote, "abort": self._abort, "rollback": self._rollback, "replay": self._replay}

    def _controls(self, words: Words) -> Controls:
        return Controls(self.layout, self.system, words.get("service", ""))

    def _promote(self, words: Words) -> str:
        controls = self._controls(words)
        if controls.status().phase != "Waiting":
            raise LocalRuntimeError(f"{controls.service.name} does not wait for a promotion: {controls.sentence()}")
        controls.promote()
        return f"{controls.service.name}: the version that waits is promoted"

    def _abort(self, words: Words) -> str:
        controls = self._controls(words)
        release = controls.status().release
        if release is None or release.accepted_at or release.kind != "Release":
            raise LocalRuntimeError(f"{controls.service.name} has no release that could be given up")
        version = controls.former()
        controls.rollback(version.hash)
        return f"{controls.service.name}: the release is given up, {version.label} stays"

    def _rollback(self, words: Words) -> str:
        controls = self._controls(words)
        version = words.get("version")
        label = version or controls.former().label
        controls.rollback(version or None)
        return f"{controls.service.name} goes back to {label}"

    def _replay(self, words: Words) -> str:
        settings, queue = self.addresses.broker(), Queue(words.get("topic", ""), words.get("group", ""))
        if settings is None or queue not in replay.queues(settings):
            raise LocalRuntimeError(f"there are no dead letters of {queue.group} on {queue.topic}")
        count = len(replay.chosen(settings, queue, Filter()))
        if count > MOST_LETTERS:
            raise LocalRuntimeError(f"{count} letters take a while: slipway dlq replay {queue.topic} {queue.group}")
        sent = replay.replay(settings, queue, Filter(), rate=RATE, tell=lambda _: None)
        return f"{sent} letters were sent to {queue.group} again; they stay listed until they are purged"


def auditor(layout: Layout, happenings: Happenings, now: Callable[[], datetime]) -> Callable[[dict[str, Any]], None]:
    """Writes one line of JSON for each action into the logs, where ``slipway logs`` finds it, and tells it."""

    def audit(action: dict[str, Any]) -> None:
        words = action["words"]
        asked = " ".join(str(words[name]) for name in WORDS if words.get(name))
        layout.logs.mkdir(parents=True, exist_ok=True)
        with (layout.logs / AUDIT_LOG).open("a") as log:
            log.write(f"{json.dumps(_line(action, asked, now()))}\n")
        if action["outcome"] != "refused":  # who has no token must not fill the page
            happenings.tell("console", f"{asked}: {action['said']}")

    return audit


def _line(action: Mapping[str, Any], asked: str, at: datetime) -> dict[str, Any]:
    return {
        "@timestamp": at.astimezone(UTC).isoformat(),
        "log.level": "info" if action["outcome"] == "done" else "warning",
        "log.logger": "slipway.audit",
        "message": f"{action['outcome']}: {asked or 'an action'}: {action['said']}",
        "service.name": "console",
        "client.address": action["who"],
        "event.action": action["words"].get("action", ""),
        "event.outcome": "success" if action["outcome"] == "done" else "failure",
        "labels": action["words"],
    }
