"""Chooses how to log in to the API server: by a service account's files, or by a kubeconfig."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from ....errors import AccessUnknown
from .kubeconfig import TOKEN_FILE_SECONDS, log_in
from .login import Login

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CURE = "set automountServiceAccountToken, or KUBECONFIG outside of a cluster"


class Access:
    """The present login; another one where it has ended or was refused. Threads may share it: kopf has its own."""

    def __init__(self, log_in: Callable[[], Login]) -> None:
        self._log_in = log_in
        self._lock = threading.Lock()
        self._login: Login | None = None

    def current(self) -> Login | None:
        """Without waiting; None: it takes a login, which may take seconds."""
        login = self._login
        return None if login is None or login.ended else login

    def login(self, refused: Login | None = None) -> Login:
        """Of those that were refused the same one at once, the first logs in.

        Raises:
            AccessUnknown: there is nothing to log in with, or it does not work
        """
        with self._lock:
            if self._login is None or self._login is refused or self._login.ended:
                self._login = self._log_in()
            return self._login


def in_cluster(host: str, port: int, account: Path = ACCOUNT) -> Access:
    """The server is asked without a proxy: it is in the same network."""
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}

    def log_in() -> Login:
        loader = InClusterConfigLoader(str(account / "token"), str(account / "ca.crt"), environ=environment)
        try:
            loader.load_and_set(found := Configuration())
            return Login(
                found.host,
                # As the client reads it, a line's end would be in the header.
                authorization=f"Bearer {(account / 'token').read_text().strip()}",
                namespace=(account / "namespace").read_text().strip(),
                authority=(account / "ca.crt").read_text(),
                ends=datetime.now(UTC) + timedelta(seconds=TOKEN_FILE_SECONDS),
            )
        except (ConfigException, OSError) as error:
            raise AccessUnknown(f"{account} is not a usable service account: {error} ({CURE})") from None

    return Access(log_in)


def from_kubeconfig(paths: str, context: str = "") -> Access:
    """Of one file or several, as KUBECONFIG names them. ``context``: another one than the current."""

    def log_in_by_it() -> Login:
        try:
            return log_in(paths, context)
        except (ConfigException, OSError, yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError) as error:
            said = error.args[0] if isinstance(error, KeyError) else error
            raise AccessUnknown(f"{paths} is not a usable kubeconfig: {said}") from None

    return Access(log_in_by_it)
