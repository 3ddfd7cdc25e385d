"""Every error of this package.

OperatorError (a ChassisError, so that the command line shows it as one sentence)
├── LocalRuntimeError     the local runtime can't start; the message says the cure
│   ├── PortInUse
│   ├── AlreadyRunning
│   ├── NotRunning        a release was asked for and nothing runs that could carry it out
│   ├── ReleaseEnded      a release did not end with the version that was wanted
│   ├── LessonUnreadable  a lesson of the tour is not there, or says what can't be run
│   └── LessonFailed      a lesson could not be run to its end, or its runs don't show what it tells
├── BackupError           a backup can't be made, read or restored; the message says the cure
│   ├── BackupUnusable    what lies there is no whole backup, or not what its manifest says
│   └── RestoreUnfinished a restore stopped on its way: the same command again goes on with it
├── ConsoleRefused       the console does not do what was asked; ``status`` is HTTP's
├── KubernetesError       a request to the API server did not do what it should; ``retriable`` says whether time helps
│   ├── Unreachable       no answer, or not in time
│   ├── Overloaded        429 or a 5xx: the server asks for patience
│   ├── Outdated          409: somebody was faster; look again
│   ├── Missing           404: the object or its kind does not exist
│   ├── Unauthorized      401: the login is not valid, or not any more; says nothing about what was asked
│   ├── Refused           any other 4xx: the same request will be refused again
│   │   └── NotAName      a name that no object can have: nothing was asked
│   ├── Unreadable        an object says what this release does not understand, or may not be read at all
│   ├── NotLeading        the Lease is not held (any more), so nothing may be written
│   ├── ClaimedByAnother  another installation of the operator acts in the namespace
│   ├── WatchesEnded      nobody tells of changes any more: the process must be started anew
│   └── AccessUnknown     neither a service account nor a kubeconfig says how to reach the API server
└── UnknownResource       a resource was asked for that is none of slipway.dev
"""

from http import HTTPStatus

from slipway_chassis.errors import ChassisError


class OperatorError(ChassisError):
    pass


class LocalRuntimeError(OperatorError):
    pass


class PortInUse(LocalRuntimeError):
    pass


class AlreadyRunning(LocalRuntimeError):
    pass


class NotRunning(LocalRuntimeError):
    pass


class ReleaseEnded(LocalRuntimeError):
    pass


class LessonUnreadable(LocalRuntimeError):
    pass


class LessonFailed(LocalRuntimeError):
    pass


class BackupError(OperatorError):
    pass


class BackupUnusable(BackupError):
    pass


class RestoreUnfinished(BackupError):
    pass


class ConsoleRefused(OperatorError):
    def __init__(self, message: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


class KubernetesError(OperatorError):
    retriable = False


class Unreachable(KubernetesError):
    retriable = True


class Overloaded(KubernetesError):
    retriable = True
    retry_after = 0.0  # seconds the server asks for; 0: it says nothing


class Outdated(KubernetesError):
    retriable = True


class Missing(KubernetesError):
    # An object that is deleted meanwhile is no fault of the spec: the next look knows more.
    retriable = True


class Unauthorized(KubernetesError):
    # Logins are renewed. As a verdict on a version, it would end the version's release.
    retriable = True


class Refused(KubernetesError):
    pass


class NotOurs(Refused):
    """An object of a child's name is somebody else's, and nobody handed it over."""


class NotAName(Refused):
    pass


class Unreadable(KubernetesError):
    pass


class NotLeading(KubernetesError):
    retriable = True


class ClaimedByAnother(KubernetesError):
    pass


class WatchesEnded(KubernetesError):
    pass


class AccessUnknown(KubernetesError):
    pass


class UnknownResource(OperatorError):
    pass
