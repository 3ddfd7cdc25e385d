"""OAuth2 and OpenID Connect as a client sees them: code with PKCE, refresh with rotation, signed assertions."""

import base64
import hashlib
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import delete, select, update

from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys
from users.adapters.authorization import forget_expired
from users.adapters.tables import authorization_codes, refresh_tokens, sign_in_failures, token_families
from users.adapters.token_families import hashed
from users.bootstrap import SERVICE
from users.entrypoints.timers import TIMERS

from .conftest import CALLBACK, SHOP

pytestmark = pytest.mark.integration
PASSWORD = "correct horse battery"  # noqa: S105 # of nobody
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ASK = {
    "response_type": "code",
    "client_id": "shop",
    "redirect_uri": CALLBACK,
    "scope": "openid email users:read",
    "state": "s-1",
    "nonce": "n-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture(name="client")
def _client(client_of, users_settings, database):
    client = client_of(SERVICE, settings=users_settings)
    client.environ_base["HTTP_AUTHORIZATION"] = ""
    with database.transaction() as session:
        TIMERS[0].run(session, users_settings)  # the first key
    return client


@pytest.fixture(name="ada")
def _ada(client):
    body = {"name": "Ada", "email": "ada@example.org", "password": PASSWORD}
    return client.post("/v2/users", json=body).get_json()["id"]


def authorize(client, *, email="ada@example.org", password=PASSWORD, **changed):
    asked = {key: value for key, value in (ASK | changed).items() if value is not None}
    form = {"email": email, "password": password}
    return client.post(f"/oauth/authorize?{urlencode(asked)}", data=form)


def redirected(answer):
    assert answer.status_code == 302, answer.get_data(as_text=True)
    address = answer.headers["Location"]
    return address.partition("?")[0], {name: value for name, [value] in parse_qs(urlsplit(address).query).items()}


def code_of(answer):
    return redirected(answer)[1]["code"]


def exchange(client, code, /, **changed):
    form = {
        "grant_type": "authorization_code",
        "client_id": "shop",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return client.post("/oauth/token", data=form | changed)


def refresh(client, token, **changed):
    form = {"grant_type": "refresh_token", "client_id": "shop", "refresh_token": token}
    return client.post("/oauth/token", data=form | changed)


def verified(client, token):
    """The principal, as any service finds it by the published keys."""
    keys = Keys(lambda: (client.get("/.well-known/jwks.json").get_data(), 60))
    return Verifier(keys, issuer=SHOP, audience="api", types=["at+jwt"]).verify(token)


def test_a_code_becomes_a_token_that_services_accept(client, ada):
    where, given = redirected(authorize(client))
    answer = exchange(client, given["code"])

    assert (where, given["state"]) == (CALLBACK, "s-1")
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.get_json()
    principal = verified(client, tokens["access_token"])
    assert (principal.subject, principal.scopes) == (ada, {"openid", "email", "users:read"})
    keys = KeySet.import_key_set(client.get("/.well-known/jwks.json").get_json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (SHOP, ["shop"], ada)
    assert (claims["nonce"], claims["email"]) == ("n-1", "ada@example.org")


def test_the_page_asks_for_email_and_password_and_runs_no_script(client):
    answer = client.get(f"/oauth/authorize?{urlencode(ASK)}")

    assert answer.status_code == 200
    assert 'type="password"' in answer.get_data(as_text=True)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("", ""), ("a\x00b", PASSWORD), ("x", "y" * 5000)],
)
def test_a_wrong_password_and_an_unknown_email_look_the_same(client, ada, email, password):
    answer = authorize(client, email=email, password=password)

    assert answer.status_code == 401
    assert "Email or password is wrong" in answer.get_data(as_text=True)


def test_who_came_by_v1_has_no_password_and_can_t_sign_in(client, issuer):
    staff = {"Authorization": f"Bearer {issuer.token('staff', scopes=['users:any'])}"}
    ben = {"name": "Ben", "email": "ben@example.org"}
    assert client.post("/v1/users", json=ben, headers=staff).status_code == 201

    assert authorize(client, email="ben@example.org", password="").status_code == 401


@pytest.mark.parametrize(
    "changed",
    [{"redirect_uri": "https://evil.example.org/"}, {"redirect_uri": f"{CALLBACK}/x"}, {"client_id": "nobody"}],
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(client, ada, changed):
    assert authorize(client, **changed).status_code == 400


@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"response_type": "token"},
    ],
)
def test_requests_that_are_not_safe_are_refused(client, ada, changed):
    answer = authorize(client, **changed)

    assert answer.status_code == 400 or "error" in redirected(answer)[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"redirect_uri": "https://shop.example.org/other"},
        {"client_id": "robot"},
        {"code": "made-up"},
        {"grant_type": "password"},
    ],
)
def test_a_code_alone_is_worth_nothing(client, ada, changed):
    code = code_of(authorize(client))

    assert exchange(client, code, **changed).status_code in (400, 401)


