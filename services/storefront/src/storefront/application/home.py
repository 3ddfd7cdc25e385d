"""The home page, from three questions asked side by side. What does not answer in time is left out."""

import logging
from collections.abc import Callable
from typing import TypeVar

from ..domain.home import Home, Part
from ..domain.session import Account
from .ports import People, Round, Shelves

log = logging.getLogger(__name__)
T = TypeVar("T")


def show_home(asked: Round, shelves: Shelves, people: People, *, account: Callable[[], Account] | None = None) -> Home:
    """``account`` gives who is signed in; it is called beside the other questions, since it may have to ask for a
    new token. Without it the page has no parts of a user.
    """
    missing: list[Part] = []

    def take(part: Part, answer: Callable[[], T], otherwise: T) -> T:
        try:
            return answer()
        except Exception as error:  # noqa: BLE001 # whatever one part meets must not take the page away
            _log_missing(part, error)
            missing.append(part)
            return otherwise

    # All are begun before the first is waited for.
    items = asked.ask(Part.INVENTORY, shelves.items)
    orders = asked.ask(Part.ORDERS, lambda: people.my_orders(account())) if account else tuple
    user = asked.ask(Part.USER, lambda: people.me(account())) if account else lambda: None
    return Home(
        items=take(Part.INVENTORY, items, ()),
        orders=take(Part.ORDERS, orders, ()),
        user=take(Part.USER, user, None),
        missing=tuple(missing),
    )


def _log_missing(part: Part, error: Exception) -> None:
    """Others that are away are no error of ours; a bug is."""
    ours = not hasattr(error, "retriable")
    log.log(
        logging.ERROR if ours else logging.WARNING,
        "home without %s: %s: %s", part, type(error).__name__, error,
        exc_info=error if ours else None,
    )  # fmt: skip
