"""docker compose runs the shop on the images of the charts, and leaves nothing when it is told to go."""

import os
import subprocess
import sys

import pytest
import yaml

from inventory.settings import InventorySettings
from orders.settings import OrdersSettings
from slipway_chassis.config import AuthSettings, DatabaseSettings
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.processes.grpc import GrpcProcessSettings
from slipway_chassis.processes.http import HttpProcessSettings
from slipway_chassis.processes.workers import WorkerSettings
from storefront.settings import StorefrontSettings
from support.repository import ROOT
from support.shop import Customer
from users.settings import UsersSettings

SETTINGS = [HttpProcessSettings, GrpcProcessSettings, WorkerSettings, AuthSettings, DatabaseSettings]
SETTINGS += [UsersSettings, OrdersSettings, InventorySettings, StorefrontSettings]


def test_every_variable_is_a_setting_of_the_process_it_is_given_to():
    known = {name.upper() for settings in SETTINGS for name in settings.model_fields}
    declared = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    ours = {name: one for name, one in declared.items() if one["image"].startswith("slipway/") and "environment" in one}

    assert len(ours) == 13
    for name, one in ours.items():
        assert set(one["environment"]) <= known, name
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]


@pytest.mark.e2e
@pytest.mark.docker
@pytest.mark.timeout(900)
def test_the_shop_runs_by_docker_compose():
    environment = os.environ | {"PORT": str(free_port()), "PROJECT": "slipway-test"}

    def run(*command):
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    try:
        run("make", "compose")
        url = f"http://127.0.0.1:{environment['PORT']}"
        assert "there it is, paid" in run(sys.executable, "services/story.py", url)
        assert "Ada" in Customer(url).page_when_signed_in()
        left = run("ci/compose.sh", "ps", "--all", "--format", "{{.Name}} {{.Status}}")
        assert "unhealthy" not in left
        assert "Restarting" not in left
    finally:
        run("ci/compose.sh", "down")
    listed = subprocess.run(
        ["docker", "ps", "-a", "--filter", "label=com.docker.compose.project=slipway-test", "-q"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert listed.stdout == ""
