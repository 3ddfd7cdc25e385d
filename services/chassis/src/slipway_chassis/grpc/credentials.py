"""TLS of gRPC, with certificates that are renewed in their place."""

import math
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import grpc

from ..certificates import Renewed, TlsSettings, load_into, renewed

# A server gives streams that long after its connection's age (grpc.server CONNECTION_GRACE_MS).
STREAM_SECONDS = 335.0
# Both take less than a millisecond; once for each renewal.
HANDSHAKE_BEGINS_SECONDS, EXCHANGE_SECONDS = 0.05, 0.25


def serving(settings: TlsSettings) -> grpc.ServerCredentials | None:
    """What gRPC is served with; None where there is no certificate. Each new connection gets the files of then."""
    if not settings.tls_certificate_file:
        return None

    def make() -> grpc.ServerCertificateConfiguration:
        authorities, key, certificate = _read(settings)
        return grpc.ssl_server_certificate_configuration([(key, certificate)], authorities)

    each = renewed(settings, make)
    first = each.current()
    return grpc.dynamic_ssl_server_credentials(
        first, _Changed(each, first), require_client_authentication=bool(settings.tls_ca_file)
    )


class _Changed:
    """The configuration when it is another one than before, else None, as gRPC asks at each handshake.

    gRPC exchanges what it makes of it without a lock: a handshake that uses the former one in that moment would end the
    process. So those that have asked get the time to be done with it, and those that come wait until it is exchanged.
    """

    def __init__(
        self, each: Renewed[grpc.ServerCertificateConfiguration], given: grpc.ServerCertificateConfiguration
    ) -> None:
        self._renewed, self._given = each, given
        self._giving = threading.Lock()
        self._exchanged = -math.inf

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        with self._giving:
            time.sleep(max(0.0, self._exchanged - time.monotonic()))
            made = self._renewed.current()
            if made is self._given:
                return None
            time.sleep(HANDSHAKE_BEGINS_SECONDS)
            self._given, self._exchanged = made, time.monotonic() + EXCHANGE_SECONDS
            return made


def calling(settings: TlsSettings) -> Renewed[grpc.ChannelCredentials]:
    """What services are called with; TLS_CA_FILE takes the place of gRPC's own authorities."""
    return renewed(settings, lambda: grpc.ssl_channel_credentials(*_read(settings)))


def _read(settings: TlsSettings) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Authorities, key and certificate. OSError where they do not belong together: gRPC takes whatever it gets."""
    names = (settings.tls_ca_file, settings.tls_key_file, settings.tls_certificate_file)
    read = [Path(name).read_bytes() if name else None for name in names]
    load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), settings)
    if read != [Path(name).read_bytes() if name else None for name in names]:
        raise OSError("they were exchanged while they were read")
    authorities, key, certificate = read
    return authorities, key, certificate


class RenewedChannel(grpc.Channel):  # type: ignore[misc] # grpc has no types
    """Opens another channel when the certificates are others: one keeps those that it was made with.

    Former ones stay for the calls and streams that they have, ``STREAM_SECONDS``, after which no server keeps one.
    """

    def __init__(
        self, credentials: Renewed[grpc.ChannelCredentials], open_with: Callable[[grpc.ChannelCredentials], Any]
    ) -> None:
        self._credentials = credentials
        self._open = open_with
        self._lock = threading.Lock()
        self._used = credentials.current()
        self._channel = open_with(self._used)
        self._former: list[tuple[float, Any]] = []

    def current(self) -> Any:
        """The channel of the certificates that are there now."""
        if self._credentials.current() is not self._used:
            with self._lock:
                credentials = self._credentials.current()
                if credentials is not self._used:
                    self._close_former(time.monotonic())
                    self._former.append((time.monotonic() + STREAM_SECONDS, self._channel))
                    self._used, self._channel = credentials, self._open(credentials)
        return self._channel

    def unary_unary(self, *args: Any, **more: Any) -> "_Renewing":
        return _Renewing(self, lambda channel: channel.unary_unary(*args, **more))

    def unary_stream(self, *args: Any, **more: Any) -> "_Renewing":
        return _Renewing(self, lambda channel: channel.unary_stream(*args, **more))

    def stream_unary(self, *args: Any, **more: Any) -> "_Renewing":
        return _Renewing(self, lambda channel: channel.stream_unary(*args, **more))

    def stream_stream(self, *args: Any, **more: Any) -> "_Renewing":
        return _Renewing(self, lambda channel: channel.stream_stream(*args, **more))

    def subscribe(self, callback: Callable[..., Any], try_to_connect: bool = False) -> None:  # noqa: FBT001, FBT002
        self.current().subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[..., Any]) -> None:
        self.current().unsubscribe(callback)

    def close(self) -> None:
        self._close_former(math.inf)
        self._channel.close()

    def _close_former(self, now: float) -> None:
        for until, channel in self._former:
            if until <= now:
                channel.close()
        self._former = [each for each in self._former if each[0] > now]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Renewing:
    """One method of a stub, on the channel of now."""

    def __init__(self, renewed: RenewedChannel, bind: Callable[[Any], Any]) -> None:
        self._renewed = renewed
        self._bind = bind
        channel = renewed.current()
        self._bound = channel, bind(channel)

    def _method(self) -> Any:
        channel = self._renewed.current()
        bound_to, method = self._bound
        if bound_to is not channel:
            method = self._bind(channel)
            self._bound = channel, method
        return method

    def __call__(self, *args: Any, **more: Any) -> Any:
        return self._method()(*args, **more)

    def with_call(self, *args: Any, **more: Any) -> Any:
        return self._method().with_call(*args, **more)

    def future(self, *args: Any, **more: Any) -> Any:
        return self._method().future(*args, **more)
