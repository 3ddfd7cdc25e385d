"""The one place where everything meets: what the service serves, publishes and consumes."""

from slipway_chassis.service import service

from .adapters.signing_keys import published_keys
from .adapters.streams import USERS
from .adapters.tables import map_domain
from .domain.model import User
from .entrypoints.events import ORDERS
from .entrypoints.http import v1, v2
from .entrypoints.oauth import pages, parts
from .entrypoints.timers import TIMERS
from .errors import EmailTaken, NoSigningKey, NotYours, UserNotFound, WeakPassword, WrongPassword
from .settings import UsersSettings

SERVICE = service(
    "users",
    apis=[v1, v2],
    pages=[pages],
    publishes={User: USERS},
    consumes=[ORDERS],
    timers=TIMERS,
    problems={
        UserNotFound: 404,
        EmailTaken: 409,
        NotYours: 403,
        WrongPassword: 403,
        WeakPassword: 422,
        NoSigningKey: 503,
    },
    package=__package__,
    prepare=map_domain,
    settings=UsersSettings,
    parts=parts,
    issues=published_keys,
)