def test_a_client_gets_no_scope_it_may_not_have(client, ada):
    given = exchange(client, code_of(authorize(client, scope="users:any users:read"))).get_json()

    assert given["scope"] == "users:read"


def test_a_code_that_comes_twice_revokes_what_it_gave(client, ada):
    code = code_of(authorize(client))
    first = exchange(client, code).get_json()

    assert exchange(client, code).status_code == 400
    assert refresh(client, first["refresh_token"]).status_code == 400


def test_a_code_that_comes_again_late_revokes_all_the_same(client, ada, database):
    code = code_of(authorize(client))
    first = exchange(client, code).get_json()
    with database.transaction() as session:
        session.execute(update(authorization_codes).values(expires_at="2020-01-01"))

    assert exchange(client, code).status_code == 400
    assert refresh(client, first["refresh_token"]).status_code == 400


def test_it_works_behind_a_gateway_that_ends_tls(client, ada):
    """Inside the cluster it is asked by plain HTTP, and by another name than the world uses."""
    for base in ("http://slipway-users", "http://shop.example.org"):
        query = urlencode(ASK)
        form = {"email": "ada@example.org", "password": PASSWORD}
        signed_in = client.post(f"/oauth/authorize?{query}", data=form, base_url=base)
        code = code_of(signed_in)
        body = {"grant_type": "authorization_code", "client_id": "shop", "code": code}
        body |= {"redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        assert client.post("/oauth/token", data=body, base_url=base).status_code == 200


def test_going_back_and_signing_in_again_works(client, ada):
    assert exchange(client, code_of(authorize(client))).status_code == 200
    assert exchange(client, code_of(authorize(client))).status_code == 200, "the same nonce"


def test_a_password_keeps_its_spaces(client):
    body = {"name": "Eve", "email": "eve@example.org", "password": "  correct horse  "}
    assert client.post("/v2/users", json=body).status_code == 201

    assert authorize(client, email="eve@example.org", password="  correct horse  ").status_code == 302


@pytest.mark.parametrize(
    "changed",
    [{"redirect_uri": 'http://x/"'}, {"redirect_uri": "http://x/ü"}, {"response_type": 'tök"en'}, {"nonce": "\x00"},
     {"state": "x" * 9000}, {"scope": "a\nb"}],
)  # fmt: skip
def test_parameters_of_odd_characters_are_400(client, ada, changed):
    assert authorize(client, **changed).status_code == 400


def later(database):
    with database.transaction() as session:
        session.execute(update(sign_in_failures).values(last_at="2020-01-01"))


def often(database):
    """So that the pause is longer than a slow machine takes for the next attempt."""
    with database.transaction() as session:
        session.execute(update(sign_in_failures).values(failed=sign_in_failures.c.failed + 10))


def at(client, address):
    """A client as the gateway tells it."""
    elsewhere = client.application.test_client()
    elsewhere.environ_base["HTTP_X_CLIENT_ADDRESS"] = address
    return elsewhere


def test_whoever_guesses_waits(client, ada, database):
    for _ in range(5):
        assert authorize(client, password="wrong").status_code == 401
    often(database)
    assert authorize(client).status_code == 401, "right, and too soon"

    later(database)
    assert authorize(client).status_code == 302
    assert authorize(client, password="wrong").status_code == 401
    assert authorize(client).status_code == 302, "the count began anew"


def test_a_stranger_who_guesses_keeps_nobody_else_out(client, ada, database):
    for _ in range(5):
        assert authorize(at(client, "192.0.2.1"), password="wrong").status_code == 401
    often(database)
    assert authorize(at(client, "192.0.2.1")).status_code == 401

    assert authorize(at(client, "192.0.2.2")).status_code == 302


def test_guesses_from_everywhere_stop_strangers_and_not_a_device_of_the_owner(client, ada, database):
    home = at(client, "198.51.100.1")
    assert authorize(home).status_code == 302
    [device] = [value for name, value in authorize(home).headers.items() if name == "Set-Cookie"]
    assert device.startswith("__Host-known-device=")
    assert all(word in device for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    with database.transaction() as session:  # of many networks, a moment ago
        session.execute(update(sign_in_failures).values(failed=60, last_at=datetime.now(UTC)))
        narrow = hashlib.sha256(b"ada@example.org from 198.51.100.1").hexdigest()
        session.execute(delete(sign_in_failures).where(sign_in_failures.c.hash == narrow))

    assert authorize(at(client, "203.0.113.9")).status_code == 401, "another device"
    home.set_cookie("__Host-known-device", device.partition("=")[2].partition(";")[0], domain="localhost")
    assert authorize(home).status_code == 302


def test_guesses_at_the_same_time_are_counted_one_by_one(client, ada, database):
    for _ in range(5):
        authorize(client, password="wrong")
    later(database)

    with ThreadPoolExecutor(4) as pool:
        racing = [pool.submit(authorize, client.application.test_client(), password="wrong") for _ in range(4)]
        assert {one.result().status_code for one in racing} == {401}

    narrow = hashlib.sha256(b"ada@example.org from 127.0.0.1").hexdigest()
    with database.transaction() as session:
        failed = session.scalar(select(sign_in_failures.c.failed).where(sign_in_failures.c.hash == narrow))
    assert failed == 6, "one of the four was looked at"


def test_signing_out_revokes_what_came_of_the_sign_in(client, ada):
    token = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    second = refresh(client, token).get_json()["refresh_token"]

    answer = client.post("/oauth/revoke", data={"client_id": "shop", "token": second})

    assert answer.status_code == 200
    assert refresh(client, second).status_code == 400
    assert client.post("/oauth/revoke", data={"client_id": "shop", "token": "made-up"}).status_code == 200


def test_a_token_that_is_made_while_all_are_revoked_is_revoked_too(client, ada, database):
    """Two requests at once: the thief's old token ends the family, the owner's new one must not escape."""
    first = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    second = refresh(client, first).get_json()["refresh_token"]
    with database.transaction() as session:
        session.execute(
            update(refresh_tokens).where(refresh_tokens.c.used_at.is_not(None)).values(used_at="2020-01-01")
        )

    with ThreadPoolExecutor(2) as pool:
        racing = [pool.submit(refresh, client.application.test_client(), token) for token in (second, first)]
        answers = [one.result() for one in racing]

    third = answers[0].get_json().get("refresh_token")
    assert answers[1].status_code == 400
    assert third is None or refresh(client, third).status_code == 400


def test_a_code_expires(client, ada, database):
    code = code_of(authorize(client))
    with database.transaction() as session:
        session.execute(update(authorization_codes).values(expires_at="2020-01-01"))

    assert exchange(client, code).status_code == 400


def test_refresh_tokens_rotate_and_a_stolen_one_ends_them_all(client, ada, database):
    first = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    second = refresh(client, first).get_json()["refresh_token"]
    assert second != first
    assert refresh(client, first).status_code == 200, "a lost answer is no theft"
    third = refresh(client, second).get_json()

    with database.transaction() as session:  # some time passes
        session.execute(
            update(refresh_tokens).where(refresh_tokens.c.used_at.is_not(None)).values(used_at="2020-01-01")
        )
    assert refresh(client, first).status_code == 400
    assert refresh(client, third["refresh_token"]).status_code == 400, "the thief's and the owner's alike"


def a_day_and_a_minute_later(database):
    with database.transaction() as session:
        ago = datetime.now(UTC) - timedelta(days=1, minutes=1)
        session.execute(update(refresh_tokens).where(refresh_tokens.c.used_at.is_not(None)).values(used_at=ago))
        forget_expired(session)


def test_a_stolen_token_ends_its_family_however_late_its_owner_comes(client, ada, database):
    first = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    stolen = refresh(client, first).get_json()["refresh_token"]  # the thief comes first
    a_day_and_a_minute_later(database)

    assert refresh(client, first).status_code == 400
    assert refresh(client, stolen).status_code == 400


def test_of_two_lines_that_began_in_the_leeway_one_goes_on(client, ada):
    first = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    one, other = (refresh(client, first).get_json()["refresh_token"] for _ in range(2))

    going_on = refresh(client, one).get_json()["refresh_token"]
    assert refresh(client, other).status_code == 400
    assert refresh(client, going_on).status_code == 400, "and two that go on are a theft"


def test_a_token_that_comes_back_after_its_successor_was_used_is_stolen(client, ada):
    first = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    second = refresh(client, first).get_json()["refresh_token"]
    third = refresh(client, second).get_json()["refresh_token"]

    assert refresh(client, first).status_code == 400
    assert refresh(client, third).status_code == 400


def test_a_sign_in_has_a_latest_end_however_often_it_is_renewed(client, ada, database):
    token = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    soon = datetime.now(UTC) + timedelta(hours=1)
    with database.transaction() as session:
        session.execute(update(token_families).values(ends_at=soon))

    renewed = refresh(client, token).get_json()["refresh_token"]
    with database.transaction() as session:
        ends = session.scalar(select(refresh_tokens.c.expires_at).where(refresh_tokens.c.hash == hashed(renewed)))
    assert ends == soon


def test_a_family_of_the_version_before_goes_on(client, ada, database):
    """It has no row, and its tokens name no family."""
    token = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    with database.transaction() as session:
        session.execute(delete(token_families))
        session.execute(update(refresh_tokens).values(hash=hashed("of-the-version-before")))

    renewed = refresh(client, "of-the-version-before").get_json()["refresh_token"]
    assert refresh(client, renewed).status_code == 200
    assert refresh(client, token).status_code == 400


def test_a_refresh_gives_no_more_than_was_granted(client, ada):
    token = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]

    assert refresh(client, token, scope="users:read users:any").status_code == 400
    smaller = refresh(client, token, scope="users:read").get_json()
    assert smaller["scope"] == "users:read"
    again = refresh(client, smaller["refresh_token"]).get_json()
    assert again["scope"] == "openid email users:read", "the smaller one was for that access token alone"


def assertion(key, **changed):
    now = int(time.time())
    claims = {"iss": "robot", "sub": "robot", "aud": f"{SHOP}/oauth/token", "exp": now + 60, "jti": uuid.uuid4().hex}
    claims |= changed
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, ["ES256"])


