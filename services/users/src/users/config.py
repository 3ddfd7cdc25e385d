"""Settings of this service beyond those of the chassis: none yet. They are read from the environment."""

from slipway_chassis.http.service import HttpServiceSettings


class UsersSettings(HttpServiceSettings):
    """See ``slipway_chassis.config`` for every variable."""
