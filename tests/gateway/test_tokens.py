"""Tokens and scopes are checked at the edge, keys rotate, and each client has its limit."""

import json

import grpc
import pytest
from joserfc.jwk import ECKey

from slipway_chassis.testing.issuer import FakeIssuer
from slipway_chassis.testing.plugin import eventually
from slipway_gateway.development_ca import ensure
from support.gateway_edge import running

pytestmark = [pytest.mark.integration, pytest.mark.core]


def test_a_good_token_gets_through_and_reaches_the_service(edge):
    token = edge.issuer.token(scopes=["orders:read"])

    answer = edge.ask("GET", "/v1/orders/7?a=1", token=token)

    assert answer.status == 200, answer
    assert json.loads(answer.body) == {"path": "/v1/orders/7?a=1"}
    [(_, _, headers)] = edge.seen("/v1/orders/7?a=1")
    assert headers["authorization"] == f"Bearer {token}"  # services check again
    assert headers["x-request-id"] == answer.headers["x-request-id"]


def swapped_payload(issuer):
    head, _, signature = issuer.token(scopes=["users:read"]).split(".")
    return ".".join([head, issuer.token(scopes=["orders:read"], subject="root").split(".")[1], signature])


def unsigned(issuer):
    _, payload, _ = issuer.token(scopes=["orders:read"]).split(".")
    return f"eyJhbGciOiJub25lIn0.{payload}."


FORGED = ECKey.generate_key("P-256", {"kid": "key-2", "use": "sig"})
REFUSED = {
    "missing": lambda _issuer: None,
    "another issuer": lambda issuer: issuer.token(scopes=["orders:read"], iss="http://evil.test"),
    "expired": lambda issuer: issuer.token(scopes=["orders:read"], lifetime=-120),
    "another audience": lambda issuer: issuer.token(scopes=["orders:read"], audience="bank"),
    "no expiry": lambda issuer: issuer.token(scopes=["orders:read"], exp=None),
    "a forged signature": lambda issuer: issuer.token(scopes=["orders:read"], key=FORGED),
    "a changed payload": swapped_payload,
    "no signature": unsigned,
    "not a token": lambda _issuer: "abc",
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_token_that_is_not_valid_is_refused_at_the_edge(edge, why):
    path = f"/v1/orders/{why.replace(' ', '-')}"

    answer = edge.ask("GET", path, token=REFUSED[why](edge.issuer))

    assert answer.status == 401, answer
    assert answer.problem.items() >= {"type": "about:blank", "title": "Unauthorized", "status": 401}.items()
    assert answer.problem["instance"] == path
    assert answer.problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not edge.seen(path)


@pytest.mark.parametrize(
    "scopes",
    [
        [],
        ["xorders:read"],
        ["orders:read:all"],
        ["orders:readx"],
        ["orders", ":read"],
        ["orders:write"],
        ["ORDERS:READ"],
    ],
    ids="+".join,
)
def test_a_token_without_the_scope_is_refused_at_the_edge(edge, scopes):
    path = f"/v1/orders/without-{'-'.join(scopes)}"

    answer = edge.ask("GET", path, token=edge.issuer.token(scopes=scopes))

    assert answer.status == 403, answer
    assert answer.problem["title"] == "Forbidden"
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    assert not edge.seen(path)


def test_all_scopes_are_needed(edge):
    one = edge.issuer.token(scopes=["orders:write"])
    both = edge.issuer.token(scopes=["profile", "orders:read", "orders:write"])

    assert edge.ask("POST", "/v1/orders", token=one, body=b"{}").status == 403
    assert edge.ask("POST", "/v1/orders", token=both, body=b"{}").status == 200


def test_scopes_as_a_list_count_as_well(edge):
    assert edge.ask("GET", "/v1/orders/l", token=edge.issuer.token(scope=["orders:read", "x"])).status == 200
    assert edge.ask("GET", "/v1/orders/l", token=edge.issuer.token(scope=["xorders:read"])).status == 403


def test_a_route_without_scopes_needs_some_valid_token(edge):
    assert edge.ask("GET", "/v1/whoami").status == 401
    assert edge.ask("GET", "/v1/whoami", token=edge.issuer.token()).status == 200


@pytest.mark.parametrize("where", ["/v1/whoami?access_token={}", "/v1/whoami?token={}"])
def test_tokens_count_in_the_header_alone(edge, where):
    assert edge.ask("GET", where.format(edge.issuer.token())).status == 401


def test_a_public_route_asks_for_no_token_and_refuses_none(edge):
    assert edge.ask("GET", "/items").status == 200
    assert edge.ask("GET", "/items", headers={"Authorization": "Bearer abc"}).status == 200
    assert edge.ask("GET", "/items", token=edge.issuer.token(lifetime=-120)).status == 200


def test_keys_rotate(edge):
    edge.issuer.rotate()  # announced before it signs: known already

    assert edge.ask("GET", "/v1/orders/r", token=edge.issuer.token(scopes=["orders:read"])).status == 200


def test_without_the_issuers_keys_nobody_is_called_a_forger(tmp_path, edge):
    """A gateway that starts while the issuer is away: 503 with Retry-After until the keys are there, never 401."""
    issuer = FakeIssuer(audience="shop").start()
    issuer.away = True
    services = (issuer, edge.upstream, edge.inventory)
    with running(tmp_path, services, ensure(tmp_path / "certificates")) as lonely:
        token = issuer.token(scopes=["orders:read"])
        answer = lonely.ask("GET", "/v1/orders/7", token=token)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.problem["status"] == 503
        assert lonely.ask("GET", "/v1/orders/7").status == 401, "who brings none is told so"
        with pytest.raises(grpc.RpcError) as refused:
            edge.inventory.ask(lonely.listen.port, "ListItems", token)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert lonely.ask("GET", "/items/7").status == 200

        issuer.away = False
        eventually(lambda: lonely.ask("GET", "/v1/orders/7", token=token).status == 200)
    issuer.stop()


def test_each_client_has_its_own_limit(edge):
    path, first, second = "/oauth/token", "127.0.0.11", "127.0.0.12"

    assert [edge.ask("POST", path, client=first).status for _ in range(3)] == [200, 200, 429]
    assert edge.ask("POST", path, client=second).status == 200
    refused = edge.ask("POST", path, client=first)
    assert refused.problem["title"] == "Too Many Requests"
    assert int(refused.headers["retry-after"]) == 1800
    assert edge.ask("GET", "/items", client=first).status == 200  # the route's own bucket


def test_a_client_can_t_pass_for_another(edge):
    statuses = [
        edge.ask("POST", "/oauth/token", client="127.0.0.13", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status
        for n in range(4)
    ]

    assert statuses == [200, 200, 429, 429]
