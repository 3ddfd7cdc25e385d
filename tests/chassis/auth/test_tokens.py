"""Tokens: good ones pass, each kind of bad one is refused for its own reason, and the issuer is left in peace."""

import base64
import hmac
import itertools
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys, discovered_fetch, http_fetch, parse_key_set
from slipway_chassis.errors import ConfigurationError, InvalidToken, KeysUnavailable
from slipway_chassis.http import Api, Output, current_principal
from slipway_chassis.resources import Resources
from slipway_chassis.service import service
from slipway_chassis.testing.clock import Clock
from slipway_chassis.testing.issuer import FakeIssuer


@pytest.fixture(name="clock")
def _clock():
    return Clock(1_000.0)


@pytest.fixture(name="keys")
def _keys(issuer, clock):
    return Keys(issuer.fetch, clock=clock)


@pytest.fixture(name="verifier")
def _verifier(issuer, keys):
    return Verifier(keys, issuer=issuer.url, audience="test")


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(issuer):
    body = issuer.token().split(".")[1]
    return f"{part({'alg': 'none', 'kid': issuer.signing_key.kid})}.{body}."


def signed_with_the_public_key(issuer):
    """The classic: HS256 with the published key as the secret."""
    public = issuer.signing_key.as_pem(private=False)
    signed = f"{part({'alg': 'HS256', 'kid': issuer.signing_key.kid})}.{issuer.token().split('.')[1]}"
    digest = hmac.new(public, signed.encode(), "sha256").digest()
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def with_header(issuer, **more):
    _, body, signature = issuer.token().split(".")
    return f"{part({'alg': 'ES256', 'kid': issuer.signing_key.kid} | more)}.{body}.{signature}"


def with_kid(issuer, kid):
    _, body, signature = issuer.token().split(".")
    return f"{part({'alg': 'ES256', 'kid': kid} if kid else {'alg': 'ES256'})}.{body}.{signature}"


def tampered(issuer):
    head, body, signature = issuer.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    return f"{head}.{part(claims | {'sub': 'root'})}.{signature}"


BAD = {
    "unsigned": (unsigned, "algorithm"),
    "HS256 with the public key": (signed_with_the_public_key, "algorithm"),
    "tampered": (tampered, "signature"),
    "signed by somebody else": (
        lambda i: i.token(key=ECKey.generate_key("P-256", {"kid": i.signing_key.kid})),
        "signature",
    ),
    "expired": (lambda i: i.token(lifetime=-31), "expired"),
    "without expiry": (lambda i: i.token(exp=None), "expired"),
    "expiry as text": (lambda i: i.token(exp="never"), "expired"),
    "expiry beyond time": (lambda i: i.token(exp=1e300), "expired"),
    "not yet valid": (lambda i: i.token(nbf=time.time() + 31), "not_yet"),
    "another issuer": (lambda i: i.token(iss="http://evil.test"), "issuer"),
    "another audience": (lambda i: i.token(audience="others"), "audience"),
    "no subject": (lambda i: i.token(sub=""), "malformed"),
    "unknown key": (lambda i: i.token(header={"kid": "made-up"}), "unknown_key"),
    "no key id": (lambda i: with_kid(i, None), "malformed"),
    "a key id that is no text": (lambda i: with_kid(i, 7), "malformed"),
    "a strange critical header": (lambda i: with_header(i, crit=5), "signature"),
    "a logout token": (lambda i: i.token(header={"typ": "logout+jwt"}), "type"),
    "a type that is no text": (lambda i: with_header(i, typ=7), "type"),
    "empty": (lambda _: "", "malformed"),
    "no token": (lambda _: "abc", "malformed"),
    "two dots": (lambda _: "..", "malformed"),
    "deep": (lambda _: f"{base64.urlsafe_b64encode(b'[' * 5000).decode()}.e30.e30", "malformed"),
    "huge": (lambda _: "x" * 100_000, "malformed"),
    "not ASCII": (lambda _: "ü.ü.ü", "malformed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_with_its_reason(verifier, issuer, name):
    make, reason = BAD[name]

    with pytest.raises(InvalidToken) as refused:
        verifier.verify(make(issuer))

    assert refused.value.reason == reason


@given(
    st.text(max_size=200)
    | st.from_regex(r"[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}", fullmatch=True)
)
def test_any_text_is_a_token_or_an_invalid_one(text):
    issuer = FakeIssuer()
    with pytest.raises(InvalidToken):
        Verifier(Keys(issuer.fetch), issuer=issuer.url, audience="test").verify(text)


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "AT+JWT", "JWT"])
def test_both_kinds_of_access_tokens_are_taken_and_a_strict_verifier_takes_one(verifier, keys, issuer, kind):
    token = issuer.token("ada", header={"typ": kind})
    strict = Verifier(keys, issuer=issuer.url, audience="test", types=["at+jwt"])

    assert verifier.verify(token).subject == "ada"
    if kind != "JWT":
        assert strict.verify(token).subject == "ada"
        return
    with pytest.raises(InvalidToken, match=r"none of the types at\+jwt"):
        strict.verify(token)


