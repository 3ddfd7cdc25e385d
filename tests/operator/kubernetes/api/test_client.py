"""The client's patience: what is tried again, what is told at once, how new a list is, and who may write."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from slipway_chassis.embedded.processes import free_port
from slipway_operator.errors import Missing, NotLeading, Outdated, Overloaded, Refused, Unauthorized, Unreachable
from slipway_operator.runtimes.kubernetes.api import answers
from slipway_operator.runtimes.kubernetes.api.access import Access
from slipway_operator.runtimes.kubernetes.api.client import TRIES, Client, NoFence
from slipway_operator.runtimes.kubernetes.api.freshness import Freshness
from slipway_operator.runtimes.kubernetes.api.kinds import DEPLOYMENT, EVENT, SERVICE
from slipway_operator.runtimes.kubernetes.api.login import Login


class Api:
    """Answers in the order it is told to, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def answer(self, request):
        self.asked.append((request.method, request.path_qs, await request.text()))
        status, body, headers = self.answers.pop(0)
        if isinstance(body, str):
            return web.Response(text=body, content_type="text/html", status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)


def asking(api, story, *, fence=None, timeout=5, access=None):
    """``access``: of the server's address."""
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    async def run():
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", api.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            server = f"http://127.0.0.1:{port}"
            chosen = access(server) if access else Access(lambda: Login(server))
            async with Client(chosen, fence or NoFence(), pause=pause, timeout=timeout) as client:
                return await story(client)
        finally:
            await runner.cleanup()

    return asyncio.run(run()), pauses


SERVICE_MANIFEST = {"metadata": {"name": "orders"}, "spec": {}}


def test_a_server_that_asks_for_patience_gets_it():
    api = Api((429, {}, {"Retry-After": "3"}), (503, {}, {}), (200, {"ok": 1}, {}))
    found, pauses = asking(api, lambda client: client.apply(SERVICE, "shop", SERVICE_MANIFEST))

    assert found == {"ok": 1}
    assert pauses[0] == 3
    assert len(pauses) == 2


def test_patience_has_an_end():
    api = Api(*[(503, {"message": "etcd is away"}, {"Retry-After": "9999"})] * 4)
    with pytest.raises(Overloaded, match="etcd is away") as caught:
        asking(api, lambda client: client.list(SERVICE, "shop"))
    assert caught.value.retriable


@pytest.mark.parametrize(("status", "error"), [(409, Outdated), (403, Refused), (422, Refused), (404, Missing)])
def test_what_time_does_not_heal_is_told_at_once(status, error):
    api = Api((status, {"message": "why"}, {}))
    with pytest.raises(error, match=f"PATCH /api/v1/namespaces/shop/services/orders: {status} why"):
        asking(api, lambda client: client.apply(SERVICE, "shop", SERVICE_MANIFEST))


def test_a_write_is_an_apply_with_one_manager():
    api = Api((200, {}, {}))
    asking(api, lambda client: client.apply(DEPLOYMENT, "shop", SERVICE_MANIFEST))

    method, path, body = api.asked[0]
    assert method == "PATCH"
    assert path == "/apis/apps/v1/namespaces/shop/deployments/orders?fieldManager=slipway-operator&force=true"
    assert '"apiVersion": "apps/v1"' in body


def test_lists_are_read_to_their_end():
    first = {"items": [{"n": 1}], "metadata": {"continue": "more"}}
    api = Api((200, first, {}), (200, {"items": [{"n": 2}], "metadata": {}}, {}))
    found, _ = asking(api, lambda client: client.list(SERVICE, "shop", selector="a=b"))

    assert found == [{"n": 1}, {"n": 2}]
    assert "labelSelector=a%3Db" in api.asked[0][1]
    assert "continue=more" in api.asked[1][1]


def page(version):
    return (200, {"items": [], "metadata": {"resourceVersion": version}}, {})


def asked_for(request):
    query = parse_qs(urlsplit(request[1]).query)
    return query.get("resourceVersion", [""])[0]


def test_a_recent_list_is_no_older_than_what_was_told_read_or_written():
    written = (200, {"metadata": {"resourceVersion": "70"}}, {})
    api = Api(page("50"), page("50"), page("60"), written, page("70"), page("80"), page("51"))

    async def story(client):
        await client.list(SERVICE, "shop", recent=True)  # nothing is known yet: as the storage has it
        await client.list(SERVICE, "shop", recent=True)
        client._freshness.saw(SERVICE, "60")
        client._freshness.saw(SERVICE, "55")  # told late
        await client.list(SERVICE, "shop", recent=True)
        await client.apply(SERVICE, "shop", SERVICE_MANIFEST)
        await client.list(SERVICE, "shop", recent=True)
        await client.list(SERVICE, "shop")
        await client.list(DEPLOYMENT, "shop", recent=True)  # another kind

    asking(api, story)
    assert [asked_for(each) for each in api.asked] == ["", "50", "60", "", "70", "", ""]
    assert "resourceVersionMatch=NotOlderThan" in api.asked[1][1]


def test_a_storage_that_counts_from_an_earlier_number_is_asked_itself():
    late = (504, {"message": "Too large resource version: 9000, current: 50"}, {})
    api = Api(*[late] * 4, page("50"), page("51"))

    async def story(client):
        client._freshness.saw(SERVICE, "9000")
        await client.list(SERVICE, "shop", recent=True)
        await client.list(SERVICE, "shop", recent=True)

    asking(api, story)
    assert [asked_for(each) for each in api.asked] == [*["9000"] * 4, "", "50"]


def test_whoever_leads_anew_believes_no_cache():
    known = Freshness()
    known.saw(SERVICE, "60")
    known.saw(SERVICE, "not a number")
    known.saw(SERVICE, "9" * 5000)
    assert known.least(SERVICE)["resourceVersion"] == "60"
    known.forget()
    assert known.least(SERVICE) == {}


