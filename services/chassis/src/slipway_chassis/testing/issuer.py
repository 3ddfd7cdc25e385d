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
from joserfc.jwk import ECKey, OKPKey, RSAKey

from ..auth.keys import ALGORITHMS
from ..errors import KeysUnavailable

_SIGNED_BY = {ECKey: "ES256", OKPKey: "EdDSA", RSAKey: "RS256"}


class FakeIssuer:
    """``max_age`` is what its key set says of how long to keep it, in seconds. ``fetches`` counts."""

    def __init__(
        self, *, audience: str = "test", max_age: int | None = 300, clock: Callable[[], float] = time.time
    ) -> None:
        self.audience = audience
        self.max_age = max_age
        self.fetches = 0
        self.away = False
        self.description: Any = ...  # None: it describes itself nowhere
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
        key: ECKey | OKPKey | RSAKey | None = None,
        without: Sequence[str] = (),
        **claims: Any,
    ) -> str:
        """A signed token; ``header``, ``key`` and claims replace what would be right, ``without`` names claims to leave
        out.
        """
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
        payload = {name: value for name, value in payload.items() if name not in without}
        protected = {"alg": _SIGNED_BY[type(key)], "kid": key.kid, "typ": "JWT"} | (header or {})
        return jws.serialize_compact(protected, json.dumps(payload), key, algorithms=ALGORITHMS)

    def key_set(self) -> dict[str, Any]:
        """The public keys as a JWKS (RFC 7517)."""
        with self._lock:
            return {"keys": [key.as_dict(private=False) for key in self._keys]}

    def pages(self) -> dict[str, Any]:
        """What it serves, by path; a page that is None is not there."""
        keys_url = f"{self.url}/.well-known/jwks.json"
        told = {"issuer": self.url, "jwks_uri": keys_url} if self.description is ... else self.description
        return {"/.well-known/openid-configuration": told, "/.well-known/jwks.json": self.key_set()}

    def fetch(self) -> tuple[bytes, float | None]:
        """For ``Keys``, without HTTP."""
        self.fetches += 1
        if self.away:
            raise KeysUnavailable("the issuer is away")
        return json.dumps(self.key_set()).encode(), self.max_age

    def start(self) -> "FakeIssuer":
        """Serves its keys on a free port of 127.0.0.1, and says where they are as OpenID Connect Discovery wants it, or
        what ``description`` holds; ``url`` is then its address.
        """
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                found = issuer.pages().get(self.path)
                status = 503 if issuer.away else 404 if found is None else 200
                body = json.dumps(found or {}).encode()
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
