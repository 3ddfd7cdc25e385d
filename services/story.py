"""Three acts: an order travels; a new version takes over while customers order; a bad version is refused.

Usage: python services/story.py URL [DATA]
URL is the gateway, DATA the folder of `slipway up`; without it there is the first act alone, since releases need it.
Exit code 0 when all went well, 1 with a sentence when it did not.
"""

import base64
import hashlib
import http.client
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

DEADLINE_SECONDS = 60  # without getting any further
TOLD_EVERY_SECONDS = 5
PAGE = 100
CUSTOMERS, PAUSE_SECONDS = 4, 0.2
ORDERS = Path(__file__).parent / "orders"
SCOPES = "openid users:read orders:read orders:write inventory:read"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The redirect at the end of a sign-in carries the code: it is read, not followed."""

    def redirect_request(self, *_):
        return None


class Client:
    def __init__(self, url):
        self.url = url
        self.token = ""
        self.again = None  # signs in again: a token lives for some minutes
        self._opener = urllib.request.build_opener(NoRedirect)

    def ask(self, method, path, body=None, *, form=None):
        """The JSON answer; an HTTP error ends the story with its problem+json."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif form is not None:
            data = urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with self._opener.open(request, timeout=15) as answer:
            return json.load(answer)

    def sign_in(self, email, password, scopes=SCOPES):
        """OAuth2 as a browser and a public client do it: authorization code with PKCE."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": "storefront",
            "redirect_uri": f"{self.url}/signed-in",
            "scope": scopes,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        form = urllib.parse.urlencode({"email": email, "password": password}).encode()
        page = f"{self.url}/oauth/authorize?{urllib.parse.urlencode(asked)}"
        try:
            self._opener.open(page, form, timeout=15)
            raise OSError("the sign-in did not end with a redirect")
        except urllib.error.HTTPError as answer:
            if answer.code != HTTPStatus.FOUND:
                raise
            code = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)["code"][0]
        exchanged = {"grant_type": "authorization_code", "client_id": "storefront", "code": code}
        exchanged |= {"redirect_uri": asked["redirect_uri"], "code_verifier": verifier}
        self.token = self.ask("POST", "/oauth/token", form=exchanged)["access_token"]


def until(what, look):
    """What ``look`` gives at last, and how many milliseconds it took. It gives nothing while ``what`` has not happened,
    and may then yield how far it is, which is told; OSError when it gets no further.
    """
    began = moved = told = time.monotonic()
    far = ""
    while True:
        found, further = look()
        if found:
            return found, (time.monotonic() - began) * 1000
        now = time.monotonic()
        moved, far = (now, further) if further != far else (moved, far)
        if now - moved > DEADLINE_SECONDS:
            said = f"{what}: {far}" if far else what
            raise OSError(
                f"waited for {said}, and {DEADLINE_SECONDS} s brought no more; the logs of orders and inventory say why"
            )
        if now - told > TOLD_EVERY_SECONDS:
            told = now
            print(f"    waiting for {what}{far and ': '}{far}", flush=True)
        time.sleep(0.02)


def an_order_travels(shop):
    print("Act 1: an order travels")
    email, password = f"ada.{secrets.token_hex(6)}@example.org", secrets.token_urlsafe(16)
    user = shop.ask("POST", "/v2/users", {"name": "Ada", "email": email, "password": password})
    print(f"  POST /v2/users                  → Ada is user {user['id']}")
    shop.sign_in(email, password)
    shop.again = lambda: shop.sign_in(email, password)
    print("  POST /oauth/token               → she signed in; the gateway checks her token from now on")

    # A new shop fills its shelves in the background.
    items, _ = until("the first items", lambda: (shop.ask("GET", "/v1/inventory/items").get("items"), ""))
    item = items[0]
    print(
        f"  GET  /v1/inventory/items        → {len(items)} items, by gRPC behind the gateway; she takes: {item['name']}"
    )
    order = {"item": item["sku"], "quantity": 1, "unit_price_cents": item["price_cents"]}
    placed = shop.ask("POST", "/v1/orders", order)
    print(f"  POST /v1/orders                 → order {placed['id']}")
    print("    the order and its event OrderPlaced are one transaction in the database of orders;")
    print("    Kafka brings it to inventory, which reserves the stock and answers by an event of its own")

    path = f"/v1/orders/{placed['id']}"
    order, took = until("inventory's answer", lambda: (settled(shop.ask("GET", path)), ""))
    print(f"  GET  /v1/orders/{{id}}            → {order['status']}, after {took:.0f} ms")
    if order["status"] != "confirmed":
        raise OSError(f"the order was {order['status']}: {order['reason']}")
    shop.ask("POST", f"{path}/pay", {"card": "card-ok"})
    print("  POST /v1/orders/{id}/pay        → paid")
    _, took = until("the order on the list of users", lambda: (listed_as_paid(shop), ""))
    print(f"  GET  /v2/users/me/orders        → there it is, paid, on the list that users keeps; after {took:.0f} ms")
    return item, placed["id"]


class Customers:
    """Place orders and look at them on kept-alive connections, until they are told to stop; every answer counts."""

    def __init__(self, shop, order):
        self._shop, self._order = shop, order
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._buy, daemon=True) for _ in range(CUSTOMERS)]
        self.placed, self.answers, self.failures = [], 0, []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _buy(self):
        address = urllib.parse.urlsplit(self._shop.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=15)
        while not self._stop.wait(PAUSE_SECONDS):
            try:
                order = self._ask(connection, "POST", "/v1/orders", self._order)
                self.placed.append(order["id"])
                self._ask(connection, "GET", f"/v1/orders/{order['id']}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(str(error))
                connection.close()

    def _ask(self, connection, method, path, body=None):
        headers = {"Authorization": f"Bearer {self._shop.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise OSError(f"{method} {path} answered {answer.status}: {text[:200]!r}")
        self.answers += 1
        return json.loads(text)


class Slipway:
    """The commands, as they are typed in a second terminal."""

    def __init__(self, data):
        self._data = data

    def run(self, *words):
        print(f"  $ slipway {' '.join(map(str, words))}", flush=True)
        return subprocess.run(self._command(*words), check=False).returncode

    def next_version(self, service):
        """The first number that no version of the service has yet."""
        shown = subprocess.run(self._command("status", service), check=True, capture_output=True, text=True).stdout
        return 1 + max([1, *map(int, re.findall(r"^  (\d+) ", shown, re.MULTILINE))])

    def _command(self, *words):
        return [sys.executable, "-m", "slipway_chassis", *map(str, words), "--data", self._data]


def a_version_takes_over(shop, slipway, item):
    print("\nAct 2: a new version of orders takes over, while customers order")
    shop.again()
    before = available(shop, item)
    order = {"item": item["sku"], "quantity": 1, "unit_price_cents": item["price_cents"]}
    with Customers(shop, order) as customers:
        print(f"  {CUSTOMERS} customers place orders without a break, on connections that they keep")
        if slipway.run("release", "orders", "--version", slipway.next_version("orders")):
            raise OSError("the release did not succeed")
    print(f"  {customers.answers} requests were answered, {len(customers.failures)} failed")
    if customers.failures:
        raise OSError(f"the first failure: {customers.failures[0]}")
    count_what_each_order_did(shop, item, set(customers.placed), before)


def count_what_each_order_did(shop, item, placed, before):
    """By the orders themselves. The shelf alone would not tell: orders of another day may run out of time meanwhile,
    and their items go back to it.
    """
    ended, took = until("inventory's answers to the orders", lambda: all_settled(shop, placed))
    reserved = [one for one in ended if one["status"] == "confirmed"]
    if len(reserved) != len(placed):
        one = next(one for one in ended if one["status"] != "confirmed")
        others = len(placed) - len(reserved)
        raise OSError(f"{others} orders were not confirmed; {one['id']} is {one['status']}: {one['reason']}")
    taken = before - available(shop, item)
    if taken > len(placed):
        raise OSError(f"{len(placed)} orders took {taken} items off the shelf, unless somebody else ordered meanwhile")
    came = "each event came through once"
    if taken < len(placed):  # then the shelf cannot tell that none was doubled
        came = f"none was lost; {len(placed) - taken} items of orders that nobody paid came back to the shelf meanwhile"
    print(f"  {len(placed)} orders, {len(reserved)} reservations: {came}; the last after {took:.0f} ms")


def a_bad_version_is_refused(shop, slipway, placed):
    print("\nAct 3: somebody renamed /pay to /payment, and releases it")
    number = slipway.next_version("orders")
    with bad_orders() as folder:
        ended = slipway.run("release", "orders", "--version", number, "--from", folder)
    if not ended:
        raise OSError("the bad version was released")
    print("  no request ever reached it: what it promises was compared first, by rules, and with who relies on it")
    order = shop.ask("GET", f"/v1/orders/{placed}")
    print(f"  GET  /v1/orders/{{id}}            → {order['status']}: what was there before goes on answering")


@contextmanager
def bad_orders():
    """The code of orders with another path in its API."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "orders"
        shutil.copytree(ORDERS / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__"))
        api = copy / "src" / "orders" / "entrypoints" / "http.py"
        api.write_text(api.read_text().replace('/pay"', '/payment"'))
        yield copy


def available(shop, item):
    items = shop.ask("GET", "/v1/inventory/items")["items"]
    return next(int(one["available"]) for one in items if one["sku"] == item["sku"])


def listed_as_paid(shop):
    return [one for one in shop.ask("GET", "/v2/users/me/orders")["orders"] if one["status"] == "paid"]


def all_settled(shop, wanted):
    """The orders, when all of them are settled, and how far it is."""
    found = [one for one in orders_of(shop) if one["id"] in wanted]
    ended = [one for one in found if settled(one)]
    return (ended if len(ended) == len(wanted) else None), f"{len(ended)} of {len(wanted)}"


def orders_of(shop):
    """All of hers, page by page."""
    path = f"/v1/orders?limit={PAGE}"
    while path:
        page = shop.ask("GET", path)
        yield from page["orders"]
        path = page.get("next")


def settled(order):
    return order if order["status"] != "placed" else None


def tell(shop, data):
    item, placed = an_order_travels(shop)
    if data:
        slipway = Slipway(data)
        a_version_takes_over(shop, slipway, item)
        a_bad_version_is_refused(shop, slipway, placed)


def main():
    if len(sys.argv[1:]) not in {1, 2}:
        sys.exit(__doc__)
    try:
        tell(Client(sys.argv[1].rstrip("/")), (sys.argv[2:] or [None])[0])
    except urllib.error.HTTPError as error:
        sys.exit(f"error: {error.url} answered {error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