@pytest.fixture(scope="module", name="key")
def _key():
    return RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})


class TestRsa:
    """What most identity providers sign with."""

    def verifier(self, issuer, key, **more):
        published = {"keys": [key.as_dict(private=False) | more]}
        keys = Keys(lambda: (json.dumps(published).encode(), None))
        return Verifier(keys, issuer=issuer.url, audience="test")

    @pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
    def test_tokens_are_taken(self, issuer, key, algorithm):
        token = issuer.token("ada", key=key, header={"alg": algorithm})

        assert self.verifier(issuer, key).verify(token).subject == "ada"

    @pytest.mark.parametrize("claims", [{"scp": ["orders:read"]}, {"scp": "orders:read"}, {"scope": "orders:read"}])
    def test_scopes_are_found_where_issuers_put_them(self, issuer, key, claims):
        token = issuer.token("ada", key=key, without=() if "scope" in claims else ("scope",), **claims)

        assert self.verifier(issuer, key).verify(token).scopes == {"orders:read"}

    @pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS512", "HS256"])
    def test_a_key_signs_by_its_own_algorithms_alone(self, issuer, key, algorithm):
        head, body, signature = issuer.token("ada", key=key).split(".")
        renamed = part(json.loads(base64.urlsafe_b64decode(head + "==")) | {"alg": algorithm})

        with pytest.raises(InvalidToken):
            self.verifier(issuer, key).verify(f"{renamed}.{body}.{signature}")

    @pytest.mark.filterwarnings("ignore:Key size should be")
    @pytest.mark.parametrize(
        ("bits", "changed"), [(1024, {}), (2048, {"use": "enc"}), (2048, {"alg": "RSA-OAEP"}), (2048, {"e": "A" * 99})]
    )
    def test_keys_that_are_short_or_for_something_else_are_no_keys(self, issuer, bits, changed):
        key = RSAKey.generate_key(bits, {"kid": "rsa"})

        with pytest.raises(InvalidToken) as refused:
            self.verifier(issuer, key, **changed).verify(issuer.token(key=key))

        assert refused.value.reason == "unknown_key"


def test_an_access_token_is_no_identity_token(verifier, issuer):
    with pytest.raises(InvalidToken):
        verifier.for_audience("test").verify(issuer.token("ada", header={"typ": "at+jwt"}))


def test_a_good_token_says_who_and_what(verifier, issuer):
    principal = verifier.verify(issuer.token("ada", scopes=["orders:read", "orders:write"]))

    assert principal.subject == "ada"
    assert principal.scopes == {"orders:read", "orders:write"}


def test_clocks_may_differ_by_the_leeway(verifier, issuer):
    assert verifier.verify(issuer.token(lifetime=-29))
    assert verifier.verify(issuer.token(nbf=time.time() + 29))


def test_ed25519_is_taken_too(issuer, verifier):
    key = OKPKey.generate_key("Ed25519", {"kid": "ed"})
    issuer._keys.append(key)

    assert verifier.verify(issuer.token(key=key)).subject == "ada"


