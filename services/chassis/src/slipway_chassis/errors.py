"""Every error the chassis raises, by what the caller can do about it.

ChassisError
├── ConfigurationError      stop and mend the environment
├── DependencyUnavailable   wait and try again (retriable)
│   ├── DatabaseUnavailable
│   └── BrokerUnavailable
├── PublishFailed           one event was refused; ``retriable`` says whether time can help
├── InvalidEvent            this record can never be processed: dead letter
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


class PublishFailed(ChassisError):
    def __init__(self, message: str, *, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable


class InvalidEvent(ChassisError):
    pass


class EmbeddedError(ChassisError):
    pass
