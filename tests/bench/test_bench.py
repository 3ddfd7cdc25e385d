"""`make bench` prints a table and writes what it measured; what the figures are is not for a test to judge."""

import json
import subprocess

import pytest

from support.repository import ROOT

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]


@pytest.mark.soak
def test_one_benchmark_runs_and_is_written_down():
    done = subprocess.run(["make", "bench", "ONLY=p6"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "measuring p6_outbox" in done.stderr
    figures = json.loads((ROOT / "build" / "bench.json").read_text())
    assert {figure["name"] for figure in figures} >= {"P6 outbox / INSERTs by hand"}
    for figure in figures:
        assert figure.keys() == {"name", "ours", "peer", "ratio", "goal", "holds"}
        assert figure["ratio"] > 0
        assert figure["name"] in done.stdout
    assert (done.returncode == 0) == all(figure["holds"] for figure in figures)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_switch_is_measured_beside_its_peer():
    """Each night: a figure that is only taken by hand drifts unseen. Whether it reaches its goal is told."""
    done = subprocess.run(["make", "bench", "ONLY=switch"], cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"\n{done.stdout}")

    [figure] = json.loads((ROOT / "build" / "bench.json").read_text())
    assert figure["name"] == "P10 patch to switched Service / Argo Rollouts", done.stderr
    assert (done.returncode == 0) == figure["holds"]


def test_an_unknown_name_is_told_with_those_there_are():
    done = subprocess.run(["make", "bench", "ONLY=p77"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "no benchmark is called 'p77', only: p1_gateway" in done.stderr
