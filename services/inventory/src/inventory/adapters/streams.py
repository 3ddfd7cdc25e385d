"""What this service publishes."""

from slipway_chassis.events.stream import Stream

from ..domain.events import ReservationRejected, StockReleased, StockReserved, StockSold

RESERVATIONS = Stream(
    topic="inventory.reservation.v1",
    aggregate="reservation",
    source="/inventory",
    events={
        "inventory.StockReserved.v1": StockReserved,
        "inventory.ReservationRejected.v1": ReservationRejected,
        "inventory.StockReleased.v1": StockReleased,
        "inventory.StockSold.v1": StockSold,
    },
)
