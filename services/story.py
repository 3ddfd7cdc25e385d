"""One order travels: open an account, sign in, order, and see the order confirmed, paid, and on the list.

Usage: python services/story.py URL
URL is the gateway. Exit code 0 when the order came through, 1 with a sentence when it did not.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus

DEADLINE_SECONDS = 60
SCOPES = "openid users:read orders:read orders:write inventory:read"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The redirect at the end of a sign-in carries the code: it is read, not followed."""

    def redirect_request(self, *_):
        return None


class Client:
    def __init__(self, url):
        self.url = url
        self.token = ""
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

    def sign_in(self, email, password):
        """OAuth2 as a browser and a public client do it: authorization code with PKCE."""
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": "storefront",
            "redirect_uri": f"{self.url}/signed-in",
            "scope": SCOPES,
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


def until(condition):
    """What the condition gives, and how many milliseconds it took; OSError when it never comes."""
    began = time.monotonic()
    while time.monotonic() < began + DEADLINE_SECONDS:
        if found := condition():
            return found, (time.monotonic() - began) * 1000
        time.sleep(0.02)
    raise OSError(f"this did not happen within {DEADLINE_SECONDS} s; the logs of relays and consumers say why")


def tell(shop):
    email, password = f"ada.{secrets.token_hex(6)}@example.org", secrets.token_urlsafe(16)
    user = shop.ask("POST", "/v2/users", {"name": "Ada", "email": email, "password": password})
    print(f"  POST /v2/users                  → Ada is user {user['id']}")
    shop.sign_in(email, password)
    print("  POST /oauth/token               → she signed in; the gateway checks her token from now on")

    # A new shop fills its shelves in the background.
    items, _ = until(lambda: shop.ask("GET", "/v1/inventory/items").get("items"))
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
    order, took = until(lambda: settled(shop.ask("GET", path)))
    print(f"  GET  /v1/orders/{{id}}            → {order['status']}, after {took:.0f} ms")
    if order["status"] != "confirmed":
        print(f"error: the order was {order['status']}: {order['reason']}")
        return 1
    shop.ask("POST", f"{path}/pay", {"card": "card-ok"})
    print("  POST /v1/orders/{id}/pay        → paid")
    _, took = until(
        lambda: [one for one in shop.ask("GET", "/v2/users/me/orders")["orders"] if one["status"] == "paid"]
    )
    print(f"  GET  /v2/users/me/orders        → there it is, paid, on the list that users keeps; after {took:.0f} ms")
    return 0


def settled(order):
    return order if order["status"] != "placed" else None


def main():
    if len(sys.argv[1:]) != 1:
        sys.exit(__doc__)
    try:
        sys.exit(tell(Client(sys.argv[1].rstrip("/"))))
    except urllib.error.HTTPError as error:
        sys.exit(f"error: {error.url} answered {error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