class TestKeys:
    def test_rotation_with_overlap_costs_no_token(self, verifier, issuer, keys, clock):
        for _ in range(5):
            keys._try_fetch("refresh")  # what the background thread does when the set's age is over
            issuer.rotate()
            assert verifier.verify(issuer.token())

    def test_a_rotation_that_came_early_is_found_by_its_unknown_key(self, verifier, issuer):
        verifier.verify(issuer.token())
        for _ in range(3):
            issuer.rotate()  # the key in use was never announced to us

        assert verifier.verify(issuer.token())
        assert issuer.fetches == 2

    def test_a_flood_of_unknown_keys_makes_two_fetches_a_minute(self, verifier, issuer, clock):
        verifier.verify(issuer.token())
        before = issuer.fetches
        for minute in range(3):
            for number in range(200):
                with pytest.raises(InvalidToken):
                    verifier.verify(issuer.token(header={"kid": f"{minute}-{number}"}))
            assert issuer.fetches - before == 2 * (minute + 1)
            clock.advance(61)

    def test_a_flood_from_many_threads_is_no_more(self, verifier, issuer):
        verifier.verify(issuer.token())

        def flood(name):
            for number in range(50):
                with pytest.raises(InvalidToken):
                    verifier.verify(issuer.token(header={"kid": f"{name}-{number}"}))

        threads = [threading.Thread(target=flood, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert issuer.fetches <= 3

    def test_an_early_rotation_refuses_no_thread_and_costs_one_fetch(self, issuer):
        fetch = issuer.fetch

        def slow():
            time.sleep(0.1)
            return fetch()

        keys = Keys(slow)
        verifier = Verifier(keys, issuer=issuer.url, audience="test")
        verifier.verify(issuer.token())
        for _ in range(3):
            issuer.rotate()
        subjects = []
        threads = [
            threading.Thread(target=lambda: subjects.append(verifier.verify(issuer.token()).subject)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert subjects == ["ada"] * 8
        assert issuer.fetches == 2

    def test_threads_share_a_fetch_that_failed(self, issuer):
        issuer.away = True
        keys = Keys(issuer.fetch, clock=Clock(100.0))
        for _ in range(20):
            with pytest.raises(KeysUnavailable):
                keys.find("key-2")

        assert issuer.fetches == 1

    def test_known_keys_stay_in_use_while_the_issuer_is_away(self, verifier, issuer, keys):
        token = issuer.token()
        verifier.verify(token)
        issuer.away = True

        keys._try_fetch("refresh")

        assert verifier.verify(issuer.token("bob")).subject == "bob"

    def test_before_the_first_fetch_it_is_unavailable_and_says_so(self, verifier, issuer, keys):
        issuer.away = True

        with pytest.raises(KeysUnavailable):
            verifier.verify(issuer.token())
        with pytest.raises(KeysUnavailable):
            keys.usable()

    def test_a_withdrawn_key_is_not_trusted_even_for_remembered_tokens(self, verifier, issuer, keys):
        token = issuer.token()
        verifier.verify(token)
        for _ in range(3):
            issuer.rotate()

        keys._try_fetch("refresh")

        with pytest.raises(InvalidToken):
            verifier.verify(token)

    def test_keys_that_could_sign_are_passed_over(self, issuer):
        symmetric = OctKey.generate_key(256, {"kid": "oct"}).as_dict()
        rsa = {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"}
        broken = {"kty": "EC", "crv": "P-256", "kid": "broken", "x": "!", "y": "!"}
        body = json.dumps({"keys": ["no key", 7, None, symmetric, rsa, broken, *issuer.key_set()["keys"]]}).encode()

        assert set(parse_key_set(body)) == {"key-1", "key-2", "key-3"}

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"keys": 7}', b"\xff", b"[" * 100_000])
    def test_what_is_no_key_set_is_said(self, body):
        with pytest.raises(KeysUnavailable, match="no key set"):
            parse_key_set(body)

    def test_keys_come_over_http_and_are_refreshed_in_the_background(self, eventually):
        issuer = FakeIssuer(max_age=5).start()
        keys = Keys(discovered_fetch(issuer.url))
        keys.start()
        try:
            eventually(lambda: keys.known("key-1"))
            for _ in range(2):
                issuer.rotate()
            eventually(lambda: keys.known("key-5"), within=30)
            issuer.away = True
            assert keys.find("key-5")
        finally:
            keys.close()
            issuer.stop()

    def test_an_issuer_that_describes_itself_nowhere_has_them_at_the_usual_place(self):
        issuer = FakeIssuer().start()
        issuer.description = None
        try:
            assert set(parse_key_set(discovered_fetch(issuer.url)()[0])) == {"key-1", "key-2", "key-3"}
        finally:
            issuer.stop()

    @pytest.mark.parametrize(
        ("description", "sentence"),
        [
            ({"issuer": "http://evil.test", "jwks_uri": "http://evil.test/keys"}, "AUTH_ISSUER must be that"),
            ({"issuer": "{url}", "jwks_uri": "file:///etc/passwd"}, "no safe address"),
            ({"issuer": "{url}", "jwks_uri": 7}, "no safe address"),
            ({"issuer": "{url}"}, "does not describe itself"),
            (["no", "description"], "does not describe itself"),
        ],
    )
    def test_a_description_that_leads_astray_is_not_followed(self, description, sentence):
        issuer = FakeIssuer().start()
        issuer.description = json.loads(json.dumps(description).replace("{url}", issuer.url))
        try:
            with pytest.raises(KeysUnavailable, match=sentence):
                discovered_fetch(issuer.url)()
        finally:
            issuer.stop()

    def test_https_is_not_left_for_plain_text(self, monkeypatch):
        described = json.dumps({"issuer": "https://i.test", "jwks_uri": "http://i.test/keys"}).encode()
        monkeypatch.setattr("slipway_chassis.auth.keys._get", lambda _: (200, described, ""))

        with pytest.raises(KeysUnavailable, match="no safe address"):
            discovered_fetch("https://i.test")()

    def test_each_fetch_opens_its_own_connection(self):
        """One kept from before the Service had rules stays with a stranger who answers 404 for ever."""

        class Stranger(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # keeps connections
            connections = itertools.count(1)

            def setup(self):
                super().setup()
                self.number = next(self.connections)

            def do_GET(self):
                body = b'{"keys": []}' if self.number > 1 else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            fetch = http_fetch(f"http://127.0.0.1:{server.server_port}/keys")
            try:
                with pytest.raises(KeysUnavailable, match="404"):
                    fetch()
                assert fetch() == (b'{"keys": []}', None)
            finally:
                server.shutdown()


class Who(Output):
    subject: str


@pytest.fixture(name="guarded")
def _guarded():
    api = Api("v1")

    @api.get("/v1/me", scopes=["profile:read"])
    def me() -> Who:
        return Who(subject=current_principal().subject)

    return service("guarded", apis=[api])


class TestScopes:
    def ask(self, guarded, verifier, authorization=None):
        headers = {"Authorization": authorization} if authorization is not None else {}
        return guarded.build_app(Resources(verifier=verifier)).test_client().get("/v1/me", headers=headers)

    def test_the_scope_opens_the_route(self, guarded, verifier, issuer):
        answer = self.ask(guarded, verifier, f"Bearer {issuer.token('ada', scopes=['profile:read'])}")

        assert (answer.status_code, answer.get_json()) == (200, {"subject": "ada"})

    @pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi", "token"])
    def test_without_a_token_it_is_401_and_names_the_header(self, guarded, verifier, authorization):
        answer = self.ask(guarded, verifier, authorization)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "Authorization: Bearer TOKEN" in answer.get_json(force=True)["detail"]

    def test_an_expired_token_is_401_and_says_why(self, guarded, verifier, issuer):
        answer = self.ask(guarded, verifier, f"Bearer {issuer.token(lifetime=-60)}")

        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert "expired" in answer.get_json(force=True)["detail"]

    def test_without_the_scope_it_is_403_and_names_it(self, guarded, verifier, issuer):
        answer = self.ask(guarded, verifier, f"Bearer {issuer.token(scopes=['orders:read'])}")

        assert answer.status_code == 403
        assert "profile:read" in answer.get_json(force=True)["detail"]

    def test_an_issuer_that_was_never_reached_is_503(self, guarded, verifier, issuer):
        issuer.away = True

        assert self.ask(guarded, verifier, f"Bearer {issuer.token()}").status_code == 503

    def test_a_guarded_route_without_an_issuer_is_refused_at_start(self, guarded):
        with pytest.raises(ConfigurationError, match="AUTH_ISSUER is not set, and GET /v1/me needs a token"):
            guarded.build_app()
