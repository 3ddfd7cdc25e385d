from ..errors import OperatorError


class GatewayConfigurationError(OperatorError):
    """The settings can't become a gateway; the message names the key and says why."""


class EnvoyNotFound(OperatorError):
    pass


class GatewayUnreachable(OperatorError):
    retriable = True
