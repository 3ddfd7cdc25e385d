"""A signing key is rotated under load: nobody gets a 401, and in the end the new key signs."""

import base64
import json
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from slipway_chassis.testing.plugin import eventually
from support.load import Load
from support.shop import Customer

pytestmark = [pytest.mark.demo, pytest.mark.soak, pytest.mark.timeout(300)]
CUSTOMERS, RATE_EACH = 4, 20
ME = ("GET", "/v2/users/me", None)


def kid_of(token):
    head = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


class Renewing(Customer):
    """Notes which keys signed its tokens; until a second one did, it signs in again and again."""

    def __init__(self, url, kids):
        super().__init__(url)
        self._kids = kids

    @property
    def token(self):
        if len(self._kids) < 2 and time.monotonic() % 1 < 0.1:
            self._until = 0
        token = super().token
        self._kids.add(kid_of(token))
        return token


def test_a_rotated_key_refuses_nobody(shop):
    kids = set()
    loads = [Load(Renewing(shop.url, kids), [ME], rate=RATE_EACH, clients=2) for _ in range(CUSTOMERS)]
    with ExitStack() as stack:
        for load in loads:
            stack.enter_context(load)
        made = shop.slipway("users", "keys", "rotate").split()[0]
        eventually(lambda: made in kids, within=120)
        for load in loads:
            load.wait_for(50)

    answers = sum((load.answers for load in loads), Counter())
    print(f"{answers[200]} requests, keys {len(kids)}")
    assert [line for load in loads for line in load.failures] == []
    assert set(answers) == {200}
    assert "signs" in next(line for line in shop.slipway("users", "keys", "ls").splitlines() if made in line)
