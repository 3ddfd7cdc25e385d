"""The orders service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from slipway_chassis.http.client import HttpClient

from ..domain.catalogue import Order, OrderPage
from ..domain.session import Account
from ..errors import OrderNotFound, Refused
from .answers import bearer, read, required

PAGE = 50
NOT_YOURS = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


@dataclass(frozen=True, slots=True)
class _Page:
    orders: tuple[Order, ...]
    next: str | None = None


class HttpOrders:
    """``payments`` asks the same service under a guard of its own: behind a payment stands a provider, and one
    that is away must not open the circuit to the orders.
    """

    def __init__(self, client: HttpClient, payments: HttpClient) -> None:
        self._client = client
        self._payments = payments

    def place(self, account: Account, *, sku: str, quantity: int, unit_price_cents: int, key: str) -> Order:
        wanted = {"item": sku, "quantity": quantity, "unit_price_cents": unit_price_cents}
        return read(Order, required(self._client.post("/v1/orders", wanted, headers=_once(account, key))))

    def find(self, account: Account, order_id: UUID) -> Order:
        with _known(order_id):
            return read(Order, required(self._client.get(f"/v1/orders/{order_id}", headers=bearer(account))))

    def page(self, account: Account, *, after: UUID | None) -> OrderPage:
        path = f"/v1/orders?limit={PAGE}" + (f"&after={after}" if after else "")
        page = read(_Page, required(self._client.get(path, headers=bearer(account))))
        return OrderPage(orders=page.orders, after=_after(page.next))

    def pay(self, account: Account, order_id: UUID, *, card: str, key: str) -> Order:
        path, headers = f"/v1/orders/{order_id}/pay", _once(account, key)
        with _known(order_id):
            return read(Order, required(self._payments.post(path, {"card": card}, headers=headers)))

    def cancel(self, account: Account, order_id: UUID, *, key: str) -> Order:
        path, headers = f"/v1/orders/{order_id}/cancel", _once(account, key)
        with _known(order_id):
            return read(Order, required(self._client.request("POST", path, headers=headers)))


def _once(account: Account, key: str) -> dict[str, str]:
    return {**bearer(account), "Idempotency-Key": key}


@contextmanager
def _known(order_id: UUID) -> Iterator[None]:
    """Somebody else's order is as unknown as one that is not there."""
    try:
        yield
    except Refused as error:
        if error.status in NOT_YOURS:
            raise OrderNotFound(f"There is no order {order_id} of yours.") from error
        raise


def _after(path: str | None) -> UUID | None:
    """Where the next page begins, out of the path that the orders service gives for it."""
    if not path:
        return None
    [after] = parse_qs(urlsplit(path).query).get("after", [""])[:1]
    return read(UUID, after)
