"""A payment provider that only pretends: the card says what it answers, as test cards of real ones do.

A real one takes its place behind the same port: it must know an order by its id, charge it once, and refuse
it after ``void``. Its HttpClient should ask once (the order is locked meanwhile), and count as failures of the
provider only what is not the fault of one card.
"""

import logging
from uuid import UUID

from ..errors import PaymentDeclined, PaymentUnavailable

log = logging.getLogger(__name__)

DECLINED = "card-declined"
UNAVAILABLE = "card-unavailable"


class SimulatedProvider:
    def charge(self, order_id: UUID, cents: int, card: str) -> None:
        if card == UNAVAILABLE:
            raise PaymentUnavailable("The card's bank does not answer. Nothing was charged; try again.")
        if card == DECLINED:
            raise PaymentDeclined("The card was declined. Use another.")
        log.info("charged %d cents for the order %s", cents, order_id)

    def void(self, order_id: UUID) -> None:
        log.info("whatever was charged for the order %s is given back", order_id)
