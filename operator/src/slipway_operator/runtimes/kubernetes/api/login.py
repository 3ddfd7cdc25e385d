"""What one login gave: where the API server is, and as whom to speak to it."""

import os
import ssl
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import wraps
from typing import Any


class NotUsable(Exception):
    """What is wrong with what a login is made of: the end of a sentence, without secrets. ``Access`` tells of what."""


@dataclass(frozen=True, slots=True)
class Login:
    """Two of them are equal when a request by one does what a request by the other does."""

    server: str  # https://host:port
    authorization: str | None = field(default=None, repr=False)  # the value of the header
    namespace: str = "default"
    authority: str | None = None  # PEM; None: those of the system
    insecure: bool = False
    server_name: str | None = None  # in the server's certificate, where it differs from the address
    proxy: str | None = field(default=None, repr=False)  # with its password
    certificate: str | None = None  # PEM
    key: str | None = field(default=None, repr=False)  # PEM
    impersonation: tuple[tuple[str, str], ...] = ()  # headers, of which one may come several times
    ends: datetime | None = field(default=None, compare=False)  # None: when it is refused
    reread: datetime | None = field(default=None, compare=False)  # when its files may have another one
    context: ssl.SSLContext | None = field(default=None, compare=False, repr=False)  # see ``prepared``

    @property
    def ended(self) -> bool:
        return _passed(self.ends)

    @property
    def due(self) -> bool:
        """It is time to log in again, though this one may still do."""
        return self.ended or _passed(self.reread)

    def headers(self) -> dict[str, str]:
        """Without those of impersonation, which belong to the connection."""
        return {"Authorization": self.authorization} if self.authorization else {}

    def same_connection(self, other: "Login | None") -> bool:
        """Whether connections of the other one serve this one as well."""
        return other is not None and replace(self, authorization=None) == replace(other, authorization=None)

    def prepared(self) -> "Login":
        """With its TLS, which takes time and may be wrong: threads and event loops may share it.

        Raises:
            NotUsable: a certificate or a key is not valid
        """
        return replace(self, context=self._tls())

    def tls(self) -> ssl.SSLContext:
        return self.context or self._tls()

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cadata=self.authority)
        except (ssl.SSLError, ValueError, TypeError) as error:
            raise NotUsable(f"the certificate of its authority is not valid{_reason(error)}") from None
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            with _file_of(f"{self.certificate}\n{self.key}") as path:
                _load(context, path)
        return _named(context, self.server_name) if self.server_name else context


def _load(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_cert_chain(path, password=lambda: b"")  # without it, OpenSSL would ask the terminal
    except (ssl.SSLError, ValueError) as error:
        raise NotUsable(
            f"its client certificate and key are not valid, don't belong together, or are encrypted{_reason(error)}"
        ) from None


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)  # a name of OpenSSL's, such as KEY_VALUES_MISMATCH
    return f" ({reason})" if reason else ""


def _passed(moment: datetime | None) -> bool:
    return moment is not None and datetime.now(UTC) >= moment


def _named(context: ssl.SSLContext, name: str) -> ssl.SSLContext:
    """Every connection by it asks for this name, whoever opens it: kopf can't be told of one."""
    wrap = context.wrap_bio

    @wraps(wrap)
    def wrap_named(*arguments: Any, **options: Any) -> ssl.SSLObject:
        return wrap(*arguments, **options | {"server_hostname": name})

    context.wrap_bio = wrap_named  # type: ignore[method-assign]
    return context


@contextmanager
def _file_of(text: str) -> Iterator[str]:
    """OpenSSL reads certificates from files alone. In memory, none is left behind, and a read-only disk will do."""
    if sys.platform == "linux":
        number = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(number, text.encode())
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
    else:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(text)
            file.flush()
            yield file.name
