import pytest
from sqlalchemy import select

from slipway_chassis.events.tables import outbox
from users.adapters.tables import users
from users.bootstrap import SERVICE

pytestmark = pytest.mark.integration
ADA = {"name": "Ada", "email": "ada@example.org"}


@pytest.fixture(name="client")
def _client(client_of, users_settings):
    return client_of(SERVICE, settings=users_settings, subject="staff", scopes=["users:read", "users:any"])


def test_a_registered_user_is_found_and_an_event_waits_in_the_outbox(client, database):
    created = client.post("/v1/users", json=ADA)

    assert created.status_code == 201
    assert client.get(created.headers["Location"]).get_json() == created.get_json()
    with database.transaction() as session:
        [row] = session.execute(select(outbox)).all()
    assert (row.topic, row.type, row.aggregate_id, row.aggregate_version) == (
        "users.user.v1",
        "users.UserRegistered.v1",
        created.get_json()["id"],
        1,
    )


def test_a_taken_email_is_409_and_leaves_no_event(client, database):
    client.post("/v1/users", json=ADA)

    again = client.post("/v1/users", json=ADA | {"email": "ADA@example.org"})

    assert again.status_code == 409
    with database.transaction() as session:
        assert len(session.execute(select(outbox)).all()) == 1


def test_users_come_page_by_page(client):
    for number in range(5):
        client.post("/v1/users", json={"name": "x", "email": f"{number}@example.org"})

    pages, address = [], "/v1/users?limit=2"
    while address:
        body = client.get(address).get_json()
        pages.append([user["email"][0] for user in body["users"]])
        address = body.get("next")

    assert pages == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize(
    "address",
    ["/v1/users/00000000-0000-0000-0000-000000000000", "/v1/users/00000000-0000-0000-0000-000000000000/orders"],
)
def test_an_unknown_user_is_404(client, address):
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    "body",
    [ADA | {"email": "nobody"}, ADA | {"name": ""}, ADA | {"role": "admin"}, {"name": "Ada"}, ADA | {"name": 7}],
)
def test_wrong_fields_are_422(client, body):
    assert client.post("/v1/users", json=body).status_code == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=7", "colour=red"])
def test_wrong_queries_are_422(client, query):
    assert client.get(f"/v1/users?{query}").status_code == 422


ACCOUNT = ADA | {"password": "correct horse battery"}


@pytest.fixture(name="as_user")
def _as_user(client_of, users_settings):
    def as_user(user_id, *scopes):
        return client_of(SERVICE, settings=users_settings, subject=user_id, scopes=scopes or ["users:read"])

    return as_user


def test_both_versions_are_of_one_domain(client, as_user):
    user_id = client.post("/v2/users", json=ACCOUNT).get_json()["id"]

    assert client.get(f"/v1/users/{user_id}").get_json()["email"] == "ada@example.org"
    assert client.get(f"/v2/users/{user_id}").get_json() == {"id": user_id, "name": "Ada"}
    assert as_user(user_id).get("/v2/users/me").get_json()["email"] == "ada@example.org"
    assert as_user(user_id).get("/v2/users/me/orders").get_json() == {"orders": []}


def test_the_old_version_tells_when_it_ends_and_what_follows(client):
    answer = client.get("/v1/users")

    assert answer.headers["Link"] == '</v2/users>; rel="successor-version"'
    assert "Sunset" in answer.headers
    assert "Sunset" not in client.post("/v2/users", json=ACCOUNT).headers


def test_what_is_anothers_is_closed(client, as_user):
    ada = client.post("/v2/users", json=ACCOUNT).get_json()["id"]
    ben = as_user(client.post("/v2/users", json=ACCOUNT | {"email": "ben@example.org"}).get_json()["id"])

    assert ben.get(f"/v1/users/{ada}/orders").status_code == 403
    assert ben.get(f"/v1/users/{ada}").status_code == 403, "it shows the email"
    assert ben.post("/v1/users", json=ADA | {"email": "eve@example.org"}).status_code == 403
    assert ben.get("/v1/users").status_code == 403
    assert as_user("an-application").get("/v2/users/me").status_code == 403


@pytest.mark.parametrize("password", ["", "short", "x" * 201, 7, None])
def test_a_password_has_bounds(client, password):
    assert client.post("/v2/users", json=ADA | {"password": password}).status_code == 422


def test_no_password_is_stored_as_it_is(client, database):
    client.post("/v2/users", json=ACCOUNT)

    with database.transaction() as session:
        [stored] = session.scalars(select(users.c.password_hash)).all()
    assert stored.startswith("$argon2id$")
