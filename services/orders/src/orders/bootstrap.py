"""The one place where everything meets: what the service serves, publishes and consumes."""

from slipway_chassis.service import service

from .adapters.payments import SimulatedProvider
from .adapters.streams import ORDERS
from .adapters.tables import map_domain
from .domain.model import Order
from .entrypoints.events import RESERVATIONS, USERS
from .entrypoints.http import Parts, v1
from .entrypoints.timers import TIMERS
from .errors import NotYours, OrderNotFound, PaymentDeclined, PaymentUnavailable, WrongState
from .settings import OrdersSettings

SERVICE = service(
    "orders",
    apis=[v1],
    publishes={Order: ORDERS},
    consumes=[USERS, RESERVATIONS],
    timers=TIMERS,
    problems={OrderNotFound: 404, NotYours: 403, WrongState: 409, PaymentDeclined: 402, PaymentUnavailable: 503},
    package=__package__,
    prepare=map_domain,
    settings=OrdersSettings,
    parts=lambda _resources: Parts(payments=SimulatedProvider()),
)
