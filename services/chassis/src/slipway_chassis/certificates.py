"""TLS between services: one certificate says who a process is, to those who call it and to those whom it calls.

Files are those of a Secret of type kubernetes.io/tls, as cert-manager writes it. They are renewed in their place, and
what is made of them is made anew for the next connection; those that are open go on.
"""

import logging
import ssl
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel, Field, model_validator

log = logging.getLogger(__name__)
Made = TypeVar("Made")


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
    """What ``make`` makes of files; made anew when one of them is another. Files that do not belong together, because
    they are just being renewed, leave it as it was.

    ``current`` raises what ``make`` raises, the first time alone. Threads may ask at the same time.
    """

    def __init__(self, files: Iterable[Path], make: Callable[[], Made]) -> None:
        self._files = list(files)
        self._make = make
        self._seen, self._made = self._state(), make()

    def current(self) -> Made:
        """Costs a stat for each file."""
        seen = self._state()
        if seen != self._seen:
            try:
                self._made = self._make()
            except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
                log.warning("renewed certificates can't be used yet, the former ones stay: %s", error)
            else:
                log.info("renewed certificates are in use")
            self._seen = seen
        return self._made

    def _state(self) -> list[tuple[int, int, int] | None]:
        return [_identity(file) for file in self._files]


def _identity(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()  # behind the symbolic links that the kubelet turns
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def serving(settings: TlsSettings) -> Renewed[ssl.SSLContext] | None:
    """What HTTP is served with; None where there is no certificate. OSError for files that are none in PEM."""
    if not settings.tls_certificate_file:
        return None

    def make() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
        if settings.tls_ca_file:
            context.load_verify_locations(settings.tls_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    return Renewed(settings.files, make)


def calling(settings: TlsSettings) -> Renewed[ssl.SSLContext]:
    """What services are called with over https: the system's authorities and TLS_CA_FILE are believed."""

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context()
        if settings.tls_ca_file:
            context.load_verify_locations(settings.tls_ca_file)
        if settings.tls_certificate_file:
            context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
        return context

    return Renewed(settings.files, make)


def names_of(certificate: Mapping[str, Any] | None) -> list[str]:
    """The names of a peer's certificate, as ``SSLSocket.getpeercert`` gives it: those of DNS, and URIs (SPIFFE)."""
    alternatives = (certificate or {}).get("subjectAltName", ())
    return [value for kind, value in alternatives if kind in {"DNS", "URI"}]


def refusal(names: Iterable[str], callers: frozenset[str]) -> str:
    """Why who has a certificate with these names may not call; empty where they may."""
    names = sorted(set(names))
    if not callers or callers.intersection(names):
        return ""
    shown = ", ".join(names)[:500] or "no name"
    return f"The certificate of the caller says {shown}, which is not among TLS_CALLERS."
