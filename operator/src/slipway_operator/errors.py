"""Every error of this package.

OperatorError (a ChassisError, so that the command line shows it as one sentence)
├── LocalRuntimeError     the local runtime can't start; the message says the cure
│   ├── PortInUse
│   └── AlreadyRunning
└── UnknownResource       a resource was asked for that is none of slipway.dev
"""

from slipway_chassis.errors import ChassisError


class OperatorError(ChassisError):
    pass


class LocalRuntimeError(OperatorError):
    pass


class PortInUse(LocalRuntimeError):
    pass


class AlreadyRunning(LocalRuntimeError):
    pass


class UnknownResource(OperatorError):
    pass
