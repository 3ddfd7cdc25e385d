"""The shop: what is for sale, and a visitor's orders."""

from http import HTTPStatus
from uuid import UUID, uuid4

from flask import Response, request

from slipway_chassis.errors import DependencyUnavailable
from slipway_chassis.http import current_parts

from ..application.home import show_home
from ..domain.catalogue import Order
from ..domain.session import Account
from ..errors import Refused
from .parts import Parts
from .shop import form_key, page, pages
from .visit import check_form, current_visit, to

CARDS = {
    "card-ok": "A card that works",
    "card-declined": "A card that is declined",
    "card-unavailable": "A card whose bank does not answer",
}
MOST = 1_000
NOT_PLACED = "The order did not get an answer. Try again: it is placed once, also if it was placed already."
NOT_PAID = "The payment did not get an answer. Nothing was charged as far as we know: try again."
NOT_CANCELLED = "The cancellation did not get an answer. Try again."


@pages.get("/")
def home() -> Response:
    known, visit = current_parts(Parts), current_visit()
    fresh = visit.fresh(within=known.settings.part_timeout_seconds)
    shown = show_home(known.rounds.begin(), known.shelves_at_once, known.people_at_once, account=fresh)
    visit.note(fresh)
    return page("home.html", home=shown)


@pages.get("/items/<sku>")
def item(sku: str) -> Response:
    return _item_page(sku)


def _item_page(sku: str, *, status: int = 200, wrong: str = "", quantity: str = "1", key: str = "") -> Response:
    """``key``: of the form that is shown again. It stays the same where the order may have been placed after all."""
    found = current_parts(Parts).shelves.item(sku)
    return page("item.html", status, item=found, wrong=wrong, quantity=quantity, most=MOST, key=key or uuid4())


@pages.post("/orders")
def place() -> Response:
    """Places an order at the price that the visitor saw; at another one inventory rejects it."""
    account = current_visit().signed_in()
    check_form()
    sku, quantity, key = request.form.get("item", ""), request.form.get("quantity", ""), form_key()
    try:
        order = current_parts(Parts).orders.place(
            account,
            sku=sku,
            quantity=_number(quantity, most=MOST, what="The quantity"),
            unit_price_cents=_number(request.form.get("price_cents", ""), most=100_000_000, what="The price"),
            key=key,
        )
    except Refused as error:
        again = key if error.status == HTTPStatus.CONFLICT else ""  # it is being worked on
        return _item_page(sku, status=error.status, wrong=str(error), quantity=quantity, key=again)
    except DependencyUnavailable:
        return _item_page(sku, status=503, wrong=NOT_PLACED, quantity=quantity, key=key)
    return to(f"/orders/{order.id}")


def _number(text: str, *, most: int, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise Refused(422, f"{what} must be a whole number, at most {most}.")
    return int(text)


@pages.get("/orders")
def orders() -> Response:
    account = current_visit().signed_in()
    after = request.args.get("after", type=UUID)
    return page("orders.html", page=current_parts(Parts).orders.page(account, after=after))


@pages.get("/orders/<uuid:order_id>")
def order(order_id: UUID) -> Response:
    return _order_page(current_visit().signed_in(), order_id)


def _order_page(
    account: Account, order_id: UUID, *, status: int = 200, wrong: str = "", key: str = "", card: str = ""
) -> Response:
    found: Order = current_parts(Parts).orders.find(account, order_id)
    # One key for both forms: what either of them asks for is asked under its own path.
    return page("order.html", status, order=found, wrong=wrong, key=key or uuid4(), cards=CARDS, card=card)


@pages.post("/orders/<uuid:order_id>/pay")
def pay(order_id: UUID) -> Response:
    account = current_visit().signed_in()
    check_form()
    key, card = form_key(), request.form.get("card", "")
    try:
        current_parts(Parts).orders.pay(account, order_id, card=card, key=key)
    except Refused as error:
        return _order_page(account, order_id, status=error.status, wrong=str(error), card=card)
    except DependencyUnavailable:
        # The same key again: if it was paid after all, the second try finds that and charges nothing.
        return _order_page(account, order_id, status=503, wrong=NOT_PAID, key=key, card=card)
    return to(f"/orders/{order_id}")


@pages.post("/orders/<uuid:order_id>/cancel")
def cancel(order_id: UUID) -> Response:
    account = current_visit().signed_in()
    check_form()
    key = form_key()
    try:
        current_parts(Parts).orders.cancel(account, order_id, key=key)
    except Refused as error:
        return _order_page(account, order_id, status=error.status, wrong=str(error))
    except DependencyUnavailable:
        return _order_page(account, order_id, status=503, wrong=NOT_CANCELLED, key=key)
    return to(f"/orders/{order_id}")
