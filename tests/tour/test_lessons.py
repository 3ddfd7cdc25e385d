"""Every lesson that runs beside `slipway up`, as a reader runs it: `make lessons`.

FIGURES=write brings what was counted into the pages.
"""

import json
import os
import subprocess
import sys

import pytest

from slipway_chassis.embedded.processes import free_port
from slipway_chassis.testing.plugin import eventually
from slipway_operator.tour.lesson import read_lessons
from support.lesson_pages import write_figures
from support.repository import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.soak, pytest.mark.timeout(900)]
LESSONS = [lesson for lesson in read_lessons(ROOT) if lesson.run]
BASE_PORT = 24000


class Shop:
    def __init__(self, data):
        self.data = data

    def slipway(self, *words):
        command = [sys.executable, "-m", "slipway_chassis", *map(str, words), "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, cwd=ROOT)

    def versions(self):
        """What answers, by service."""
        shown = self.slipway("status").stdout
        return [line.split()[0] for line in shown.splitlines() if "answers requests" in line]


@pytest.fixture(scope="module", name="shop")
def _shop(run_folder):
    data = run_folder / "lessons"
    command = [sys.executable, "-m", "slipway_chassis", "up", "--data", str(data)]
    command += ["--port", str(free_port()), "--base-port", str(BASE_PORT)]
    with (run_folder / "up.log").open("w+") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT) as up:
        try:
            eventually(lambda: "Ctrl-C stops" in (run_folder / "up.log").read_text(), within=240)
            yield Shop(data)
        finally:
            up.terminate()
            up.wait(60)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.folder.name)
def test_a_lesson_shows_what_the_pattern_is_good_for_and_leaves_the_shop_as_it_was(shop, lesson):
    before = shop.versions()

    done = shop.slipway("tour", lesson.number, "--yes", "-o", "json")

    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    harm = lesson.run.harm
    assert result["broken"] == []
    assert result["with"].get(harm, 0) == 0
    assert result["without"][harm] > 0
    assert shop.versions() == before
    if os.environ.get("FIGURES") == "write":
        write_figures(lesson.folder, result)


def test_a_pattern_stays_away_until_it_is_mended_and_status_says_so(shop):
    broken = shop.slipway("break", 10)
    assert "WITHOUT" in broken.stdout, broken.stderr
    assert "without-10-security" in shop.slipway("status", "orders").stdout

    assert "with Security" in shop.slipway("mend", 10).stdout
    assert "nothing to mend" in shop.slipway("mend", 10).stdout
