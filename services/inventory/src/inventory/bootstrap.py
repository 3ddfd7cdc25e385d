"""The one place where everything meets: what the service serves, publishes and consumes."""

from slipway_chassis.service import service

from .adapters.streams import RESERVATIONS
from .adapters.tables import map_domain
from .domain.model import Reservation
from .entrypoints.events import ORDERS
from .entrypoints.grpc import API
from .entrypoints.timers import TIMERS
from .errors import InvalidRequest, ItemNotFound, ReservationNotFound, ReservationOfOrder, ReservationSold
from .settings import InventorySettings

SERVICE = service(
    "inventory",
    grpc=[API],
    publishes={Reservation: RESERVATIONS},
    consumes=[ORDERS],
    timers=TIMERS,
    problems={
        InvalidRequest: 400,
        ItemNotFound: 404,
        ReservationNotFound: 404,
        ReservationSold: 409,
        ReservationOfOrder: 409,
    },
    package=__package__,
    prepare=map_domain,
    settings=InventorySettings,
)
