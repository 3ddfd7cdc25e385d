"""Who may call over HTTP, by the certificate that a connection was opened with."""

import logging
import ssl
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from ..caller_names import names_of, refusal
from .problems import problem_json

log = logging.getLogger(__name__)
SOCKET = "gunicorn.socket"


class Callers:
    """One WSGI layer: 403 for a certificate without one of ``names``. Whoever has none could not connect."""

    def __init__(self, inner: WSGIApplication, names: frozenset[str]) -> None:
        self._inner = inner
        self._names = names

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        connection = environ.get(SOCKET)
        shown = connection.getpeercert(binary_form=True) if isinstance(connection, ssl.SSLSocket) else None
        if why := refusal(names_of(shown or b""), self._names):
            log.warning("refused %s %s: %s", environ["REQUEST_METHOD"], environ["PATH_INFO"], why)
            body, status = problem_json(403, why)
            headers = [("Content-Type", "application/problem+json"), ("Content-Length", str(len(body)))]
            start_response(status, headers)
            return [body]
        return self._inner(environ, start_response)
