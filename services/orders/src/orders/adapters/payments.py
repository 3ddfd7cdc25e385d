"""A payment provider that only pretends: the card says what it answers, as test cards of real ones do.

A real one takes its place behind the same port: it must know an order by its id, charge it once, and refuse
it after ``void``. The guard around it is the one a real one needs.
"""

import logging
from uuid import UUID

from slipway_chassis.errors import DependencyUnavailable, UpstreamUnavailable
from slipway_chassis.resilience import Guard

from ..errors import PaymentDeclined, PaymentUnavailable

log = logging.getLogger(__name__)

DECLINED = "card-declined"
UNAVAILABLE = "card-unavailable"


class SimulatedProvider:
    def __init__(self) -> None:
        self._guard = Guard("payments")

    def charge(self, order_id: UUID, cents: int, card: str) -> None:
        def call() -> None:
            if card == UNAVAILABLE:
                raise UpstreamUnavailable("payments: the card asks for an outage")

        try:
            self._guard.call(call)
        except DependencyUnavailable as error:
            raise PaymentUnavailable("The payment provider does not answer. Nothing was charged; try again.") from error
        if card == DECLINED:
            raise PaymentDeclined("The card was declined. Use another.")
        log.info("charged %d cents for the order %s", cents, order_id)

    def void(self, order_id: UUID) -> None:
        log.info("whatever was charged for the order %s is given back", order_id)
