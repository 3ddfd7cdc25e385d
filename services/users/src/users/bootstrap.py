"""The one place where everything meets: what the service serves, publishes and consumes."""

from slipway_chassis.service import service

from .adapters.streams import USERS
from .adapters.tables import map_domain
from .domain.model import User
from .entrypoints.events import ORDERS
from .entrypoints.http import v1
from .errors import EmailTaken, UserNotFound

SERVICE = service(
    "users",
    apis=[v1],
    publishes={User: USERS},
    consumes=[ORDERS],
    problems={UserNotFound: 404, EmailTaken: 409},
    package=__package__,
    prepare=map_domain,
)
