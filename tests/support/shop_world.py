"""The shop as processes of this machine, with a second relay, and clients that place, pay and cancel orders; for tests
that torment it.
"""

import http.client
import os
import signal
import threading
import time
import uuid
from contextlib import contextmanager

import psycopg

from slipway_chassis.config import KafkaSettings
from slipway_chassis.embedded.processes import Child, free_port
from slipway_operator.runtimes.local.layout import Layout
from slipway_operator.runtimes.local.platform import Platform
from slipway_operator.runtimes.local.system import read
from support.load import Clients
from support.repository import ROOT

SKU, PRICE = "tea", 350
# What nobody pays is cancelled while the test looks on.
TIMEOUTS = {"PAYMENT_TIMEOUT_SECONDS": "20", "RESERVATION_TIMEOUT_SECONDS": "60"}
FINAL = {"rejected", "cancelled", "paid"}


class World:
    """The local platform; orders has processes of their own for relay and consumer, and a second relay. What dies is
    started again, except while it is held.
    """

    def __init__(self, platform):
        self.platform = platform
        self._hold = threading.Lock()
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def start(self):
        self.platform.start()
        relay = self.child("orders relay")
        second = Child("orders relay 2", relay.argv, relay.log, relay.env | {"ADMIN_PORT": str(free_port())})
        second.start()
        self.platform.add(second)
        self._watcher.start()

    def stop(self):
        self._stop.set()
        if self._watcher.ident:
            self._watcher.join()
        self.platform.stop()

    def _watch(self):
        while not self._stop.wait(0.2):
            with self._hold:
                self.platform.tend()

    def child(self, name):
        [found] = [child for child in self.platform.children if child.name == name]
        return found

    def kill(self, name):
        pid = self.child(name).pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def held(self):
        """While held nothing is started again: to work on what must stand still."""
        return self._hold

    def rows(self, service, statement):
        password = (self.platform.layout.data / "postgresql" / "password").read_text().strip()
        url = f"postgresql://{service}:{password}@127.0.0.1:{self.platform.layout.postgresql}/{service}"
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def kafka_settings(self):
        return KafkaSettings(kafka_bootstrap_servers=f"127.0.0.1:{self.platform.layout.kafka}")


@contextmanager
def running(folder, machine, *, base):
    """The world, its ports from ``base`` on."""
    layout = Layout(folder, gateway=free_port(), base=base)
    world = World(Platform(layout, impatient(read(ROOT)), machine=machine, tell=lambda *_: None))
    try:
        world.start()
        yield world
    finally:
        world.stop()


def impatient(system):
    orders = {"processes": ("migrate", "http", "relay", "consumer")}
    services = [
        one.model_copy(update={"env": {**one.env, **TIMEOUTS}, **orders}) if one.name == "orders" else one
        for one in system.services
    ]
    return system.model_copy(update={"services": services})


def patiently(customer, path, body, *, until=(200, 201)):
    """A client that does not give up: the same request with the same key, until it has an answer."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    give_up_at = time.monotonic() + 120
    while time.monotonic() < give_up_at:
        try:
            status, answer = customer.call("POST", path, body, headers=key)
        except (OSError, http.client.HTTPException, ValueError):
            status, answer = 0, None
        if status in until:
            return status, answer
        assert status in (0, 409, 502, 503, 504), (status, answer)
        time.sleep(0.1)
    raise AssertionError(f"POST {path} had no answer for two minutes")


class Shoppers(Clients):
    """Clients that place orders at a rate while the block runs; of three orders they cancel one and pay one.

    ``refusals``: what they may be answered besides, when they cancel or pay.
    """

    refusals = (409,)

    def __init__(self, customer, *, rate, clients, seconds=900):
        super().__init__(self._order, [clients / rate] * clients, seconds=seconds, catch_up=1, patience=150)
        self._customer = customer
        self.placed, self.cancelled, self.paid = [], [], []

    def _order(self, number, count):
        body = {"item": SKU, "quantity": 1, "unit_price_cents": PRICE}
        order = patiently(self._customer, "/v1/orders", body)[1]["id"]
        self.placed.append(order)
        if (number + count) % 3 == 0:
            self._cancel(order)
        elif (number + count) % 3 == 1:
            self._pay(order)

    def _cancel(self, order):
        """409: it was rejected or cancelled meanwhile, or this very request is being worked on."""
        status, answer = patiently(self._customer, f"/v1/orders/{order}/cancel", {}, until=(200, *self.refusals))
        if status == 200:
            assert answer["status"] == "cancelled"
            self.cancelled.append(order)

    def _pay(self, order):
        """409 as long as the stock is not reserved; nobody waits for long here."""
        for _ in range(20):
            path = f"/v1/orders/{order}/pay"
            status, _answer = patiently(self._customer, path, {"card": "card-ok"}, until=(200, *self.refusals))
            if status == 200:
                self.paid.append(order)
                return
            time.sleep(0.1)
