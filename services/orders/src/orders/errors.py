"""What the orders service refuses.

OrdersError
├── OrderNotFound
├── NotYours            somebody else's order
├── WrongState          the order is not in a state that allows it
│   ├── OrderNotCancellable
│   └── OrderNotPayable
├── PaymentDeclined     the provider refused the card
└── PaymentUnavailable  the provider did not answer (retriable)
"""


class OrdersError(Exception):
    retriable = False


class OrderNotFound(OrdersError):
    pass


class NotYours(OrdersError):
    pass


class WrongState(OrdersError):
    pass


class OrderNotCancellable(WrongState):
    pass


class OrderNotPayable(WrongState):
    pass


class PaymentDeclined(OrdersError):
    pass


class PaymentUnavailable(OrdersError):
    retriable = True
