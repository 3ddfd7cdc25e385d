"""Every error the chassis raises, by what the caller can do about it.

ChassisError
├── ConfigurationError      stop and mend the environment or the declaration of the service
├── DependencyUnavailable   wait and try again (retriable)
│   ├── DatabaseUnavailable
│   ├── BrokerUnavailable
│   ├── UpstreamUnavailable another service did not answer, or answered that it can't
│   ├── KeysUnavailable     the issuer's signing keys could never be fetched
│   └── NotTried            refused on this side, before the call
│       ├── CircuitOpen     the calls before this one failed
│       └── BulkheadFull    as many calls as allowed are under way
├── UnusableAnswer          another service answered, and not as it should: asking again would not help
├── DeadlineExceeded        the caller has given up: stop working on it
├── InvalidToken            not authenticated: who is asking is not known
├── ScopeMissing            authenticated, but not allowed
├── PublishFailed           one event was refused; ``retriable`` says whether time can help
├── InvalidEvent            this record can never be processed: dead letter
│   └── UnknownEventVersion
├── UnreadableContracts      the contracts of a version are missing, too large, or not what their digests say
├── LoopEnded               a process has lost one of its loops: it ends, and has to be started again
└── EmbeddedError           a child process for laptop or test could not be started; says the cure

``retriable`` is an attribute, so that policies read it instead of listing classes (the idea is
kafka-python's). Errors of third-party libraries are wrapped where they enter, with ``raise ... from``.
"""


class ChassisError(Exception):
    retriable = False


class ConfigurationError(ChassisError):
    pass


class DependencyUnavailable(ChassisError):
    retriable = True


class DatabaseUnavailable(DependencyUnavailable):
    pass


class BrokerUnavailable(DependencyUnavailable):
    pass


class UpstreamUnavailable(DependencyUnavailable):
    pass


class KeysUnavailable(DependencyUnavailable):
    pass


class NotTried(DependencyUnavailable):
    pass


class CircuitOpen(NotTried):
    pass


class BulkheadFull(NotTried):
    pass


class UnusableAnswer(ChassisError):
    pass


class DeadlineExceeded(ChassisError):
    pass


class InvalidToken(ChassisError):
    """``reason`` is one word, for metrics."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class ScopeMissing(ChassisError):
    pass


class PublishFailed(ChassisError):
    def __init__(self, message: str, *, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable


class InvalidEvent(ChassisError):
    reason = "invalid"  # what dead letters and metrics call it


class UnknownEventVersion(InvalidEvent):
    reason = "unknown_version"


class UnreadableContracts(ChassisError):
    pass


class LoopEnded(ChassisError):
    pass


class EmbeddedError(ChassisError):
    pass
