"""Every error the chassis raises, by what the caller can do about it.

ChassisError
├── ConfigurationError      stop and mend the environment or the declaration of the service
├── DependencyUnavailable   wait and try again (retriable)
│   ├── DatabaseUnavailable
│   ├── BrokerUnavailable
│   │   └── SubscriptionOutdated  only a new subscription mends it
│   ├── UpstreamUnavailable another service did not answer, or answered that it can't
│   ├── KeysUnavailable     the issuer's signing keys could never be fetched
│   └── NotTried            refused on this side, before the call
│       ├── CircuitOpen     the calls before this one failed
│       └── BulkheadFull    as many calls as allowed are under way
├── TransactionRefused      a transaction was ended by who may not, given up by PostgreSQL, or holds untold events
├── UnusableAnswer          another service answered, and not as it should: asking again would not help
├── DeadlineExceeded        the caller has given up: stop working on it
│   └── UpstreamSilent      and another service had time for an answer, and gave none
├── InvalidToken            not authenticated: who is asking is not known
├── ScopeMissing            authenticated, but not allowed
├── CallerRefused           a service that is not among those that may call
├── PublishFailed           one event was refused; ``retriable`` says whether time can help
├── InvalidEvent            this record can never be processed: dead letter
│   └── UnknownEventVersion
├── LoopEnded               a process has lost one of its loops: it ends, and has to be started again
└── EmbeddedError           a child process for laptop or test could not be started; says the cure

``retriable`` is an attribute, so that policies read it instead of listing classes (the idea is
kafka-python's). Errors of third-party libraries are wrapped where they enter, with ``raise ... from``.
"""


class ChassisError(Exception):
    """The base of all of them. ``retriable``: the same call may succeed later."""

    retriable = False


class ConfigurationError(ChassisError):
    """The environment or the declaration of the service is wrong; the message names what, and the cure."""


class DependencyUnavailable(ChassisError):
    """Something this process needs is away for now."""

    retriable = True


class DatabaseUnavailable(DependencyUnavailable):
    """PostgreSQL does not answer, breaks off, is read-only for now, or its schema is older than this version needs."""


class BrokerUnavailable(DependencyUnavailable):
    """No broker answers, a topic is missing, or what a broker answers leaves open what was asked."""


class SubscriptionOutdated(BrokerUnavailable):
    """A topic of this subscription is gone or was made anew: waiting mends nothing, subscribing again does."""


class UpstreamUnavailable(DependencyUnavailable):
    """Another service gave no answer in time, or said that it can't: 502, 503, 504 (gRPC: UNAVAILABLE,
    DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED).
    """


class KeysUnavailable(DependencyUnavailable):
    """The issuer's signing keys could not be fetched, or what it published is no key set."""


class NotTried(DependencyUnavailable):
    """Refused on this side, before the call: it says nothing about the other side."""


class CircuitOpen(NotTried):
    """The breaker of the dependency is open; the message says in how many seconds it is tried again."""


class BulkheadFull(NotTried):
    """As many calls to the dependency as allowed are under way."""


class TransactionRefused(ChassisError):
    """Nothing of this transaction is saved: someone tried to end it who may not, a statement failed whose error was
    caught, or events were noted that can't be written. The message says the cure.
    """


class UnusableAnswer(ChassisError):
    """Another service answered with what is not JSON, too large, or not what it promised."""


class DeadlineExceeded(ChassisError):
    """The time that the caller gave is over."""


class UpstreamSilent(DeadlineExceeded):
    """The caller's time is over, and another service gave no answer in what is usually enough: it may be hung."""


class InvalidToken(ChassisError):
    """``reason`` is one word, for metrics."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class ScopeMissing(ChassisError):
    """The token is good and lacks a scope that the operation asks for."""


class CallerRefused(ChassisError):
    """The certificate of the caller has no name that may call; the message names those it has."""


class PublishFailed(ChassisError):
    """The broker refused one event; given per record, not raised."""

    def __init__(self, message: str, *, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable


class InvalidEvent(ChassisError):
    """A record that can never be processed; ``reason`` is one word, for dead letters and metrics."""

    reason = "invalid"  # what dead letters and metrics call it


class UnknownEventVersion(InvalidEvent):
    """The consumer knows the event's type, in other versions."""

    reason = "unknown_version"


class LoopEnded(ChassisError):
    """One loop of a worker ended by itself. The process ends with it, since half a worker would look healthy."""


class EmbeddedError(ChassisError):
    """PostgreSQL or Kafka could not be started as a child process; the message says the cure."""
