"""What the orders service refuses.

OrdersError
├── OrderNotFound
└── OrderNotCancellable
"""


class OrdersError(Exception):
    retriable = False


class OrderNotFound(OrdersError):
    pass


class OrderNotCancellable(OrdersError):
    pass
