"""The console of a ``slipway up``: a thread of it, told about by two files in the data folder."""

import json
import secrets
import time
from contextlib import suppress
from pathlib import Path

from ....console.board import Source
from ....console.place import Place
from ....console.server import Console
from ....errors import LocalRuntimeError, NotRunning
from ..layout import Layout
from ..platform import Platform
from ..processes import utc_now
from ..state import replace_file
from ..system import System
from .acting import Acting, auditor
from .addresses import Addresses
from .finding import Finding
from .gauges import gauge_source
from .happenings import Happenings
from .outboxes import Outboxes
from .processes import everything_of, process_views
from .releases import Releases
from .streams import BrokerLook

ADDRESS, TOKEN = "console.json", "console-token"  # files in the data folder
SLOWER = 1.0  # seconds between two looks at what is asked over a connection


def started(layout: Layout, system: System, platform: Platform, happenings: Happenings) -> Console:
    """Answers on the console's port of the layout, or on one that is free where somebody has it. LocalRuntimeError
    where there is none at all.
    """
    place = place_of(layout, system, platform, happenings)
    token = token_of(layout)
    for port in (layout.console, 0):
        with suppress(OSError):
            console = Console(place, port=port, token=token)
            console.start()
            replace_file(layout.data / ADDRESS, json.dumps({"port": console.port}))
            return console
    raise LocalRuntimeError("no port is free for the console: slipway up --no-console goes without it")


def ended(console: Console, layout: Layout) -> None:
    """Leaves nothing behind but the token, which stays good for the folder."""
    (layout.data / ADDRESS).unlink(missing_ok=True)
    console.close()


def place_of(layout: Layout, system: System, platform: Platform, happenings: Happenings) -> Place:
    addresses = Addresses(layout)
    outboxes, broker = Outboxes(addresses), BrokerLook(addresses, system.services)
    finding = Finding(layout, addresses)
    return Place(
        name=str(layout.data.parent if layout.data.name == ".slipway" else layout.data),
        sources=(
            Source("services", Releases(layout, system).look),
            Source("processes", lambda: list(process_views(everything_of(platform), happenings))),
            Source("happenings", happenings.newest_first),
            Source("outboxes", outboxes.look, every=SLOWER, rest=outboxes.rest),
            Source("streams", broker.look, every=SLOWER, deadline=5.0, rest=broker.rest),
            Source("gauges", gauge_source(lambda: everything_of(platform)), every=SLOWER, deadline=5.0),
        ),
        questions={"logs": finding.logs, "way": finding.way, "letters": finding.letters},
        actions=Acting(layout, system, addresses).actions(),
        audit=auditor(layout, happenings, utc_now),
    )


def happenings() -> Happenings:
    """Of a run that begins now."""
    return Happenings(time.time)


def token_of(layout: Layout) -> str:
    """Made once for the folder, and readable by its owner alone."""
    file = layout.data / TOKEN
    with suppress(OSError):
        if found := file.read_text().strip():
            return found
    replace_file(file, secrets.token_urlsafe(24))
    return file.read_text().strip()


def address_on(layout: Layout) -> str:
    """Where the console of a running ``slipway up`` is; NotRunning where there is none."""
    layout.require_running()
    try:
        port = int(json.loads((layout.data / ADDRESS).read_text())["port"])
    except (OSError, ValueError, TypeError, KeyError):
        raise NotRunning(f"slipway up on {layout.data} has no console yet, or was started with --no-console") from None
    return f"http://127.0.0.1:{port}/"


def token_file(layout: Layout) -> Path:
    return layout.data / TOKEN
