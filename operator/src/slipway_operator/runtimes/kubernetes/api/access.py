"""Chooses how to log in to the API server: by a service account's files, or by a kubeconfig."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from ....errors import AccessUnknown
from .kubeconfig import TOKEN_FILE_SECONDS, bearer, log_in
from .login import Login, NotUsable

log = logging.getLogger(__name__)

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CURE = "set automountServiceAccountToken, or KUBECONFIG outside of a cluster"
# Until a login that failed is tried again: those who waited for it would each wait for their own.
FAILURE_SECONDS = 3
_UNEXPECTED = (ConfigException, OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError)


class Access:
    """The present login; another one where it has ended or was refused. Threads may share it: kopf has its own."""

    def __init__(self, log_in: Callable[[], Login], source: str = "the login does not work", cure: str = "") -> None:
        """``source``, ``cure``: beginning and end of what is told where it does not work."""
        self._log_in = log_in
        self._source, self._cure = source, f" ({cure})" if cure else ""
        self._lock = threading.Lock()
        self._login: Login | None = None
        self._failure = ""
        self._failed = float("-inf")

    def current(self) -> Login | None:
        """Without waiting; None: it takes a login, which may take seconds."""
        login = self._login
        return None if login is None or login.due else login

    def login(self, refused: Login | None = None) -> Login:
        """Of those that were refused the same one at once, the first logs in, and its failure is that of all.

        Where files are read again and are broken, as in the middle of a change, the former login is kept until it ends.

        Raises:
            AccessUnknown: there is nothing to log in with, or it does not work
        """
        with self._lock:
            former = self._login
            if former is not None and former is not refused and not former.due:
                return former
            if not self._failure or time.monotonic() - self._failed >= FAILURE_SECONDS:
                self._try()
            if not self._failure and self._login is not None:
                return self._login
            if former is None or former is refused or former.ended:
                raise AccessUnknown(self._failure)
            return former

    def _try(self) -> None:
        try:
            self._login = self._log_in().prepared()
        except (AccessUnknown, NotUsable, *_UNEXPECTED) as error:
            self._failure, self._failed = self._told(error), time.monotonic()
            if self._login is not None:
                log.warning("the former login is kept, as long as it lasts: %s", self._failure)
        else:
            self._failure = ""

    def _told(self, error: Exception) -> str:
        """Other libraries' words may have whole entries in them, with their secrets: only ours are told."""
        if isinstance(error, AccessUnknown):
            return str(error)
        said = f"it is not formed as it should be ({type(error).__name__})"
        if isinstance(error, NotUsable):
            said = str(error)
        elif isinstance(error, OSError):
            said = ": ".join(str(part) for part in (error.filename, error.strerror) if part) or type(error).__name__
        return f"{self._source}: {said}{self._cure}"


def in_cluster(host: str, port: int, account: Path = ACCOUNT) -> Access:
    """The server is asked without a proxy: it is in the same network."""
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}

    def log_in_by_it() -> Login:
        token, authority = account / "token", account / "ca.crt"
        InClusterConfigLoader(str(token), str(authority), environ=environment).load_and_set(found := Configuration())
        return Login(
            found.host,
            # As the client reads it, a line's end would be in the header.
            authorization=bearer(token.read_text(), f"the token in {token}"),
            namespace=(account / "namespace").read_text().strip(),
            authority=authority.read_text(),
            reread=datetime.now(UTC) + timedelta(seconds=TOKEN_FILE_SECONDS),
        )

    def log_in_or_tell() -> Login:
        try:
            return log_in_by_it()
        except ConfigException as error:  # its words name what is missing, and nothing else
            raise NotUsable(str(error)) from None

    return Access(log_in_or_tell, f"{account} is not a usable service account", CURE)


def from_kubeconfig(paths: str, context: str = "") -> Access:
    """Of one file or several, as KUBECONFIG names them. ``context``: another one than the current."""
    return Access(lambda: log_in(paths, context), f"{paths} is not a usable kubeconfig")