def test_what_is_gone_needs_no_deletion_and_what_is_there_no_creation():
    api = Api((404, {}, {}), (404, {}, {}), (409, {}, {}))

    async def story(client):
        await client.delete(SERVICE, "shop", "orders")
        assert await client.get(SERVICE, "shop", "orders") is None
        assert not await client.create(EVENT, "shop", SERVICE_MANIFEST)

    asking(api, story)


class Closed:
    def check(self):
        raise NotLeading("another one leads")


WRITES = {
    "apply": lambda client: client.apply(SERVICE, "shop", SERVICE_MANIFEST),
    "merge": lambda client: client.merge(SERVICE, "shop", "orders", {}),
    "create": lambda client: client.create(SERVICE, "shop", SERVICE_MANIFEST),
    "replace": lambda client: client.replace(SERVICE, "shop", SERVICE_MANIFEST),
    "delete": lambda client: client.delete(SERVICE, "shop", "orders"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_who_does_not_lead_writes_nothing(write):
    api = Api()
    with pytest.raises(NotLeading):
        asking(api, write, fence=Closed())
    assert not api.asked


def test_reading_is_free():
    api = Api((200, {"items": []}, {}))
    assert asking(api, lambda client: client.list(SERVICE, "shop"), fence=Closed())[0] == []


STRANGE = {
    "a page": "<html>welcome</html>",
    "a cut object": '{"metadata": {"resourceVersion": "1"',
    "a list": "[]",
    "a deep one": "[" * 100_000,
    "metadata of another kind": {"metadata": "none"},
    "no metadata": {"metadata": None},
    "nothing": "",
}


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE.keys())
@pytest.mark.parametrize("ask", ["get", "list"])
def test_what_is_no_answer_of_an_api_server_is_none(body, ask):
    """A portal or a proxy may answer 200 as well. An empty list would be a service without children."""
    api = Api(*[(200, body, {})] * TRIES)
    with pytest.raises(Unreachable, match="/services"):
        asking(api, lambda client: client.get(SERVICE, "shop", "a") if ask == "get" else client.list(SERVICE, "shop"))


@pytest.mark.parametrize("items", [{}, [None], "abc"])
def test_a_list_has_objects(items):
    with pytest.raises(Unreachable, match="no list of objects"):
        asking(Api((200, {"items": items}, {})), lambda client: client.list(SERVICE, "shop"))


def test_a_list_without_objects_may_be_written_as_null():
    listed = (200, {"items": None, "metadata": None}, {})
    assert asking(Api(listed), lambda client: client.list(SERVICE, "shop"))[0] == []


@pytest.mark.parametrize("patience", ["\u00b2", "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_patience_that_is_no_number_is_not_told(patience):
    error = answers._error(429, "GET /", b'{"message": null}', patience)
    assert isinstance(error, Overloaded)
    assert error.retry_after == 0
    assert str(error) == "GET /: 429 "


def test_an_answer_has_an_end(monkeypatch):
    monkeypatch.setattr(answers, "LARGEST_BYTES", 1000)
    api = Api(*[(200, {"items": ["x" * 2000]}, {})] * TRIES)
    with pytest.raises(Unreachable, match="200 with more than"):
        asking(api, lambda client: client.list(SERVICE, "shop"))


def test_a_login_is_not_carried_elsewhere():
    away = (307, "", {"Location": "http://ada:lovelace@elsewhere.invalid/login?token=secret"})
    api = Api(*[away] * TRIES)
    with pytest.raises(Unreachable, match=r"307 leads to http://elsewhere\.invalid/login, which") as caught:
        asking(api, lambda client: client.list(SERVICE, "shop"))
    assert "secret" not in str(caught.value)


def test_a_login_that_is_not_valid_is_no_verdict_on_what_was_asked():
    with pytest.raises(Unauthorized) as caught:
        asking(Api((401, {"message": "Unauthorized"}, {})), lambda client: client.list(SERVICE, "shop"))
    assert caught.value.retriable
    assert not isinstance(caught.value, Refused)


class Slow(Api):
    """Answers when it is let go."""

    def __init__(self):
        super().__init__()
        self.let_go, self.known = asyncio.Event(), asyncio.Condition()

    async def reached_by(self, number):
        async with self.known:
            await self.known.wait_for(lambda: len(self.asked) >= number)

    async def answer(self, request):
        async with self.known:
            self.asked.append(request.method)
            self.known.notify_all()
        await self.let_go.wait()
        return web.json_response({"items": [], "metadata": {}})


def test_another_certificate_cuts_no_request():
    """As many as there are connections are on their way, more wait for one; the next ones go by a new transport."""
    api, logins = Slow(), []

    def renewed(server):
        def log_in():
            logins.append(Login(server, server_name=f"name-{len(logins)}"))
            return logins[-1]

        shared = Access(log_in)
        api.renew = lambda: shared.login(shared.current())
        return shared

    async def story(client):
        looks = [asyncio.create_task(client.list(SERVICE, "shop")) for _ in range(25)]
        looks.append(asyncio.create_task(client.create(SERVICE, "shop", SERVICE_MANIFEST)))
        await api.reached_by(20)
        former = client._transport
        api.renew()
        looks.append(asyncio.create_task(client.list(SERVICE, "shop")))
        await api.reached_by(21)
        assert client._transport is not former
        api.let_go.set()
        await asyncio.gather(*looks)
        assert former._client.rest_client.pool_manager._session.closed

    asking(api, story, access=renewed)
    assert len(logins) == 2
    assert sorted(api.asked) == ["GET"] * 26 + ["POST"]
