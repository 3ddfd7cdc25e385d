"""Orders are placed while processes are killed with -9: none is lost, none is listed twice."""

import http.client
import json
import os
import signal
import threading
import time
import uuid
from pathlib import Path

import pytest

from conftest import ROOT, eventually
from slipway_chassis.config import KafkaSettings
from slipway_chassis.embedded.processes import free_port
from slipway_chassis.events import kafka as kafka_adapter
from slipway_chassis.events.ports import Record
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.platform import Platform
from slipway_operator.runtimes.local.system import read

pytestmark = [pytest.mark.demo, pytest.mark.timeout(600)]
ORDERS = 200
BASE_PORT = 21000


@pytest.fixture(scope="module", name="platform")
def _platform(run_folder, machine):
    layout = Layout(run_folder / "platform", gateway=free_port(), base=BASE_PORT)
    platform = Platform(layout, read(ROOT), machine=machine, tell=lambda *_: None)
    stop = threading.Event()

    def watch():
        while not stop.wait(0.2):
            platform.restart_dead()

    watcher = threading.Thread(target=watch)
    try:
        platform.start()
        watcher.start()
        yield platform
    finally:
        stop.set()
        if watcher.ident:
            watcher.join()
        platform.stop()


@pytest.fixture(scope="module", name="gateway")
def _gateway(platform):
    return platform.layout.gateway


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def place_orders(port, user_id, placed):
    """A shop that does not give up: an order that was not accepted is ordered again."""
    while len(placed) < ORDERS:
        body = {"user_id": user_id, "item": f"item {len(placed)}", "quantity": 1, "unit_price_cents": 100}
        try:
            status, answer = call(port, "POST", "/v1/orders", body)
        except (OSError, http.client.HTTPException, ValueError):
            status = 0
        if status == 201:
            placed.append(answer["id"])
        time.sleep(0.02)


def kill(platform, name):
    [child] = [child for child in platform.children if child.name == name]
    os.kill(child.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "victims", [["orders relay"], ["users consumer"], ["Kafka"], ["orders relay", "users consumer"]]
)
def test_orders_survive_a_kill(platform, gateway, victims):
    email = f"{uuid.uuid4().hex}@example.org"
    user_id = call(gateway, "POST", "/v1/users", {"name": "Ada", "email": email})[1]["id"]
    placed = []
    shop = threading.Thread(target=place_orders, args=(gateway, user_id, placed))
    shop.start()

    for mark in (50, 100, 150):
        eventually(lambda mark=mark: len(placed) >= mark, within=120)
        for victim in victims:
            kill(platform, victim)
    shop.join(120)

    def listed():
        return [o["order_id"] for o in call(gateway, "GET", f"/v1/users/{user_id}/orders?limit=1000")[1]["orders"]]

    eventually(lambda: len(listed()) >= ORDERS, within=180, every=0.5)
    assert sorted(listed()) == sorted(placed)
    assert len(set(placed)) == ORDERS


def test_an_undecodable_record_becomes_a_dead_letter_and_the_consumer_goes_on(platform, gateway):
    kafka_settings = KafkaSettings(kafka_bootstrap_servers=f"127.0.0.1:{platform.layout.kafka}")
    publisher = kafka_adapter.publisher(kafka_settings, client_id="test")
    assert publisher.publish([Record(topic="orders.order.v1", key=b"k", value=b"\xff not an event")]) == [None]
    publisher.close()

    email = f"{uuid.uuid4().hex}@example.org"
    user_id = call(gateway, "POST", "/v1/users", {"name": "Ada", "email": email})[1]["id"]
    body = {"user_id": user_id, "item": "tea", "quantity": 1, "unit_price_cents": 350}
    for _ in range(20):  # enough for every partition
        call(gateway, "POST", "/v1/orders", body)

    path = f"/v1/users/{user_id}/orders"
    eventually(lambda: len(call(gateway, "GET", path)[1]["orders"]) == 20)
    letters = kafka_adapter.subscription(
        kafka_settings, group=uuid.uuid4().hex, topics=["orders.order.v1.users.dlq"], client_id="test"
    )
    [letter] = eventually(lambda: letters.poll(timeout=1, limit=10))
    letters.close()
    assert letter.value == b"\xff not an event"
    assert letter.header("dlq_reason") == "invalid"


def test_nothing_is_left_in_the_outbox(platform):
    eventually(lambda: metric(platform, "orders relay", "outbox_pending") == 0)


def metric(platform, process, name):
    connection = http.client.HTTPConnection("127.0.0.1", platform.admin_port(process), timeout=5)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    values = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")]
    return values[0] if values else None


def test_logs_name_no_password(platform):
    password = (platform.layout.data / "postgresql" / "password").read_text()
    for log in Path(platform.layout.data).rglob("*.log"):
        assert password not in log.read_text(errors="replace"), log
