"""The one place where everything meets: what the service serves, and on what."""

from slipway_chassis.service import service

from .entrypoints import accounts, live, pages
from .entrypoints.http import v1
from .entrypoints.parts import parts
from .entrypoints.shop import pages as shop
from .errors import ItemNotFound, Late, NotSignedIn, OrderNotFound
from .settings import StorefrontSettings

ROUTES = (pages, accounts, live)  # imported for their routes on the shop's blueprint

SERVICE = service(
    "storefront",
    apis=[v1],
    pages=[shop],
    problems={ItemNotFound: 404, OrderNotFound: 404, NotSignedIn: 401, Late: 504},
    settings=StorefrontSettings,
    parts=parts,
)
