"""Draws the second act of `make demo` as a moving picture, from what a run printed: `make picture`.

Usage: release_picture.py act TELLING RECORDED   takes the act out of what the demo told
       release_picture.py draw RECORDED PICTURE  an SVG: CSS moves it, in the times of the run
"""

import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

ACT, NEXT_ACT = "Act 2: ", "Act 3: "
LOOP_SECONDS, MOVING_PERCENT = 18, 80  # then all of it stands still, to be read
WIDTH, FIRST_ROW, ROW = 800, 206, 22

_STEP = re.compile(r"^ +(?P<at>\d+\.\d) s +\w+ (?P<phase>[A-Z]\w+) +(?P<says>.+)$", re.MULTILINE)
_COMMAND = re.compile(r"^ +\$ (?P<command>slipway release (?P<service>\w+) --version (?P<version>\S+))$", re.MULTILINE)
_CONSUMES = re.compile(r"^ +(?P<at>\d+\.\d) s .* consumes: ", re.MULTILINE)
_OVER = re.compile(r"^ +(?P<at>\d+\.\d) s .*; the release is over", re.MULTILINE)
_CUSTOMERS = re.compile(r"^ +(?P<count>\d+ customers) place orders", re.MULTILINE)
_ANSWERED = re.compile(r"^ +(?P<count>\d+ requests were answered, \d+ failed)$", re.MULTILINE)
_ORDERS = re.compile(r"^ +(?P<count>\d+ orders, \d+ reservations)", re.MULTILINE)
PHASES = ["Migrating", "Starting", "Checking", "HandingOver", "Switching", "Watching", "Draining"]


@dataclass(frozen=True)
class Step:
    """``at``: seconds since the command."""

    at: float
    phase: str
    says: str


@dataclass(frozen=True)
class Release:
    """``consumes``, ``over``: seconds since the command until the new version has the events, and until its end."""

    command: str
    service: str
    version: str
    customers: str
    steps: list[Step]
    consumes: float
    over: float
    answered: str
    orders: str

    def at(self, phase: str) -> float:
        [found] = [step.at for step in self.steps if step.phase == phase]
        return found


def act(told: str) -> str:
    """The act alone; ValueError where the demo did not get behind it."""
    _, begins, rest = told.partition(ACT)
    body, ends, _ = rest.partition(NEXT_ACT)
    if not (begins and ends):
        raise ValueError("the demo told no second act with a third behind it")
    return f"{ACT}{body.rstrip()}\n"


