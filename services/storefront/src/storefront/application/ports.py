"""What the shop needs of others. Whatever does not answer raises an error with a true ``retriable``."""

from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import UUID

from ..domain.catalogue import Item, ListedOrder, Order, OrderPage, User
from ..domain.home import Part
from ..domain.session import Account, SignIn

T = TypeVar("T")


class Shelves(Protocol):
    """What is for sale."""

    def items(self) -> tuple[Item, ...]: ...

    def item(self, sku: str) -> Item:
        """Raises ItemNotFound."""
        ...


class People(Protocol):
    def me(self, account: Account) -> User: ...

    def my_orders(self, account: Account) -> tuple[ListedOrder, ...]:
        """The newest first."""
        ...


class Accounts(Protocol):
    def register(self, *, name: str, email: str, password: str) -> None:
        """Raises Refused with the reason, also when the address is taken."""
        ...


class Orders(Protocol):
    """Raises Refused with the reason where the orders service says no, OrderNotFound also for others' orders."""

    def place(self, account: Account, *, sku: str, quantity: int, unit_price_cents: int, key: str) -> Order: ...

    def find(self, account: Account, order_id: UUID) -> Order: ...

    def page(self, account: Account, *, after: UUID | None) -> OrderPage: ...

    def pay(self, account: Account, order_id: UUID, *, card: str, key: str) -> Order: ...

    def cancel(self, account: Account, order_id: UUID, *, key: str) -> Order: ...


class Round(Protocol):
    """Questions asked side by side, with one time limit from the round's beginning."""

    def ask(self, part: Part, question: Callable[[], T]) -> Callable[[], T]:
        """Begins to ask; what it returns waits for the answer, and raises Late or what the question raised."""
        ...


class Tokens(Protocol):
    def exchange(self, code: str, sign_in: SignIn) -> Account:
        """Raises SignInFailed."""
        ...

    def revoke(self, account: Account) -> None:
        """Whatever was kept of the session is worth nothing from now on, as far as the issuer can be reached."""
        ...


class Refresher(Protocol):
    def refresh(self, account: Account, *, within: float) -> Account:
        """The account with new tokens; NotSignedIn when they are refused, Late when they are not there in time."""
        ...

    def forget(self, account: Account) -> None:
        """It is signed out: tokens that it had before get no new ones either."""
        ...
