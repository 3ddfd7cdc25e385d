"""One order travels: register a user, place an order, and see it come out of Kafka in the user's list.

Usage: python services/story.py URL [ORDERS_URL]
URL is the gateway; without one, give the addresses of users and of orders. Exit code 0 when the order
arrived, 1 with a sentence when it did not.
"""

import json
import secrets
import sys
import time
import urllib.error
import urllib.request

DEADLINE_SECONDS = 60


def call(method, url, body=None):
    """The JSON answer; an HTTP error ends the story with its problem+json."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=15) as answer:
        return json.load(answer)


def tell(users_url, orders_url):
    name = "Ada"
    user = call("POST", f"{users_url}/v1/users", {"name": name, "email": f"ada.{secrets.token_hex(6)}@example.org"})
    print(f"  POST /v1/users                    → {name} is user {user['id']}")
    order = {"user_id": user["id"], "item": "difference engine", "quantity": 1, "unit_price_cents": 170_000}
    started = time.monotonic()
    placed = call("POST", f"{orders_url}/v1/orders", order)
    print(f"  POST /v1/orders                   → order {placed['id']}")
    print("    the order and its event OrderPlaced are one transaction in the database of orders;")
    print("    the relay brings the event to Kafka, the consumer of users reads it there")
    deadline = started + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        listed = call("GET", f"{users_url}/v1/users/{user['id']}/orders")["orders"]
        if [line["order_id"] for line in listed] == [placed["id"]]:
            took = (time.monotonic() - started) * 1000
            print(f"  GET  /v1/users/{{id}}/orders        → there it is, after {took:.0f} ms")
            return 0
        time.sleep(0.05)
    print(f"error: the order did not arrive within {DEADLINE_SECONDS} s; see the logs of relay and consumer")
    return 1


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        sys.exit(tell(sys.argv[1].rstrip("/"), sys.argv[-1].rstrip("/")))
    except urllib.error.HTTPError as error:
        sys.exit(f"error: {error.url} answered {error.code}: {error.read().decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
