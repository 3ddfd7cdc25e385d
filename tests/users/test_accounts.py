"""What a user does with the own account: passwords, and where it is signed in."""

import pytest
from pydantic import ValidationError

from users.bootstrap import SERVICE
from users.domain.password_rules import is_guessable
from users.domain.sign_in_limits import limits
from users.settings import UsersSettings

from .test_oauth import PASSWORD, _ada, _client, authorize, code_of, exchange, refresh  # noqa: F401 # fixtures

OWN = {"name": "Ada Lovelace", "email": "ada.lovelace@example.org"}
NEW = "four words of mine"


@pytest.fixture(name="owner")
def _owner(client, ada, client_of, users_settings):
    """Ada with a token that her client has, on the same database."""
    return client_of(SERVICE, settings=users_settings, subject=ada, scopes=["users:read", "users:write"])


@pytest.mark.integration
def test_a_changed_password_signs_out_everywhere(client, ada, owner):
    token = exchange(client, code_of(authorize(client))).get_json()["refresh_token"]
    unused = code_of(authorize(client))
    wrong = owner.post("/v2/users/me/password", json={"current": "wrong", "new": NEW})
    assert (wrong.status_code, refresh(client, token).status_code) == (403, 200)

    changed = owner.post("/v2/users/me/password", json={"current": PASSWORD, "new": NEW})

    assert changed.status_code == 204, changed.get_json()
    assert refresh(client, token).status_code == 400
    assert exchange(client, unused).status_code == 400
    assert authorize(client).status_code == 401
    assert authorize(client, password=NEW).status_code == 302


@pytest.mark.integration
def test_a_user_sees_and_ends_the_own_sign_ins_alone(client, ada, owner, client_of, users_settings):
    tokens = [exchange(client, code_of(authorize(client))).get_json()["refresh_token"] for _ in range(2)]
    ben = {"name": "Ben", "email": "ben@example.org", "password": PASSWORD}
    assert client.post("/v2/users", json=ben).status_code == 201
    bens = exchange(client, code_of(authorize(client, email="ben@example.org"))).get_json()["refresh_token"]

    listed = owner.get("/v2/users/me/sign-ins").get_json()["sign_ins"]
    assert [one["client_id"] for one in listed] == ["shop", "shop"]
    assert owner.delete("/v2/users/me/sign-ins").status_code == 204

    assert owner.get("/v2/users/me/sign-ins").get_json() == {"sign_ins": []}
    assert [refresh(client, token).status_code for token in [*tokens, bens]] == [400, 400, 200]


@pytest.mark.integration
def test_a_password_that_is_guessed_first_is_refused(client):
    for password in ("password12", "1234567890", "aaaaaaaaaa", "adalovelace1815"):
        answer = client.post("/v2/users", json=OWN | {"password": password})
        assert (answer.status_code, "first that are guessed" in answer.get_json()["detail"]) == (422, True), password


@pytest.mark.parametrize(
    "password",
    ["P@ssw0rd1234", "iloveyou2024!", "abcabcabcabc", "0987654321", "qwertyuiop", "welcomewelcome", "5550000000"],
)
def test_decoration_makes_no_password(password):
    assert is_guessable(password)


@pytest.mark.parametrize(
    "password", ["correct horse battery", "Tr0ub4dor&3x", "пароль которого нет", "$#%^&*()!@", NEW]
)
def test_what_nobody_would_guess_first_is_taken(password):
    assert not is_guessable(password, own_words=OWN.values())


def test_a_client_whose_identity_tokens_would_be_access_tokens_is_refused(users_settings):
    values = users_settings.model_dump(exclude={"oauth_clients", "signing_keys_secret"})
    values |= {"auth_audience": "shop", "signing_keys_secret": users_settings.signing_keys_secret.get_secret_value()}

    client = '[{"id": "shop", "redirect_uris": ["x"], "scopes": []}]'
    with pytest.raises(ValidationError, match="a client has the id shop, which is AUTH_AUDIENCE"):
        UsersSettings.model_validate(values | {"oauth_clients": client})


def test_neighbours_in_a_network_of_ipv6_are_one_client_and_other_clients_are_not():
    def subjects(client):
        return {limit.subject for limit in limits("ada@example.org", client, known_device=True)}

    assert subjects("2001:db8::1") == subjects("2001:db8::2")
    assert not subjects("192.0.2.1") & subjects("192.0.2.2")
