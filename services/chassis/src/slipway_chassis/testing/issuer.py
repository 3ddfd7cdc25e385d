"""An issuer of tokens for tests: signs like a real one, publishes its keys over HTTP, and rotates them.

>>> from slipway_chassis.auth import Verifier
>>> from slipway_chassis.auth.keys import Keys
>>> issuer = FakeIssuer()
>>> verifier = Verifier(Keys(issuer.fetch), issuer=issuer.url, audience="shop")
>>> verifier.verify(issuer.token("ada", scopes=["orders:read"], audience="shop")).subject
'ada'
"""

import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey

from ..errors import KeysUnavailable


class FakeIssuer:
    """``max_age`` is what its key set says of how long to keep it, in seconds. ``fetches`` counts."""

    def __init__(
        self, *, audience: str = "test", max_age: int | None = 300, clock: Callable[[], float] = time.time
    ) -> None:
        self.audience = audience
        self.max_age = max_age
        self.fetches = 0
        self.away = False
        self._clock = clock
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.url = "http://issuer.test"
        self._server: ThreadingHTTPServer | None = None
        # The one before, the one in use, and the one to come: verifiers learn a key before it signs.
        self._keys = [self._new_key(), self._new_key(), self._new_key()]

    def _new_key(self) -> ECKey:
        return ECKey.generate_key("P-256", {"kid": f"key-{next(self._numbers)}", "use": "sig"})

    def rotate(self) -> None:
        """The key to come signs from now on, and a new one is announced."""
        with self._lock:
            self._keys = [*self._keys[1:], self._new_key()]

    @property
    def signing_key(self) -> ECKey:
        """The private key that signs now; the one before and the one to come are published beside it."""
        return self._keys[1]

    def token(
        self,
        subject: str = "ada",
        *,
        scopes: Sequence[str] = (),
        audience: str | None = None,
        lifetime: float = 300,
        header: dict[str, Any] | None = None,
        key: ECKey | OKPKey | None = None,
        **claims: Any,
    ) -> str:
        """A signed token; ``header``, ``key`` and further claims replace what would be right."""
        now = int(self._clock())
        key = key or self.signing_key
        payload = {
            "iss": self.url,
            "sub": subject,
            "aud": audience or self.audience,
            "iat": now,
            "exp": now + lifetime,
            "scope": " ".join(scopes),
        } | claims
        algorithm = "EdDSA" if isinstance(key, OKPKey) else "ES256"
        protected = {"alg": algorithm, "kid": key.kid, "typ": "JWT"} | (header or {})
        return jws.serialize_compact(protected, json.dumps(payload), key, algorithms=["ES256", "EdDSA"])

    def key_set(self) -> dict[str, Any]:
        """The public keys as a JWKS (RFC 7517)."""
        with self._lock:
            return {"keys": [key.as_dict(private=False) for key in self._keys]}

    def fetch(self) -> tuple[bytes, float | None]:
        """For ``Keys``, without HTTP."""
        self.fetches += 1
        if self.away:
            raise KeysUnavailable("the issuer is away")
        return json.dumps(self.key_set()).encode(), self.max_age

    def start(self) -> "FakeIssuer":
        """Serves ``/.well-known/jwks.json`` on a free port of 127.0.0.1; ``url`` is then its address."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                status = 503 if issuer.away else 200 if self.path == "/.well-known/jwks.json" else 404
                body = json.dumps(issuer.key_set() if status == 200 else {}).encode()  # noqa: PLR2004
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                if issuer.max_age is not None:
                    self.send_header("Cache-Control", f"max-age={issuer.max_age}")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Tests need no access log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="issuer", daemon=True).start()
        return self

    def stop(self) -> None:
        """Ends the server that ``start`` began; without one it does nothing."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
