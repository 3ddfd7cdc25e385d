"""What a session is, how it is kept in a cookie, how it begins and how it is renewed."""

# ruff: noqa: S105 # tokens of tests are no secrets

import threading
from collections import Counter

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr, ValidationError

from slipway_chassis.errors import UpstreamUnavailable
from slipway_chassis.testing.clock import Clock
from storefront.adapters.cookies import Seal
from storefront.adapters.renewing import KEPT_SECONDS, Renewing
from storefront.application.sign_in import Fresh, begin, finish, new_session
from storefront.domain.session import Account, Session, SignIn, challenge, local_path
from storefront.errors import Late, NotSignedIn, SignInFailed
from storefront.settings import StorefrontSettings


def account(**changed):
    known = {"subject": "1", "name": "Ada", "access_token": "a", "refresh_token": "r", "expires_at": 1000.0}
    return Account(**known | changed)


def seal(*keys):
    return Seal(SecretStr(",".join(keys or (Fernet.generate_key().decode(),))))


# --- rules


def test_the_challenge_is_the_one_of_rfc_7636():
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "path", ["/", "/orders", "/orders?after=1", "/items/tea-green", "/items/caf%C3%A9", "/a?b=//c"]
)
def test_local_paths_are_followed(path):
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "orders", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "http://evil.example",
     "https:evil.example", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "/a\r\nSet-Cookie: b=c",
     " //evil.example", "/a b", "/" + "a" * 500, "/\x00", "/caf\u00e9"],
)  # fmt: skip
def test_all_other_paths_lead_home(path):
    assert local_path(path) == "/"


def test_a_form_is_of_the_session_that_made_it():
    session = new_session()

    assert session.made(session.form_token)
    assert not session.made(new_session().form_token)
    assert not session.made("")
    assert not session.made("\ud800")


def test_secrets_are_not_shown():
    shown = repr(
        (Session(form_token="secret", account=account(access_token="secret", refresh_token="secret")), begin("/"))
    )

    assert "secret" not in shown
    assert "verifier" not in shown


# --- cookies


def test_what_was_sealed_is_opened():
    keys = seal()
    session = new_session(account())

    assert keys.open(Session, keys.close(session), seconds=60) == session


@pytest.mark.parametrize("spoil", [lambda s: s[:-4] + "AAAA", lambda _: "", lambda _: "ä", lambda s: s[:40]])
def test_what_was_changed_is_not_opened(spoil):
    keys = seal()

    assert keys.open(Session, spoil(keys.close(new_session())), seconds=60) is None


def test_others_seals_and_other_kinds_are_not_opened():
    keys = seal()

    assert seal().open(Session, keys.close(new_session()), seconds=60) is None
    assert keys.open(SignIn, keys.close(new_session()), seconds=60) is None
    assert keys.open(Session, keys.close(begin("/")), seconds=60) is None


def test_what_is_too_old_is_not_opened():
    key = Fernet.generate_key()
    content = b'{"kind": "Session", "value": {"form_token": "t"}}'
    keys = seal(key.decode())

    assert keys.open(Session, Fernet(key).encrypt(content).decode(), seconds=60) == Session(form_token="t")
    assert keys.open(Session, Fernet(key).encrypt_at_time(content, 1_600_000_000).decode(), seconds=60) is None


def test_a_key_can_be_replaced_without_signing_anybody_out():
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    session = new_session(account())
    sealed = seal(old).close(session)

    assert seal(new, old).open(Session, sealed, seconds=60) == session
    assert seal(old).open(Session, seal(new, old).close(session), seconds=60) is None


def test_settings_refuse_a_secret_that_is_none():
    known = {"users_url": "http://u", "orders_url": "http://o", "inventory_target": "i:1", "public_url": "http://p/"}

    with pytest.raises(ValidationError, match="32 bytes in URL-safe base64"):
        StorefrontSettings(**known, session_secret="password")
    settings = StorefrontSettings(**known, session_secret=Fernet.generate_key().decode())
    assert (settings.public_url, settings.secure, settings.oauth_client_id) == ("http://p", False, "storefront")


# --- signing in


class Tokens:
    def exchange(self, code, sign_in):
        assert code == "c"
        return account()


def test_a_sign_in_ends_with_the_account_and_a_new_form_token():
    sign_in = begin("/orders")

    session = finish(Tokens(), sign_in, state=sign_in.state, code="c", error="")

    assert session.account == account()
    assert sign_in.back == "/orders"
    assert len({sign_in.state, sign_in.nonce, sign_in.verifier, session.form_token}) == 4
    assert 43 <= len(sign_in.verifier) <= 128  # RFC 7636, 4.1


