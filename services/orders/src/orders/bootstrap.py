"""The one place where everything meets: what the service serves, publishes and consumes."""

from slipway_chassis.service import service

from .adapters.streams import ORDERS
from .adapters.tables import map_domain
from .domain.model import Order
from .entrypoints.events import USERS
from .entrypoints.http import v1
from .errors import OrderNotCancellable, OrderNotFound

SERVICE = service(
    "orders",
    apis=[v1],
    publishes={Order: ORDERS},
    consumes=[USERS],
    problems={OrderNotFound: 404, OrderNotCancellable: 409},
    package=__package__,
    prepare=map_domain,
)
