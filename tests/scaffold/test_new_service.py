"""`slipway new service` in a copy of this repository: what it writes passes the checks as it is."""

import subprocess

import pytest

from support.repository import SERVICES, copy_repository

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(1500)]


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
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
    run(workspace, "make", "setup", "lint", "types", "imports")
    run(workspace, "make", "generate")
    assert run(workspace, "git", "diff", "--stat") == ""
    # Of the charts what is about it, or about all of them: what is about another service is as it was.
    of_others = " and ".join(f"not {name}" for name in (*SERVICES, "operator"))
    for tests in ("tests/parcels tests/test_repository.py tests/gateway", f"tests/charts -k '{of_others}'"):
        assert "failed" not in run(workspace, "make", "unit", f"T={tests}")
    assert "passed" in run(workspace, "make", "integration", "T=tests/parcels")


def test_its_contract_can_be_exported(workspace):
    run(workspace, ".venv/bin/slipway", "contracts", "export", "parcels")

    written = {path.name for path in (workspace / "contracts").rglob("*.json")}
    assert written == {"index.json", "openapi.v1.json", "asyncapi.json", "parcels.ParcelCreated.v1.schema.json"}
