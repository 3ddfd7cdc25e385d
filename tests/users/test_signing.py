"""Rotation, whatever the times are: who verifies by the published keys never meets an unknown one."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from pydantic import SecretStr

from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys
from slipway_chassis.cli.main import cli
from users.adapters.signing_keys import Signer, SqlSigningKeys, published_keys
from users.bootstrap import SERVICE
from users.domain.signing import Rotation, SigningKey
from users.entrypoints.timers import TIMERS
from users.errors import NoSigningKey

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIFETIME, FETCH = timedelta(minutes=5), timedelta(minutes=1)
ROTATION = Rotation(ahead=FETCH * 2, overlap=LIFETIME + FETCH, period=timedelta(hours=1))
minutes = st.integers(0, 600).map(lambda number: timedelta(minutes=number))


@given(made=st.lists(minutes, min_size=1, max_size=8), at=minutes, age=st.integers(0, 300), fetched=st.integers(0, 60))
def test_every_living_token_can_be_verified_with_keys_fetched_before(made, at, age, fetched):
    """A verifier that fetched up to a minute ago knows the key of every token that has not expired."""
    begun = sorted(made)
    keys = [SigningKey("0", NOON), *(SigningKey(str(n), NOON + at_ + ROTATION.ahead) for n, at_ in enumerate(begun, 1))]
    created = {key.kid: key.signs_from - ROTATION.ahead for key in keys[1:]} | {"0": NOON - timedelta(days=1)}
    now = NOON + at
    signed_at = max(NOON, now - timedelta(seconds=age))
    fetched_at = now - timedelta(seconds=fetched)

    signer = ROTATION.signing([key for key in keys if created[key.kid] <= signed_at], signed_at)

    there = [key for key in keys if created[key.kid] <= fetched_at]
    assert signer.kid in {key.kid for key in ROTATION.published(there, fetched_at)}


@given(st.lists(minutes, max_size=6), minutes)
def test_the_next_key_is_made_in_time(made, at):
    keys = [SigningKey(str(n), NOON + one) for n, one in enumerate(made)]
    now = NOON + at

    if not ROTATION.due(keys, now):
        assert max(key.signs_from for key in keys) + ROTATION.period > now + ROTATION.ahead
    starts = ROTATION.starts(keys, now, at_once=False)
    assert starts == (now + ROTATION.ahead if keys else now)
    assert ROTATION.starts(keys, now, at_once=True) == now


def test_no_key_is_said():
    with pytest.raises(NoSigningKey):
        ROTATION.signing([], NOON)


@pytest.mark.integration
def test_keys_are_rotated_and_revoked_by_the_command(client_of, users_settings, database_url, monkeypatch):
    client = client_of(SERVICE, settings=users_settings)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SIGNING_KEYS_SECRET", users_settings.signing_keys_secret.get_secret_value())

    def slipway(*arguments, code=0):
        done = CliRunner().invoke(cli, ["keys", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    first = slipway("rotate").split()[0]
    second = slipway("rotate").split()[0]
    third = slipway("rotate", "--at-once").split()[0]
    states = {line.split()[0]: line.partition("Z")[2] or line for line in slipway("ls").splitlines()[1:]}
    assert "signs" in states[third]
    assert "to come" in states[second]
    assert "until tokens expire" in states[first]
    slipway("revoke", first, "--yes")
    published = {key["kid"] for key in client.get("/.well-known/jwks.json").get_json()["keys"]}
    assert published == {second, third}
    fourth = slipway("revoke", third, "--yes").split("; ")[1].split()[0]
    listed = slipway("ls")
    assert "signs" in next(line for line in listed.splitlines() if fourth in line), "an older one must not sign again"
    slipway("revoke", "made-up", "--yes", code=1)
    for older in ("-lyes-1Q", "-RI4SNX_0h", "-h", "--h"):
        assert f"no signing key {older}." in str(CliRunner().invoke(cli, ["keys", "revoke", older, "--yes"]).exception)


@pytest.mark.integration
def test_the_command_gives_a_token_that_services_take(client_of, users_settings, database, database_url, monkeypatch):
    client = client_of(SERVICE, settings=users_settings)
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name, value in users_settings.model_dump(mode="json", exclude_defaults=True).items():
        monkeypatch.setenv(name.upper(), value if isinstance(value, str) else json.dumps(value))
    monkeypatch.setenv("SIGNING_KEYS_SECRET", users_settings.signing_keys_secret.get_secret_value())

    def slipway(*arguments, code=0):
        done = CliRunner().invoke(cli, ["token", *arguments])
        assert done.exit_code == code, done.output
        return done.output.strip() or str(done.exception)

    assert CliRunner().invoke(cli, ["keys", "rotate"]).exit_code == 0
    account = {"name": "Ada", "email": "ada@example.org", "password": "correct horse battery"}
    ada = client.post("/v2/users", json=account).get_json()["id"]
    keys = Keys(published_keys(database, users_settings))
    verifier = Verifier(keys, issuer=users_settings.auth_issuer, audience="api", types=["at+jwt"])
    for user in ("ada@example.org", ada):
        claims = verifier.verify(slipway("--user", user, "--scope", "users:read", "--for", "10m"))
        assert (claims.subject, claims.scopes) == (ada, {"users:read"})
    assert verifier.verify(slipway()).subject == "slipway"

    assert "no client may ask for root" in slipway("--scope", "root", code=2)
    assert "from 1s to 1h" in slipway("--for", "61m", code=2)
    assert "neither an email nor an id" in slipway("--user", "ada", code=2)
    assert "there is no account" in slipway("--user", "eve@example.org", code=1)
    monkeypatch.delenv("AUTH_ISSUER")
    assert "AUTH_ISSUER is not set" in slipway(code=1)


@pytest.mark.integration
def test_no_key_has_a_name_that_a_shell_takes_for_an_option(client_of, users_settings, database, monkeypatch):
    client_of(SERVICE, settings=users_settings)
    pairs = [ECKey.generate_key("P-256", auto_kid=True) for _ in range(300)]  # some five of them begin with it
    named = sorted(pairs, key=lambda pair: not pair.kid.startswith("-"))
    with monkeypatch.context() as patch, database.transaction() as session:
        patch.setattr(ECKey, "generate_key", lambda *_, **__: named.pop(0))
        assert not SqlSigningKeys(session, users_settings.signing_keys_secret).make(NOON).kid.startswith("-")


@pytest.mark.integration
def test_a_lost_secret_is_healed_by_a_new_key(client_of, users_settings, database):
    client_of(SERVICE, settings=users_settings)
    other = users_settings.model_copy(update={"signing_keys_secret": SecretStr(Fernet.generate_key().decode())})

    def keep_fresh(settings):
        with database.transaction() as session:
            TIMERS[0].run(session, settings)

    keep_fresh(users_settings)
    keep_fresh(other)
    with database.transaction() as session:
        assert Signer.of(other).sign(session, {"sub": "x"}, kind="JWT").count(".") == 2
    keep_fresh(other)
    with database.transaction() as session:
        assert len(SqlSigningKeys(session, other.signing_keys_secret).all()) == 2