@pytest.mark.parametrize(
    "changed", [{"state": "other"}, {"state": ""}, {"code": ""}, {"error": "access_denied"}, {"sign_in": None}]
)
def test_an_answer_that_is_not_to_this_sign_in_is_refused(changed):
    sign_in = begin("/")
    answer = {"sign_in": sign_in, "state": sign_in.state, "code": "c", "error": ""} | changed

    with pytest.raises(SignInFailed):
        finish(Tokens(), **answer)


# --- staying signed in


class Refresher:
    def __init__(self, answer):
        self.answer = answer
        self.asked = 0

    def refresh(self, known, *, within):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def fresh(answer, *, now):
    return Fresh(account(expires_at=1000.0), Refresher(answer), within=1, clock=lambda: now)


def test_a_token_that_is_good_for_a_while_is_kept():
    kept = fresh(account(access_token="new"), now=969)

    assert kept().access_token == "a"


def test_a_token_that_ends_soon_is_renewed():
    renewed = fresh(account(access_token="new"), now=971)

    assert renewed().access_token == "new"
    assert renewed.account.access_token == "new"
    assert not renewed.ended


@pytest.mark.parametrize("error", [Late("late"), UpstreamUnavailable("down")])
def test_while_the_issuer_is_away_a_valid_token_will_do(error):
    assert fresh(error, now=999)().access_token == "a"
    with pytest.raises(type(error)):
        fresh(error, now=1001)()


def test_a_refusal_ends_the_session_although_the_token_is_valid():
    refused = fresh(NotSignedIn("revoked"), now=980)

    with pytest.raises(NotSignedIn):
        refused()
    assert refused.ended


class Issuer:
    """Renews when it is let."""

    def __init__(self):
        self.asked = Counter()
        self.let = threading.Event()
        self.error = None

    def renew(self, known):
        self.asked[known.refresh_token] += 1
        assert self.let.wait(30)
        if self.error:
            raise self.error
        return account(access_token="new", refresh_token=f"after {known.refresh_token}")


@pytest.fixture(name="renewing")
def _renewing():
    clock, issuer = Clock(), Issuer()
    renewing = Renewing(issuer.renew, clock=clock)
    renewing.clock, renewing.issuer = clock, issuer
    yield renewing
    issuer.let.set()


def test_a_page_that_gave_up_finds_the_new_token_later_and_nobody_asks_twice(renewing):
    with pytest.raises(Late):
        renewing.refresh(account(), within=0)
    with pytest.raises(Late):
        renewing.refresh(account(), within=0)
    renewing.issuer.let.set()

    assert renewing.refresh(account(), within=30).access_token == "new"
    assert renewing.refresh(account(), within=30).access_token == "new"
    assert renewing.issuer.asked == {"r": 1}


def test_an_issuer_that_was_away_is_asked_again(renewing):
    renewing.issuer.let.set()
    renewing.issuer.error = UpstreamUnavailable("down")
    with pytest.raises(UpstreamUnavailable):
        renewing.refresh(account(), within=30)

    renewing.issuer.error = None

    assert renewing.refresh(account(), within=30).access_token == "new"


def test_a_refusal_stays_one(renewing):
    renewing.issuer.let.set()
    renewing.issuer.error = NotSignedIn("revoked")

    for _ in range(2):
        with pytest.raises(NotSignedIn):
            renewing.refresh(account(), within=30)
    assert renewing.issuer.asked == {"r": 1}


def test_answers_are_forgotten_after_a_while(renewing):
    renewing.issuer.let.set()
    renewing.refresh(account(), within=30)
    renewing.clock.advance(KEPT_SECONDS)
    renewing.refresh(account(refresh_token="another"), within=30)

    renewing.refresh(account(), within=30)

    assert renewing.issuer.asked == {"r": 2, "another": 1}


@pytest.mark.parametrize("signs_out", ["r", "after r", "after after r"])
def test_who_signs_out_gets_no_token_for_an_older_one(renewing, signs_out):
    """The line is forgotten from wherever it is held: another tab may have gone on."""
    renewing.issuer.let.set()
    line = ["r", "after r", "another"]
    for token in line:
        renewing.refresh(account(refresh_token=token), within=30)

    renewing.forget(account(refresh_token=signs_out))

    renewing.issuer.error = NotSignedIn("revoked")
    for token in ("r", "after r"):
        with pytest.raises(NotSignedIn):
            renewing.refresh(account(refresh_token=token), within=30)
    assert renewing.refresh(account(refresh_token="another"), within=30).access_token == "new"