def read(recorded: str) -> Release:
    """ValueError where a part is missing."""

    def one(pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.search(recorded)
        if found is None:
            raise ValueError(f"the recorded act has nothing like {pattern.pattern}")
        return found

    steps = [Step(float(found["at"]), found["phase"], found["says"]) for found in _STEP.finditer(recorded)]
    if [step.phase for step in steps] != PHASES:
        raise ValueError(f"the recorded release went through {', '.join(step.phase for step in steps)}")
    command = one(_COMMAND)
    return Release(
        command["command"], command["service"], command["version"], one(_CUSTOMERS)["count"], steps,
        float(one(_CONSUMES)["at"]), float(one(_OVER)["at"]), one(_ANSWERED)["count"], one(_ORDERS)["count"],
    )  # fmt: skip


def draw(release: Release) -> str:
    """Without motion, for who asks for none, it shows the end."""
    moves = {
        "old": (1, 0.25, release.at("Draining")),
        "new": (0, 1, release.at("Starting")),
        "asked-before": (1, 0, release.at("Switching")),
        "asked-after": (0, 1, release.at("Switching")),
        "read-before": (1, 0, release.at("HandingOver")),
        "read-after": (0, 1, release.consumes),
        "end": (0, 1, release.over),
        **{f"row-{step.phase}": (0.2, 1, step.at) for step in release.steps},
    }
    height = FIRST_ROW + ROW * (len(release.steps) + 1) + 14
    said = f"{release.answered}; {release.orders}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" font-family="sans-serif">',
        f"<title>{escape(release.command)}, while customers order</title>",
        f"<desc>{escape('; '.join(f'{step.at} s {step.phase}: {step.says}' for step in release.steps))}; {said}</desc>",
        _style(moves, release.over),
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="8" fill="#fff" stroke="#d0d7de"/>',
        f'<text x="20" y="30" font-family="monospace" font-size="14">$ {escape(release.command)}</text>',
        *_shop(release),
        *_rows(release),
        f'<text class="end" x="20" y="{height - 14}" font-size="14" font-weight="bold" fill="#1a7f37">',
        f"{escape(said)}</text>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


# --- parts
def _style(moves: dict[str, tuple[float, float, float]], seconds: float) -> str:
    """``moves``: of each class how much is seen of it before and after, and when that changes, in seconds."""
    static = "".join(f".{name}{{opacity:{after}}}" for name, (_, after, _) in moves.items())
    frames = "".join(
        f"@keyframes {name}{{0%,{_percent(at, seconds)}{{opacity:{before}}}"
        f"{_percent(at + seconds / 50, seconds)},100%{{opacity:{after}}}}}"
        for name, (before, after, at) in moves.items()
    )
    moved = "".join(f".{name}{{animation:{name} {LOOP_SECONDS}s linear infinite}}" for name in moves)
    flow = "@keyframes flow{to{stroke-dashoffset:-20}}.flow{animation:flow .5s linear infinite}"
    return (
        "<style>.flow{fill:none;stroke-width:4;stroke-dasharray:4 16;stroke-linecap:round}"
        f"{static}@media (prefers-reduced-motion:no-preference){{{frames}{moved}{flow}}}</style>"
    )


def _percent(at: float, seconds: float) -> str:
    return f"{min(at / seconds, 1.1) * MOVING_PERCENT:.2f}%"


def _shop(release: Release) -> list[str]:
    asked, read_ = "#0969da", "#8250df"
    return [
        _box(20, 84, release.customers),
        _box(200, 84, "gateway"),
        _box(420, 50, f"{release.service}, before", "old"),
        _box(420, 118, f"{release.service} {release.version}", "new"),
        _box(640, 84, "Kafka"),
        _flow("M150 104H200", asked, ""),
        _flow("M330 98L420 74", asked, "asked-before"),
        _flow("M330 110L420 134", asked, "asked-after"),
        _flow("M640 98L550 74", read_, "read-before"),
        _flow("M640 110L550 134", read_, "read-after"),
        f'<text x="374" y="182" font-size="12" text-anchor="end" fill="{asked}">requests</text>',
        f'<text x="596" y="182" font-size="12" fill="{read_}">events</text>',
    ]


def _box(left: int, top: int, text: str, name: str = "") -> str:
    return (
        f'<g class="{name}"><rect x="{left}" y="{top}" width="130" height="40" rx="6" fill="#f6f8fa" stroke="#57606a"/>'
        f'<text x="{left + 65}" y="{top + 25}" font-size="14" text-anchor="middle">{escape(text)}</text></g>'
    )


def _flow(path: str, colour: str, name: str) -> str:
    return f'<g class="{name}"><path class="flow" d="{path}" stroke="{colour}"/></g>'


def _rows(release: Release) -> list[str]:
    return [
        f'<g class="row-{step.phase}" font-size="12">'
        f'<text x="66" y="{FIRST_ROW + ROW * row}" text-anchor="end">{step.at} s</text>'
        f'<text x="80" y="{FIRST_ROW + ROW * row}" font-weight="bold">{step.phase}</text>'
        f'<text x="172" y="{FIRST_ROW + ROW * row}">{escape(step.says)}</text></g>'
        for row, step in enumerate(release.steps)
    ]


def main(what: str, source: str, target: str) -> None:
    text = Path(source).read_text()
    Path(target).write_text(act(text) if what == "act" else draw(read(text)))


if __name__ == "__main__":
    main(*sys.argv[1:])
