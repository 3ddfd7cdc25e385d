"""Services behind the gateway: requests that are tried again, slow answers, and gRPC as it is and as JSON."""

import json

import grpc
import pytest

pytestmark = pytest.mark.integration


def test_a_read_is_tried_again_when_the_connection_closes(edge):
    assert edge.ask("GET", "/items/flaky").status == 200
    assert len(edge.seen("/items/flaky")) == 2


def test_a_write_is_not_sent_twice(edge):
    answer = edge.ask("POST", "/sign-in/flaky", body=b"once")

    assert answer.status == 503
    assert answer.problem["title"] == "Service Unavailable"
    assert len(edge.seen("/sign-in/flaky")) == 1


def test_a_read_is_tried_again_after_503_within_the_budget(edge):
    answer = edge.ask("GET", "/items/away")

    assert answer.status == 503
    assert len(edge.seen("/items/away")) == 3


def test_a_pod_that_has_gone_fails_no_request(edge):
    """A write as well, and a large one: nothing of it has been sent when the connection is refused."""
    body = b"x" * 500_000

    assert [edge.ask("POST", f"/pods/{number}", body=body).status for number in range(20)] == [200] * 20
    assert all(len(edge.seen(f"/pods/{number}")) == 1 for number in range(20))


def test_a_service_that_is_too_slow_is_given_up(edge):
    answer = edge.ask("GET", "/v1/orders/slow")

    assert answer.status == 504
    assert answer.problem["title"] == "Gateway Timeout"


def test_json_reaches_a_grpc_service_with_the_scopes_of_its_own_path(edge):
    reads, writes = edge.issuer.token(scopes=["inventory:read"]), edge.issuer.token(scopes=["inventory:write"])
    path = "/v1/inventory/items"
    before = len(edge.inventory.calls)

    assert edge.ask("GET", path).status == 401
    assert edge.ask("GET", path, token=writes).status == 403
    assert edge.ask("PUT", f"{path}/tea", token=reads, body=b"{}").status == 403
    assert len(edge.inventory.calls) == before
    answer = edge.ask("GET", path, token=reads)
    assert answer.status == 200, answer
    [item] = json.loads(answer.body)["items"]
    assert item.items() >= {"sku": "tea", "price_cents": 350, "available": 0}.items()


def test_errors_of_a_grpc_service_become_http_s(edge):
    token = edge.issuer.token(scopes=["inventory:read"])

    missing = edge.ask("GET", "/v1/inventory/items/coffee", token=token)

    assert missing.status == 404
    assert json.loads(missing.body)["message"] == "there is no such item"
    for path in ("/v1/inventory", "/v1/inventory/unknown", "/v1/inventory/items?unknown=1"):
        answer = edge.ask("GET", path, token=token)
        assert answer.status in {400, 404}, answer
        assert answer.problem


def test_grpc_clients_get_through_and_are_refused_in_their_own_form(edge):
    token, other = edge.issuer.token(scopes=["inventory:read"]), edge.issuer.token(scopes=["orders:read"])
    before = len(edge.inventory.calls)
    refused = {None: grpc.StatusCode.UNAUTHENTICATED, other: grpc.StatusCode.PERMISSION_DENIED}

    for wrong, code in refused.items():
        with pytest.raises(grpc.RpcError) as error:
            edge.inventory.ask(edge.listen.port, "ListItems", wrong)
        assert error.value.code() is code
        assert "{" not in error.value.details()
    with pytest.raises(grpc.RpcError) as error:
        edge.inventory.ask(edge.listen.port, "GetItem", token)
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert len(edge.inventory.calls) == before
    [answer] = edge.inventory.ask(edge.listen.port, "ListItems", token)
    assert [item.sku for item in answer.items] == ["tea"]
    assert len(edge.inventory.ask(edge.listen.port, "WatchStock")) == 2