def ask_as_robot(client, signed, scope="users:any"):
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": signed,
    }
    return client.post("/oauth/token", data=form)


def test_an_application_proves_itself_without_a_password(client, robot_key):
    answer = ask_as_robot(client, assertion(robot_key))

    assert answer.status_code == 200, answer.get_json()
    assert "refresh_token" not in answer.get_json()
    principal = verified(client, answer.get_json()["access_token"])
    assert (principal.subject, principal.scopes) == ("robot", {"users:any"})


def test_an_assertion_is_good_once_for_us_alone_and_for_a_while(client, robot_key, issuer):
    signed = assertion(robot_key)
    assert ask_as_robot(client, signed).status_code == 200

    for refused in (
        signed,
        assertion(robot_key, aud="https://other.example.org"),
        assertion(robot_key, exp=int(time.time()) - 600),
        assertion(robot_key, exp=int(time.time()) + 86_400),
        assertion(robot_key, exp=1e308),
        assertion(robot_key, sub="shop", iss="shop"),
        assertion(issuer.signing_key),
    ):
        answer = ask_as_robot(client, refused)
        assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_client")


def test_the_configuration_names_what_clients_need(client):
    told = client.get("/.well-known/openid-configuration").get_json()

    assert told["issuer"] == SHOP
    assert told["token_endpoint"] == f"{SHOP}/oauth/token"
    assert told["code_challenge_methods_supported"] == ["S256"]


def test_no_secret_is_stored_as_it_is(client, ada, database):
    token = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    with database.transaction() as session:
        rows = json.dumps([str(row) for row in session.execute(refresh_tokens.select())])
        keys = session.connection().exec_driver_sql("SELECT private FROM signing_keys").scalars().all()

    assert token not in rows
    assert all(b'"d"' not in bytes(key) for key in keys)
