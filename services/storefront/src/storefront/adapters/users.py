"""The users service: who someone is, their orders as events told of them, and new accounts."""

from dataclasses import dataclass

from slipway_chassis.http.client import HttpClient

from ..domain.catalogue import ListedOrder, User
from ..domain.session import Account
from .answers import bearer, read, required

LISTED = 5


@dataclass(frozen=True, slots=True)
class _List:
    orders: tuple[ListedOrder, ...]


class HttpPeople:
    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def me(self, account: Account) -> User:
        return read(User, required(self._client.get("/v2/users/me", headers=bearer(account))))

    def my_orders(self, account: Account) -> tuple[ListedOrder, ...]:
        answer = self._client.get(f"/v2/users/me/orders?limit={LISTED}", headers=bearer(account))
        return read(_List, required(answer)).orders


class HttpAccounts:
    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def register(self, *, name: str, email: str, password: str) -> None:
        wanted = {"name": name, "email": email, "password": password}
        required(self._client.post("/v2/users", wanted))
