"""A signing key is rotated under load: nobody gets a 401, and in the end the new key signs."""

import base64
import json
import threading
import time
from collections import Counter

import pytest

from slipway_chassis.testing.plugin import eventually
from support.shop import Customer

pytestmark = [pytest.mark.demo, pytest.mark.timeout(300)]
CLIENTS = 4


def kid_of(token):
    head = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def test_a_rotated_key_refuses_nobody(shop):
    customers = [Customer(shop.url) for _ in range(CLIENTS)]
    answers, kids, stop = Counter(), set(), threading.Event()

    def client(customer):
        while not stop.wait(0.02):
            customer._until = 0 if len(kids) < 2 and time.monotonic() % 1 < 0.1 else customer._until  # sign in again
            answers[customer.call("GET", "/v2/users/me")[0]] += 1
            kids.add(kid_of(customer.token))

    threads = [threading.Thread(target=client, args=(customer,)) for customer in customers]
    for thread in threads:
        thread.start()
    try:
        made = shop.slipway("users", "keys", "rotate").split()[0]
        eventually(lambda: made in kids, within=120)
        before = answers[200]
        eventually(lambda: answers[200] > before + 200, within=60)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)

    print(f"{answers[200]} requests, keys {len(kids)}")
    assert set(answers) == {200}
    assert "signs" in next(line for line in shop.slipway("users", "keys", "ls").splitlines() if made in line)
