"""`slipway new service` in a copy of this repository: what it writes passes the checks as it is.

That such services pass their own tests is seen in each run, outside of this repository (test_outside.py).
"""

import os
import subprocess

import pytest

from support.repository import copy_repository

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(1500)]


def run(folder, *command, **environment):
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module", name="workspace")
def _workspace(run_folder):
    folder = run_folder / "workspace"
    folder.mkdir()
    copy_repository(folder)
    run(folder, "git", "init", "-q")
    return folder


def test_a_new_service_passes_every_check_untouched(workspace):
    run(workspace, "make", "setup")

    said = run(workspace, ".venv/bin/slipway", "new", "service", "parcels")

    assert "The service parcels is there" in said
    run(workspace, "git", "add", "-A")
    run(workspace, "make", "setup", "lint", "imports")
    run(workspace, "make", "types", "SOURCES=services/parcels/src")  # with what it imports: the others are as they were
    run(workspace, "make", "generate")
    assert run(workspace, "git", "diff", "--stat") == ""
    # Of the gateway and of the charts what is about it: what is about others is as it was.
    own = "tests/parcels tests/test_repository.py tests/gateway/test_configuration.py"
    assert "passed" in run(workspace, "make", "unit", f"T={own}")
    assert "passed" in run(workspace, "make", "unit", "T=tests/charts", PYTEST_ADDOPTS="-k parcels")
    assert "passed" in run(workspace, "make", "integration", "T=tests/parcels")


def test_its_contract_can_be_exported(workspace):
    run(workspace, ".venv/bin/slipway", "contracts", "export", "parcels")

    written = {path.name for path in (workspace / "contracts").rglob("*.json")}
    assert written == {"index.json", "openapi.v1.json", "asyncapi.json", "parcels.ParcelCreated.v1.schema.json"}
