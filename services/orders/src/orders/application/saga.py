"""The saga of an order: orders and inventory agree by events, without a transaction over both.

    orders                      inventory
    OrderPlaced ──────────────▶ reserves the stock
    confirms ◀───────────────── StockReserved
    or rejects ◀─────────────── ReservationRejected
    OrderPaid ────────────────▶ the stock is sold
    OrderCancelled, ──────────▶ releases what it holds for the order,
    OrderRejected               or will never hold anything

Orders decides. When nobody answers in time it rejects; when nobody pays in time it cancels, and whatever was
charged is given back until the provider has confirmed it. Inventory reads
the events of one order in their order, so a reservation that comes after its order's end can't be: the end
is read after OrderPlaced, and releases it. An answer that comes too late finds the order ended, and changes
nothing.
"""

from datetime import datetime, timedelta
from uuid import UUID

from ..domain.model import OrderStatus
from ..errors import PaymentUnavailable
from .ports import Orders, PaymentProvider

AT_ONCE = 100


def stock_reserved(orders: Orders, order_id: UUID, *, now: datetime) -> None:
    if order := orders.get(order_id, for_change=True):  # who reserves without an order speaks to inventory alone
        order.confirm(now=now)


def reservation_rejected(orders: Orders, order_id: UUID, reason: str, *, now: datetime) -> None:
    if order := orders.get(order_id, for_change=True):
        order.reject(reason, now=now)


def reject_unanswered(orders: Orders, *, timeout: timedelta, now: datetime) -> int:
    late = orders.waiting(OrderStatus.PLACED, since=now - timeout, limit=AT_ONCE)
    for order in late:
        order.reject("the stock was not reserved in time", now=now)
    return len(late)


def cancel_unpaid(orders: Orders, *, timeout: timedelta, now: datetime) -> int:
    late = orders.waiting(OrderStatus.CONFIRMED, since=now - timeout, limit=AT_ONCE)
    for order in late:
        order.cancel("not paid in time", now=now)
    return len(late)


def refund(orders: Orders, provider: PaymentProvider) -> int:
    """Gives back what cancelled orders have cost, or may have: a charge whose answer was lost. What fails is tried
    again at the next run, and holds up no other.
    """
    done = 0
    for order in orders.refunds_due(limit=AT_ONCE):
        try:
            provider.void(order.id)
        except PaymentUnavailable:
            continue
        order.refunded()
        done += 1
    return done
