"""A customer of the shop, and a stranger: who they are, what they ask, and what comes of it."""

import base64
import hashlib
import http.client
import json
import secrets
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from slipway_chassis.errors import UnusableAnswer
from slipway_chassis.http.client import Answer

from ..errors import LessonFailed
from .measuring import Outcome

ASK_SECONDS = 15
LARGEST_ANSWER = 4 * 1024 * 1024
SCOPES = "openid users:read orders:read orders:write inventory:read"
PAGE = 100


@dataclass(frozen=True, slots=True)
class Customer:
    """``token`` is good for some minutes."""

    id: str
    token: str


class Shop:
    """What a lesson asks the gateway for itself, one request after the other. LessonFailed where an answer is none."""

    def __init__(self, port: int) -> None:
        self._port = port

    def new_customer(self) -> Customer:
        """Opens an account and signs in, by OAuth2 with PKCE as a browser and a public client do."""
        email, password = f"{secrets.token_hex(8)}@example.org", secrets.token_urlsafe(16)
        opened = self._ask("POST", "/v2/users", {"name": "Ada", "email": email, "password": password})
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        back = f"http://127.0.0.1:{self._port}/signed-in"
        asked = {"response_type": "code", "client_id": "storefront", "redirect_uri": back, "scope": SCOPES}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        page = f"/oauth/authorize?{urllib.parse.urlencode(asked)}"
        answer = self._ask("POST", page, form={"email": email, "password": password}, wanted=HTTPStatus.FOUND)
        redirect = urllib.parse.urlsplit(answer.headers.get("location", ""))
        form = {"grant_type": "authorization_code", "client_id": "storefront", "redirect_uri": back}
        form |= {"code": urllib.parse.parse_qs(redirect.query).get("code", [""])[0], "code_verifier": verifier}
        token = self._ask("POST", "/oauth/token", form=form).json()["access_token"]
        return Customer(opened.json()["id"], token)

    def price_of(self, sku: str) -> int:
        return int(self._item(sku)["price_cents"])

    def reserved(self, sku: str) -> int:
        """How many inventory holds for orders that have not ended, as it believes."""
        return int(self._item(sku).get("reserved", 0))

    def _item(self, sku: str) -> Mapping[str, Any]:
        items = self._ask("GET", "/v1/inventory/items").json().get("items", ())
        for item in items:
            if item["sku"] == sku:
                return dict(item)
        raise LessonFailed(f"there is no {sku} on the shelves of this shop")

    def orders(self, customer: Customer) -> Mapping[str, str]:
        """The status of each order of the customer, by id."""
        found: dict[str, str] = {}
        path: str | None = f"/v1/orders?limit={PAGE}"
        while path:
            page = self._ask("GET", path, token=customer.token).json()
            found |= {order["id"]: order["status"] for order in page["orders"]}
            path = page.get("next")
        return found

    def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        form: Mapping[str, str] | None = None,
        token: str = "",
        wanted: int | None = None,
    ) -> Answer:
        content = urllib.parse.urlencode(form) if form is not None else json.dumps(body) if body is not None else None
        kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ASK_SECONDS)
        try:
            answer = _answer(connection, method, path, content, _headers(token, kind))
        except (OSError, http.client.HTTPException) as error:
            raise LessonFailed(f"the gateway on port {self._port} gave no answer to {method} {path}: {error}") from None
        finally:
            connection.close()
        if (answer.status != wanted) if wanted else (answer.status >= HTTPStatus.MULTIPLE_CHOICES):
            raise LessonFailed(
                f"{method} {path.partition('?')[0]} was answered by {answer.status}: accounts, prices and orders are "
                "those of Slipway's own shop"
            )
        return answer


class Asking:
    """One customer's connection, kept as long as it lasts; ``patience`` in seconds is for an answer as a whole."""

    def __init__(self, port: int, *, patience: float, token: str = "") -> None:
        self._port, self._patience, self._token = port, patience, token
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, request: str, path: str, body: object = None, *, key: str = "") -> Outcome:
        """``key``: sent as Idempotency-Key, where there is one."""
        method = request.partition(" ")[0]
        headers = _headers(self._token, "application/json") | ({"Idempotency-Key": key} if key else {})
        began = time.monotonic()
        content = None if body is None else json.dumps(body)
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._patience)
        try:
            answer = _answer(self._connection, method, path, content, headers)
        except (OSError, http.client.HTTPException):
            self.close()
            took = time.monotonic() - began
            return Outcome(request, took * 1000, late=took >= self._patience, key=key)
        took = time.monotonic() - began
        if answer.headers.get("connection") == "close":
            self.close()
        order = _order(answer) if method == "POST" else ""
        late = took >= self._patience
        return Outcome(request, took * 1000, answer.status, late, partial=_is_partial(answer), order=order, key=key)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def forged(token: str) -> str:
    """The claims of a real token for somebody else, with a signature that nobody made."""
    header, claims, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    said["sub"] = "00000000-0000-7000-8000-000000000001"
    changed = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    return f"{header}.{changed}.{signature}"


def _headers(token: str, kind: str) -> dict[str, str]:
    headers = {"Content-Type": kind, "Accept": "application/json, text/html"}
    return headers | {"Authorization": f"Bearer {token}"} if token else headers


def _answer(
    connection: http.client.HTTPConnection, method: str, path: str, body: str | None, headers: dict[str, str]
) -> Answer:
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read(LARGEST_ANSWER)
    if not answer.isclosed():  # there is more of it
        connection.close()
    return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


def _order(answer: Answer) -> str:
    return str(answer.json().get("id", "")) if answer.status == HTTPStatus.CREATED else ""


def _is_partial(answer: Answer) -> bool:
    """Whether it says that parts of it are missing, as the home page does."""
    if answer.headers.get("content-type", "").partition(";")[0] != "application/json":
        return False
    try:
        said = answer.json()
    except UnusableAnswer:
        return False
    return isinstance(said, dict) and bool(said.get("missing"))
