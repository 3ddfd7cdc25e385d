"""Every lesson on a copy of the repository, as a reader runs it: `make lessons`. FIGURES=write as for the others."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from slipway_chassis.testing.plugin import eventually
from slipway_operator.tour.lesson import read_lessons
from support.lesson_pages import write_figures
from support.repository import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.soak, pytest.mark.timeout(900)]
LESSONS = [lesson for lesson in read_lessons(ROOT) if lesson.checks]


@pytest.fixture(name="beside")
def _beside(run_folder):
    """Where what is left behind would lie."""
    folder = Path(tempfile.mkdtemp(dir=run_folder))
    folder.chmod(0o755)
    return folder


def tour(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "slipway_chassis", "tour", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, start_new_session=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip


def touched():
    """What lessons change in their copy, as it is in the clone."""
    edited = {ROOT / edit.file for lesson in LESSONS for change in lesson.checks.change for edit in change.edits}
    contracts = {path for path in (ROOT / "services" / "orders" / "contracts").rglob("*") if path.is_file()}
    return {path: path.read_bytes() for path in edited | contracts}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.folder.name)
def test_each_change_is_found_by_the_checks_of_here_by_name_and_not_by_the_naive_ones(lesson, beside):
    before = touched()

    with tour(beside, lesson.number, "--yes", "-o", "json") as running:
        told, _ = running.communicate(timeout=600)

    assert running.returncode == 0, told
    result = json.loads(told)
    changes = lesson.checks.change
    assert result["broken"] == []
    assert result["with"]["caught"] == result["with"]["planted"] == len(changes)
    assert result["without"][lesson.harm] > 0
    assert all(change.named in found["with"] for change, found in zip(changes, result["changes"], strict=True))
    assert touched() == before
    assert list(beside.iterdir()) == []
    if os.environ.get("FIGURES") == "write":
        write_figures(lesson.folder, result)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda sent: sent.name)
def test_whoever_ends_it_in_the_middle_finds_nothing_left_behind(beside, sent):
    before = touched()
    with tour(beside, 13, "--yes", "--lang", "zh") as running:
        of_it = psutil.Process(running.pid)
        eventually(lambda: any(each.name() == "postgres" for each in of_it.children(recursive=True)))
        family = of_it.children(recursive=True)
        if sent is signal.SIGINT:
            os.killpg(running.pid, sent)  # as a terminal does
        else:
            running.send_signal(sent)
        told, _ = running.communicate(timeout=120)

    assert running.returncode != 0
    assert "可测试性" in told
    assert "Traceback" not in told
    assert list(beside.iterdir()) == []
    assert not psutil.wait_procs(family, timeout=30)[1]
    assert touched() == before
