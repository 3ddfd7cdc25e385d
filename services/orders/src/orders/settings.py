"""Settings of this service; the chassis reads them from the environment, before anything connects."""

from datetime import timedelta

from pydantic import BaseModel, Field


class OrdersSettings(BaseModel):
    reservation_timeout_seconds: int = Field(
        default=60, ge=1, le=86_400, description="an order whose stock nobody has reserved by then is rejected"
    )
    payment_timeout_seconds: int = Field(
        default=900, ge=1, le=604_800, description="a confirmed order that is not paid by then is cancelled"
    )

    @property
    def reservation_timeout(self) -> timedelta:
        return timedelta(seconds=self.reservation_timeout_seconds)

    @property
    def payment_timeout(self) -> timedelta:
        return timedelta(seconds=self.payment_timeout_seconds)
