"""`make dev` on a copy of this repository: a saved Python file shows up in the answers; Ctrl-C takes all away again."""

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import GATEWAY, kubectl, wait_until_nothing_is_left
from support.repository import copy_repository

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1800), pytest.mark.usefixtures("cluster")]
SOURCE = "services/storefront/src/storefront/entrypoints/http.py"
PLACE = "    partial: bool\n"


@pytest.fixture(name="workspace")
def _workspace(tmp_path):
    """Files of the repository alone; edits here touch nobody's work."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    copy_repository(workspace)
    return workspace


@pytest.fixture(name="dev")
def _dev(workspace):
    """`make dev`, once it follows the sources; ended by Ctrl-C, as a person ends it."""
    kubectl("delete", "namespace", "shop", "--ignore-not-found", "--timeout=180s")
    log = workspace.parent / "dev.log"  # skaffold waits until nothing has changed in its folder for a moment
    with log.open("wb") as written:
        process = subprocess.Popen(
            ["make", "dev"], cwd=workspace, stdout=written, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:

        def follows():
            assert process.poll() is None, log.read_text()[-3000:]
            return "Watching for changes" in log.read_text()

        eventually(follows, within=900, every=0.5)
        yield log
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(240)
    wait_until_nothing_is_left(within=180)
    kubectl("delete", "namespace", "shop", "--timeout=180s")


def home():
    try:
        with urllib.request.urlopen(f"{GATEWAY}/v1/home", timeout=5) as answer:
            return json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return {}


def test_a_saved_file_shows_up_in_the_answer(dev, workspace):
    eventually(lambda: "partial" in home(), within=120)
    path = workspace / SOURCE
    original = path.read_text()

    def save(word):
        path.write_text(original.replace(PLACE, f'{PLACE}    greeting: str = "{word}"\n'))

    def synced():
        return len(re.findall(r"Syncing \d+ files? for slipway/storefront", dev.read_text()))

    def first():
        """What skaffold finds at its first look is no change to it."""
        save(f"first at {time.monotonic()}")
        return synced()

    eventually(first, within=60, every=2)
    took = []
    for word in ("hello", "again"):
        eventually(lambda: home().get("greeting", "").startswith(("first", "hello")), within=120)
        save(word)
        saved = time.monotonic()
        eventually(lambda word=word: home().get("greeting") == word, within=120, every=0.05)
        took.append(time.monotonic() - saved)

    print(f"\n  a saved file was answered after {', '.join(f'{each:.1f}' for each in took)} s")
    assert synced() >= len(took)
