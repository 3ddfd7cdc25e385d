"""Asks a running service and compares its answers' status; what `helm test` runs inside the cluster.

Usage: python -m slipway_chassis.testing.ask URL 'GET /readyz 200' ['METHOD PATH STATUS' ...]
       python -m slipway_chassis.testing.ask grpc://HOST:PORT 'HEALTH / SERVING' ['HEALTH /SERVICE STATUS' ...]

Over https:// and grpcs:// it shows the certificate of TLS_CERTIFICATE_FILE, where there is one.
"""

import http.client
import ssl
import sys
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from ..certificates import TlsSettings
from ..config import load

# A Service answers some moments after its first pod is ready: until then every proxy refuses the connection.
ANSWER_TIMEOUT_SECONDS = 30.0
PAUSE_SECONDS = 0.5


def status_of(base_url: str, method: str, path: str) -> str:
    """The status of one answer; OSError or HTTPException when there is none."""
    address = urlsplit(base_url)
    if address.scheme in {"grpc", "grpcs"}:
        return health_of(address.netloc, path.removeprefix("/"), secured=address.scheme == "grpcs")
    connection = _connection(address.scheme, address.hostname or "", address.port)
    try:
        connection.request(method, path)
        return str(connection.getresponse().status)
    finally:
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme != "https":
        return http.client.HTTPConnection(host, port or 80, timeout=10)
    # Inside of the cluster the host has another name than in its certificate; nothing but a status is told here.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    settings = load(TlsSettings)
    if settings.tls_certificate_file:
        context.load_cert_chain(settings.tls_certificate_file, settings.tls_key_file)
    return http.client.HTTPSConnection(host, port or 443, timeout=10, context=context)


def health_of(address: str, service: str, *, secured: bool = False) -> str:
    """What a gRPC server says of one service, or of itself where none is named; ``secured``: over TLS."""
    # Here, since the gateway's image asks by HTTP alone and has no gRPC.
    import grpc  # noqa: PLC0415
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    from ..grpc.credentials import calling  # noqa: PLC0415

    opened = grpc.secure_channel(address, calling(load(TlsSettings)).current()) if secured else None
    with opened or grpc.insecure_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=10)
        except grpc.RpcError as error:
            raise ConnectionError(str(error)) from error
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def answer_within(base_url: str, method: str, path: str, timeout: float) -> str | Exception:
    """The status of the first answer; or why there was none in ``timeout`` seconds."""
    ends = time.monotonic() + timeout
    while True:
        try:
            return status_of(base_url, method, path)
        except (OSError, http.client.HTTPException) as error:
            if time.monotonic() >= ends:
                return error
        time.sleep(PAUSE_SECONDS)


def main(arguments: Sequence[str], timeout: float = ANSWER_TIMEOUT_SECONDS) -> int:
    """Asks each question (``METHOD PATH STATUS``) of the URL in front and prints what came; returns the exit code, 1 if
    an answer was another one, or none came within ``timeout`` seconds.
    """
    base_url, *questions = arguments
    wrong = 0
    for question in questions:
        method, path, expected = question.split()
        answered = answer_within(base_url, method, path, timeout)
        ok = answered == expected
        wrong += not ok
        said = f"no answer in {timeout:.0f} s: {answered}" if isinstance(answered, Exception) else answered
        sys.stdout.write(f"{'ok    ' if ok else 'WRONG '} {method} {path} → {said}, expected {expected}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:  # noqa: PLR2004
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
