"""The lesson on containers, as a reader runs it: `make lessons`, where a Docker engine answers."""

import json
import os
import subprocess
import sys

import pytest

from slipway_operator.tour import docker_engine
from slipway_operator.tour.lesson import read_lessons
from support.lesson_pages import write_figures
from support.repository import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.soak]
[LESSON] = [lesson for lesson in read_lessons(ROOT) if lesson.containers]


def left():
    """Names of containers and images that lessons make."""
    told = [
        subprocess.run(["docker", *words], capture_output=True, text=True, check=True).stdout.split()
        for words in (["ps", "-a", "--format", "{{.Names}}"], ["images", "--format", "{{.Repository}}"])
    ]
    return [name for names in told for name in names if name.startswith("slipway-lesson")]


@pytest.mark.skipif(not (os.environ.get("CI") or docker_engine.answers()), reason="no Docker engine: docker.io")
def test_the_image_of_here_ends_when_it_is_asked_to_and_the_naive_one_is_killed():
    command = [sys.executable, "-m", "slipway_chassis", "tour", str(LESSON.number), "--yes", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["broken"] == []
    assert result["with"] == {"started": 1, "killed": 0, "as_root": 0, "p50_ms": {}}
    assert result["without"][LESSON.harm] == result["without"]["as_root"] == 1
    assert left() == []
    if os.environ.get("FIGURES") == "write":
        write_figures(LESSON.folder, result)
