"""What the handlers of this service use, built once per process."""

from collections.abc import Callable
from dataclasses import dataclass

from slipway_chassis.auth import Verifier
from slipway_chassis.errors import ConfigurationError
from slipway_chassis.grpc.client import guarded_channel
from slipway_chassis.http import Resources
from slipway_chassis.http.client import HttpClient
from slipway_chassis.resilience import Breaker, Bulkhead, Guard, Retry

from ..adapters.cookies import Seal
from ..adapters.inventory import GrpcShelves
from ..adapters.oauth import TokenEndpoint
from ..adapters.orders import HttpOrders
from ..adapters.parallel import Rounds
from ..adapters.renewing import Renewing
from ..adapters.users import HttpAccounts, HttpPeople
from ..application.ports import Accounts, Orders, People, Refresher, Shelves, Tokens
from ..domain.home import Part
from ..settings import StorefrontSettings

HOME_RESET_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """``*_at_once`` are for the home page: they give up soon, and ask nobody twice."""

    settings: StorefrontSettings
    verifier: Verifier
    seal: Seal
    rounds: Rounds
    shelves: Shelves
    shelves_at_once: Shelves
    people_at_once: People
    accounts: Accounts
    orders: Orders
    tokens: Tokens
    refresher: Refresher
    streams: Bulkhead
    draining: Callable[[], bool]


def parts(resources: Resources) -> Parts:
    settings, verifier = resources.settings, resources.verifier
    if not isinstance(settings, StorefrontSettings) or verifier is None:
        raise ConfigurationError("the storefront needs its settings, and AUTH_ISSUER: who its visitors sign in with")
    seconds = settings.part_timeout_seconds
    tokens = _tokens(settings, verifier)
    return Parts(
        settings=settings,
        verifier=verifier,
        seal=Seal(settings.session_secret),
        rounds=Rounds(Part, seconds=seconds, places=settings.part_calls_at_most),
        shelves=GrpcShelves(guarded_channel("inventory", settings.inventory_target, repeatable={"GetItem"})),
        shelves_at_once=GrpcShelves(
            guarded_channel(
                "inventory-home", settings.inventory_target, timeout=seconds, guard=_at_once("inventory-home")
            )
        ),
        people_at_once=HttpPeople(
            HttpClient("users-home", settings.users_url, timeout=seconds, guard=_at_once("users-home"))
        ),
        accounts=HttpAccounts(HttpClient("users", settings.users_url, timeout=5.0)),
        orders=HttpOrders(
            HttpClient("orders", settings.orders_url),
            HttpClient("orders-payments", settings.orders_url, timeout=5.0, guard=_once("orders-payments")),
        ),
        tokens=tokens,
        refresher=Renewing(tokens.renew),
        # One visitor leaves a place for the others.
        streams=Bulkhead(
            "live-pages",
            most=settings.streams_at_most,
            each=max(1, settings.streams_at_most - 1),
            wait_seconds=0,
        ),
        draining=resources.draining,
    )


def _tokens(settings: StorefrontSettings, access: Verifier) -> TokenEndpoint:
    """Identity tokens are meant for the client itself, hence a verifier of its own."""
    return TokenEndpoint(
        settings.users_url,
        client_id=settings.oauth_client_id,
        redirect_uri=settings.signed_in_url,
        access=access,
        identity=access.for_audience(settings.oauth_client_id),
    )


def _at_once(name: str) -> Guard:
    """For the home page: no second try, which would come too late, and a circuit that is tried again soon."""
    return Guard(name, retry=Retry(name, attempts=1), breaker=Breaker(name, reset_timeout=HOME_RESET_SECONDS))


def _once(name: str) -> Guard:
    """The visitor decides whether to try again. One card that does not work must not close the way for others."""
    return Guard(
        name,
        retry=Retry(name, attempts=1),
        breaker=Breaker(name, failure_threshold=10, reset_timeout=HOME_RESET_SECONDS),
    )
