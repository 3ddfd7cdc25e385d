"""Settings of this service; the chassis reads them from the environment, before anything connects."""

from typing import Annotated

from pydantic import AfterValidator, Field

from slipway_chassis.auth.sealing import FernetKeys
from slipway_chassis.config import AuthSettings


def _without_slash(value: str) -> str:
    return value.rstrip("/")


Address = Annotated[str, Field(pattern=r"^https?://[^\s/]+\S*$", max_length=500), AfterValidator(_without_slash)]


class StorefrontSettings(AuthSettings):
    """The issuer of AUTH_ISSUER is where the shop's visitors sign in."""

    users_url: Address = Field(description="inside the cluster, for example http://users:8000")
    orders_url: Address = Field(description="inside the cluster, for example http://orders:8000")
    inventory_target: str = Field(
        pattern=r"^(ipv4:|https://)?[^\s/]+:\d+(,[^\s/,]+:\d+)*$",
        description="gRPC, for example inventory-headless:8001, or https://inventory-headless:8001",
    )
    public_url: Address = Field(description="the shop as browsers see it, for example https://shop.example.org")
    oauth_client_id: str = Field(default="storefront", min_length=1, max_length=100)
    session_secret: FernetKeys = Field(
        description="encrypts the sessions in the browsers' cookies: 32 random bytes in URL-safe base64; "
        "several with commas: the first encrypts, all decrypt"
    )
    part_timeout_seconds: float = Field(
        default=0.3, gt=0, le=10, description="a part of the home page that takes longer is left out"
    )
    part_calls_at_most: int = Field(
        default=8, ge=1, le=64, description="calls under way for one part of the home page: as many as HTTP_THREADS"
    )
    streams_at_most: int = Field(default=3, ge=1, le=32, description="live pages at a time; each holds a thread")

    @property
    def secure(self) -> bool:
        """Whether cookies may be told never to travel without TLS."""
        return self.public_url.startswith("https://")

    @property
    def signed_in_url(self) -> str:
        return f"{self.public_url}/signed-in"
