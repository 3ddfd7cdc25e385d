"""Settings of this service; the chassis reads them from the environment, before anything connects."""

from pydantic import BaseModel, ConfigDict, Field, Json


class CatalogueItem(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    name: str = Field(min_length=1, max_length=200)
    price_cents: int = Field(ge=0, le=1_000_000)
    available: int = Field(ge=0, le=1_000_000_000)


class InventorySettings(BaseModel):
    catalogue: Json[list[CatalogueItem]] = Field(
        default=[], description="items that are added when they are missing, as JSON; for development"
    )
