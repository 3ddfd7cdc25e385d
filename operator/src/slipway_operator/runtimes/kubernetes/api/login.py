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


@dataclass(frozen=True, slots=True)
class Login:
    """Two of them are equal when a request by one does what a request by the other does."""

    server: str  # https://host:port
    authorization: str | None = field(default=None, repr=False)  # the value of the header
    namespace: str = "default"
    authority: str | None = None  # PEM; None: those of the system
    insecure: bool = False
    server_name: str | None = None  # in the server's certificate, where it differs from the address
    proxy: str | None = None
    certificate: str | None = None  # PEM
    key: str | None = field(default=None, repr=False)  # PEM
    ends: datetime | None = field(default=None, compare=False)  # when to log in again; None: when it is refused

    @property
    def ended(self) -> bool:
        return self.ends is not None and datetime.now(UTC) >= self.ends

    def headers(self) -> dict[str, str]:
        return {"Authorization": self.authorization} if self.authorization else {}

    def same_connection(self, other: "Login | None") -> bool:
        """Whether connections of the other one serve this one as well."""
        return other is not None and replace(self, authorization=None) == replace(other, authorization=None)

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            with _file_of(f"{self.certificate}\n{self.key}") as path:
                context.load_cert_chain(path)
        return _named(context, self.server_name) if self.server_name else context


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
