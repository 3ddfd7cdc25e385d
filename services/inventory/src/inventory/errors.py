"""What the inventory service refuses.

InventoryError
├── ItemNotFound
├── ReservationNotFound
├── ReservationSold        it can't be released any more
├── ReservationOfOrder     only its order can end it
├── OutOfStock             fewer are available than were asked for
├── PriceChanged           the customer saw another price
└── InvalidRequest         a field of a call is missing or out of bounds
"""


class InventoryError(Exception):
    retriable = False


class ItemNotFound(InventoryError):
    pass


class ReservationNotFound(InventoryError):
    pass


class ReservationSold(InventoryError):
    pass


class ReservationOfOrder(InventoryError):
    pass


class OutOfStock(InventoryError):
    pass


class PriceChanged(InventoryError):
    pass


class InvalidRequest(InventoryError):
    pass
