from uuid import UUID

from ..domain.model import Item, Reservation
from ..errors import ItemNotFound, OutOfStock, PriceChanged, ReservationNotFound, ReservationOfOrder
from .consumed_events import OrderPlaced
from .ports import Items, Reservations


def put_item(items: Items, *, sku: str, name: str, price_cents: int, available: int) -> Item:
    """Adds the item, or sets what is told of it; what is reserved or sold stays."""
    item = items.get(sku, for_change=True)
    if item is None:
        item = Item(sku=sku, name=name, price_cents=price_cents, available=available)
        items.add(item)
    item.name, item.price_cents, item.available = name, price_cents, available
    return item


def find_item(items: Items, sku: str, *, for_change: bool = False) -> Item:
    item = items.get(sku, for_change=for_change)
    if item is None:
        raise ItemNotFound(f"There is no item {sku}.")
    return item


def reserve(
    items: Items,
    reservations: Reservations,
    *,
    reservation_id: UUID,
    sku: str,
    quantity: int,
    total_cents: int | None = None,
) -> Reservation:
    """Holds the stock, or remembers why not; asked again with the same id, it says the same. ``total_cents`` is
    what an order's customer was told it costs; None for who reserves without an order.
    """
    known = reservations.get(reservation_id)
    if known is not None:
        return known
    of_order = total_cents is not None
    try:
        item = find_item(items, sku, for_change=True)
        _require_price(item, quantity, total_cents)
        made = Reservation.hold(reservation_id, item, quantity, of_order=of_order)
    except (ItemNotFound, PriceChanged, OutOfStock) as error:
        made = Reservation.reject(reservation_id, sku, quantity, str(error))
    reservations.add(made)
    return made


def _require_price(item: Item, quantity: int, total_cents: int | None) -> None:
    if total_cents is not None and total_cents != quantity * item.price_cents:
        raise PriceChanged(f"{item.sku} costs {item.price_cents} cents now")


def release(items: Items, reservations: Reservations, reservation_id: UUID) -> Reservation:
    reservation = reservations.get(reservation_id)
    if reservation is None:
        raise ReservationNotFound(f"There is no reservation {reservation_id}.")
    if reservation.of_order:
        raise ReservationOfOrder(f"The reservation {reservation_id} is an order's: cancel the order.")
    reservation.release(_item_of(items, reservation))
    return reservation


# --- what orders tell; they tell it in order


def order_placed(items: Items, reservations: Reservations, event: OrderPlaced) -> None:
    reserve(
        items,
        reservations,
        reservation_id=event.order_id,
        sku=event.item,
        quantity=event.quantity,
        total_cents=event.total_cents,
    )


def order_paid(items: Items, reservations: Reservations, order_id: UUID) -> None:
    if reservation := reservations.get(order_id):
        reservation.sell(_item_of(items, reservation))


def order_ended(items: Items, reservations: Reservations, order_id: UUID) -> None:
    """An order from before this service knew of orders has no reservation: there is nothing to give back."""
    if reservation := reservations.get(order_id):
        reservation.take_back(_item_of(items, reservation))


def _item_of(items: Items, reservation: Reservation) -> Item:
    """Of a rejected reservation the item may not exist: nothing will be taken from this one."""
    item = items.get(reservation.sku, for_change=True)
    return item or Item(sku=reservation.sku, name="", price_cents=0, available=0)
