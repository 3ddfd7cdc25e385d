"""What the orders service refuses.

OrdersError
└── OrderNotFound
"""


class OrdersError(Exception):
    retriable = False


class OrderNotFound(OrdersError):
    pass
