"""The first two questions at 3 a.m.: where is this order, and is anything lost? Asked by commands of the whole shop."""

import json
import os
import subprocess
import sys

import psycopg
import pytest
import requests
from psycopg.rows import dict_row

from slipway_chassis.testing.plugin import eventually
from support.repository import ROOT
from support.shop import Customer

pytestmark = [pytest.mark.demo, pytest.mark.timeout(300)]
ORDER = {"item": "tea", "quantity": 1, "unit_price_cents": 350}
ORDERS = 10
TALKING = ("orders", "inventory", "users")


@pytest.fixture(name="asked")
def _asked(shop, tmp_path):
    """A command in a folder beside which the shop runs."""
    (tmp_path / ".slipway").symlink_to(shop.platform.layout.data)

    def asked(*arguments, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "slipway_chassis", *arguments], cwd=tmp_path, capture_output=True, text=True,
            check=False, timeout=120, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    return asked


@pytest.fixture(name="placed")
def _placed(shop):
    """Ids of orders that went through all services, while these told of each event."""
    levels = [shop.platform.layout.levels(service) for service in TALKING]
    for file in levels:
        file.parent.mkdir(exist_ok=True)
        file.write_text("LOG_LEVEL=DEBUG")
    eventually(lambda: all("levels: LOG_LEVEL=DEBUG" in log_of(shop, service) for service in TALKING), within=30)
    customer = Customer(shop.url)
    answers = [customer.call("POST", "/v1/orders", ORDER) for _ in range(ORDERS)]
    assert [status for status, _ in answers] == [201] * ORDERS
    ids = [order["id"] for _, order in answers]
    eventually(lambda: all(status_of(customer, one) == "confirmed" for one in ids), within=60)
    yield ids
    for file in levels:
        file.unlink()


def log_of(shop, service):
    return (shop.platform.layout.logs / f"{service}-worker.log").read_text()


def status_of(customer, order):
    return customer.call("GET", f"/v1/orders/{order}")[1]["status"]


def test_an_order_is_found_in_every_process_that_had_to_do_with_it(asked, placed, shop):
    data = ("--data", str(shop.platform.layout.data))

    def lines_of(order):
        found = asked("logs", "--about", order, "-o", "json", *data).splitlines()
        return [json.loads(line) for line in found]

    for order in placed:
        eventually(lambda order=order: len(lines_of(order)) >= 5, within=10)
        lines = lines_of(order)
        processes = {(line["service.name"], line["process.title"]) for line in lines if "service.name" in line}
        assert len(processes) >= 4, processes
        # The request that placed it, and what came of it, share a trace.
        [placing] = {line["trace.id"] for line in lines if line.get("event.action") == "orders.OrderPlaced.v1"}
        assert ("orders", "http") in {
            (line["service.name"], line["process.title"]) for line in lines if line.get("trace.id") == placing
        }


def test_a_token_of_the_command_is_taken_at_the_gateway(asked, shop):
    token = asked("token", "--scope", "orders:read").strip()
    answer = requests.get(f"{shop.url}/v1/orders", headers={"Authorization": f"Bearer {token}"}, timeout=20)
    assert answer.status_code != 401, answer.text


def test_nothing_is_lost_until_something_is(asked, placed, shop):
    declared = str(ROOT / "pyproject.toml")
    checks = json.loads(asked("audit", "--file", declared, "--settle", "5s", "-o", "json"))
    counted = {check["check"]: check["of"] for check in checks}
    assert counted["aggregates orders"] >= ORDERS
    assert counted["aggregates orders"] == counted["projections listed_orders"] == counted["aggregates reservations"]

    url = json.loads((shop.platform.layout.data / "environment.json").read_text())["users"]["DATABASE_URL"]
    assert f"{placed[0]} version 2 was published, and there is no row" in hidden(url, placed[0], asked, declared)
    asked("audit", "--file", declared, "--settle", "1s")


def hidden(url, order, asked, declared):
    """What is said while the list has lost an order."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as users:
        row = users.execute("DELETE FROM listed_orders WHERE order_id = %s RETURNING *", [order]).fetchone()
        try:
            return asked("audit", "--file", declared, "--settle", "1s", code=1)
        finally:
            columns, places = ", ".join(row), ", ".join(f"%({column})s" for column in row)
            users.execute(f"INSERT INTO listed_orders ({columns}) VALUES ({places})", row)
