"""TLS between services: one certificate says who a process is, to those who call it and to those whom it calls.

Files are those of a Secret of type kubernetes.io/tls, as cert-manager writes it. They are renewed in their place, and
what is made of them is made anew for the next connection; those that are open go on.
"""

import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from .errors import ConfigurationError

log = logging.getLogger(__name__)
Made = TypeVar("Made")
TRY_AGAIN_SECONDS = 1.0


class TlsSettings(BaseModel):
    """With a certificate, HTTP and gRPC are answered over TLS alone; with authorities beside it, only to callers that
    show a certificate of theirs (mutual TLS). Health and metrics stay in plain text, on their own port.
    """

    tls_certificate_file: str = Field(default="", description="file in PEM with the certificate that says who this is")
    tls_key_file: str = Field(default="", description="file in PEM with the key of TLS_CERTIFICATE_FILE")
    tls_ca_file: str = Field(
        default="",
        description="file in PEM with the authorities of callers, and of services that are called beside the system's",
    )
    tls_callers: str = Field(
        default="",
        max_length=10_000,
        pattern=r"^\s*([^\s,]+\s*(,\s*[^\s,]+\s*)*)?$",
        description="names of certificates that may call, with commas between; default: any of the authorities",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        files = {
            "TLS_CERTIFICATE_FILE": self.tls_certificate_file,
            "TLS_KEY_FILE": self.tls_key_file,
            "TLS_CA_FILE": self.tls_ca_file,
        }
        if bool(self.tls_certificate_file) != bool(self.tls_key_file):
            raise ValueError("TLS_CERTIFICATE_FILE and TLS_KEY_FILE belong together: set both, or none")
        if self.tls_callers and not (self.tls_certificate_file and self.tls_ca_file):
            raise ValueError(
                "TLS_CALLERS is set, and nobody is asked for a certificate: set TLS_CERTIFICATE_FILE, TLS_KEY_FILE and "
                "TLS_CA_FILE, or remove TLS_CALLERS"
            )
        for name, value in files.items():
            if value and not Path(value).is_file():
                raise ValueError(f"{name} is wrong: there is no file {value}")
        return self

    @property
    def files(self) -> list[Path]:
        """Those that are set."""
        return [Path(each) for each in (self.tls_certificate_file, self.tls_key_file, self.tls_ca_file) if each]

    @property
    def callers(self) -> frozenset[str]:
        """Names of certificates that may call; empty: all of the authorities."""
        return frozenset(each.strip() for each in self.tls_callers.split(",") if each.strip())


class Renewed(Generic[Made]):
    """What ``make`` makes of files; made anew, once, when one of them is another. Files that do not belong together,
    because they are just being renewed, leave it as it was; it is tried again when they are others, and each second.

    ``current`` raises what ``make`` raises, the first time alone. Threads may ask at the same time.
    """

    def __init__(
        self, files: Iterable[Path], make: Callable[[], Made], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._files = list(files)
        self._make = make
        self._clock = clock
        self._making = threading.Lock()
        self._again = math.inf  # when what could not be used is tried again
        self._seen, self._made = self._state(), make()

    def current(self) -> Made:
        """Costs a stat for each file."""
        if self._state() != self._seen or self._clock() >= self._again:
            with self._making:
                self._renew()
        return self._made

    def _renew(self) -> None:
        seen = self._state()
        if seen == self._seen and self._clock() < self._again:
            return  # another thread was here
        failed = self._again != math.inf and seen == self._seen
        try:
            self._made = self._make()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            self._again = self._clock() + TRY_AGAIN_SECONDS
            if not failed:
                log.warning("renewed certificates can't be used yet, the former ones stay: %s", error)
        else:
            self._again = math.inf
            log.info("renewed certificates are in use")
        self._seen = seen

    def _state(self) -> list[tuple[int, ...] | None]:
        return [_identity(file) for file in self._files]


def _identity(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()  # behind the symbolic links that the kubelet turns
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def renewed(settings: TlsSettings, make: Callable[[], Made]) -> Renewed[Made]:
    """Of the files of ``settings``; ConfigurationError where they can't be used."""
    try:
        return Renewed(settings.files, make)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"TLS_CERTIFICATE_FILE, TLS_KEY_FILE or TLS_CA_FILE can't be used: {error}") from error


def load_into(context: ssl.SSLContext, settings: TlsSettings) -> ssl.SSLContext:
    """The context with the certificate and the authorities; OSError where they do not belong together."""
    if settings.tls_certificate_file:
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
    if settings.tls_ca_file:
        context.load_verify_locations(settings.tls_ca_file)
    return context


def serving(settings: TlsSettings) -> Renewed[ssl.SSLContext] | None:
    """What HTTP is served with; None where there is no certificate. ConfigurationError for files that can't be used."""
    if not settings.tls_certificate_file:
        return None

    def make() -> ssl.SSLContext:
        context = load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), settings)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.tls_ca_file:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    return renewed(settings, make)


def calling(settings: TlsSettings) -> Renewed[ssl.SSLContext]:
    """What services are called with over https: the system's authorities and TLS_CA_FILE are believed.
    ConfigurationError for files that can't be used.
    """
    return renewed(settings, lambda: load_into(ssl.create_default_context(), settings))
