"""The queue, the Lease and the client's patience, without a cluster."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import web

from slipway_chassis.embedded.processes import free_port
from slipway_operator.errors import (
    AccessUnknown,
    Missing,
    NotLeading,
    Outdated,
    Overloaded,
    Refused,
    Unreachable,
)
from slipway_operator.planning import Plan
from slipway_operator.planning.facts import Facts
from slipway_operator.planning.observed import GateState
from slipway_operator.planning.steps import RecordVersion, ScaleServing, SelectPreview
from slipway_operator.runtimes.kubernetes.access import Access, from_kubeconfig, in_cluster
from slipway_operator.runtimes.kubernetes.checking import Answer, checked, preview_url
from slipway_operator.runtimes.kubernetes.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.freshness import Freshness
from slipway_operator.runtimes.kubernetes.kinds import DEPLOYMENT, EVENT, LEASE, SERVICE
from slipway_operator.runtimes.kubernetes.leading import Leadership
from slipway_operator.runtimes.kubernetes.looking import Key
from slipway_operator.runtimes.kubernetes.queue import WorkQueue
from slipway_operator.runtimes.kubernetes.reconciler import SETTLE, next_look
from slipway_operator.spec.gates import Gate
from slipway_operator.spec.microservice import ServicePort

A, B = Key("shop", "a"), Key("shop", "b")


class Worked:
    """Notes what was looked at; each look waits until it is let go."""

    def __init__(self, *, again=None, fails=0):
        self.looks, self.at_once, self.most = [], 0, 0
        self.again, self.fails = again, fails
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def __call__(self, key):
        self.looks.append(key)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.let_go.wait()
        finally:
            self.at_once -= 1
        if self.fails:
            self.fails -= 1
            raise Unreachable("no answer")
        return self.again


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 # what is polled has no event
            await asyncio.sleep(0.005)


def queued(story, **options):
    async def run():
        work = Worked(**{name: options.pop(name) for name in ("again", "fails") if name in options})
        queue = WorkQueue(work, **options)
        task = asyncio.create_task(queue.run())
        try:
            await story(queue, work)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def test_many_events_are_one_look():
    async def story(queue, work):
        for _ in range(100):
            queue.add(A)
        queue.add(B)
        await until(lambda: len(work.looks) == 2)
        assert sorted(map(str, work.looks)) == ["shop/a", "shop/b"]

    queued(story)


def test_the_first_event_is_looked_at_at_once_and_those_that_follow_are_gathered(monkeypatch):
    monkeypatch.setattr("slipway_operator.runtimes.kubernetes.queue.GATHER_SECONDS", 3600)

    async def story(queue, work):
        queue.add(A)
        await until(lambda: work.looks == [A])
        queue.add(A)
        queue.add(B)
        await until(lambda: work.looks == [A, B])

    queued(story)


def test_an_event_during_a_look_is_another_look_and_never_a_second_at_once():
    async def story(queue, work):
        work.let_go.clear()
        queue.add(A, 0)
        await until(lambda: work.at_once == 1)
        queue.add(A, 0)
        await asyncio.sleep(0)
        assert work.most == 1
        work.let_go.set()
        await until(lambda: len(work.looks) == 2)
        assert work.most == 1

    queued(story)


def test_no_more_looks_at_once_than_allowed():
    async def story(queue, work):
        work.let_go.clear()
        for number in range(10):
            queue.add(Key("shop", str(number)), 0)
        await until(lambda: work.at_once == 3)
        assert queue.age_seconds() >= 0
        work.let_go.set()
        await until(lambda: len(work.looks) == 10)
        assert work.most == 3

    queued(story, at_once=3)


def test_a_failing_look_is_repeated_and_does_not_hold_up_others(monkeypatch):
    monkeypatch.setattr("slipway_operator.runtimes.kubernetes.queue.FIRST_PAUSE", 0.01)

    async def story(queue, work):
        queue.add(A, 0)
        await until(lambda: len(work.looks) == 3)
        queue.add(B, 0)
        await until(lambda: B in work.looks)

    queued(story, fails=2)


def test_a_plan_names_the_time_of_the_next_look():
    async def story(queue, work):
        queue.add(A, 0)
        await until(lambda: len(work.looks) >= 3)
        queue.forget(A)

    queued(story, again=timedelta(milliseconds=1))


@pytest.mark.parametrize("turns", range(4))
def test_an_end_that_comes_together_with_an_event_is_an_end(turns):
    """An operator that missed it would keep its Lease until it is killed."""

    async def story():
        queue = WorkQueue(Worked())
        queue.add(A, 60)
        running = asyncio.create_task(queue.run())
        await asyncio.sleep(0.01)
        queue.add(B, 50)
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=5)
        assert done

    asyncio.run(story())


@pytest.mark.parametrize(
    ("steps", "again"),
    [
        ((), None),
        ((RecordVersion("v1", 1),), timedelta()),
        ((SelectPreview("v1"),), timedelta()),
        ((ScaleServing("v1", "http", 2),), SETTLE),
    ],
    ids=["nothing was done", "a record", "the preview", "pods take their time"],
)
def test_what_is_done_when_it_is_written_waits_for_no_event(steps, again):
    assert next_look(Plan(steps, Facts(), shown=None), acted=bool(steps)) == again


class Server:
    """The storage of one Lease, as the API server would guard it."""

    def __init__(self):
        self.lease, self.version, self.broken = None, 0, False

    async def get(self, kind, namespace, name):
        assert kind is LEASE
        if self.broken:
            raise Unreachable("no answer")
        return (
            {"metadata": {"name": name, "resourceVersion": str(self.version)}, "spec": dict(self.lease)}
            if (self.lease)
            else None
        )

    async def create(self, kind, namespace, manifest):
        if self.lease is not None:
            return False
        self.lease, self.version = manifest["spec"], 1
        return True

    async def replace(self, kind, namespace, manifest):
        if manifest["metadata"]["resourceVersion"] != str(self.version):
            raise Outdated("somebody was faster")
        self.lease, self.version = manifest["spec"], self.version + 1
        return manifest


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(name="clock")
def _clock():
    return Clock()


def replica(name, clock):
    return Leadership(namespace="ops", name="slipway-operator", identity=name, monotonic=clock)


def trying(server, *replicas):
    async def story():
        for each in replicas:
            await each._try(server)

    asyncio.run(story())


def test_one_of_two_leads_and_the_other_may_not_write(clock):
    server, first, second = Server(), replica("first", clock), replica("second", clock)
    trying(server, first, second)

    first.check()
    with pytest.raises(NotLeading, match=r"second does not hold the Lease ops/slipway-operator"):
        second.check()


def test_whoever_does_not_renew_stops_before_another_begins(clock):
    server, first, second = Server(), replica("first", clock), replica("second", clock)
    trying(server, first, second)
    for _ in range(20):
        clock.now += 1
        trying(server, second)
        assert not (first.held and second.held)
    assert second.held
    assert server.lease["leaseTransitions"] == 2


def test_a_lease_that_is_renewed_is_not_taken(clock):
    server, first, second = Server(), replica("first", clock), replica("second", clock)
    for _ in range(40):
        clock.now += 1
        trying(server, first, second)
        assert first.held
        assert not second.held


def test_without_an_answer_nobody_leads_for_long(clock):
    server, first = Server(), replica("first", clock)
    trying(server, first)
    server.broken = True
    clock.now += 9
    trying(server, first)
    assert first.held
    clock.now += 2
    assert not first.held
    server.broken = False
    trying(server, first)
    assert first.held


def test_another_that_was_faster_is_believed(clock):
    server, first, second = Server(), replica("first", clock), replica("second", clock)
    trying(server, first, second)
    clock.now += 16

    async def race():
        lease = await server.get(LEASE, "", "slipway-operator")
        second._seen = (lease["metadata"]["resourceVersion"], clock.now - 20)
        server.version += 1  # the first renews between the look and the write

        async def stale(*_):
            return lease

        server.get = stale
        await second._try(server)

    asyncio.run(race())
    assert not second.held


def test_a_lease_that_is_given_back_is_free_at_once(clock):
    server, first, second = Server(), replica("first", clock), replica("second", clock)

    async def story():
        task = asyncio.create_task(first.run(server))
        await until(lambda: first.held)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(story())
    trying(server, second)
    assert second.held
    assert not first.held


class Api:
    """Answers in the order it is told to, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    async def answer(self, request):
        self.asked.append((request.method, request.path_qs, await request.text()))
        status, body, headers = self.answers.pop(0)
        return web.json_response(body, status=status, headers=headers)


def asking(api, story, *, fence=None, timeout=5):
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
            access = Access(f"http://127.0.0.1:{port}")
            async with Client(access, fence or NoFence(), pause=pause, timeout=timeout) as client:
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


def test_a_kubeconfig_is_read(tmp_path):
    (tmp_path / "ca.crt").write_text("PEM")
    path = tmp_path / "config"
    path.write_text(
        "current-context: a\n"
        "contexts: [{name: a, context: {cluster: c, user: u, namespace: shop}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://k:6443/', certificate-authority: ca.crt}}]\n"
        "users: [{name: u, user: {token: secret}}]\n"
    )
    access = from_kubeconfig(path)

    assert (access.server, access.authority, access.namespace) == ("https://k:6443", "PEM", "shop")
    assert access.headers() == {"Authorization": "Bearer secret"}


@pytest.mark.parametrize("text", ["", "a: [", "current-context: a\ncontexts: []\n"])
def test_a_kubeconfig_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(AccessUnknown, match="is no kubeconfig that can be used"):
        from_kubeconfig(path)


def test_a_renewed_token_is_used(tmp_path):
    for name, text in {"ca.crt": "PEM", "token": "one\n", "namespace": "ops"}.items():
        (tmp_path / name).write_text(text)
    access = in_cluster("fd00::1", 443, tmp_path)
    assert access.server == "https://[fd00::1]:443"
    assert access.current_token() == "one"

    (tmp_path / "token").write_text("two\n")
    assert access.current_token() == "one"
    access._read = (float("-inf"), "one")
    assert access.current_token() == "two"


def test_outside_of_a_cluster_the_cure_is_said():
    with pytest.raises(AccessUnknown, match="or KUBECONFIG outside of a cluster"):
        in_cluster("k", 443, Path("/nowhere"))


class Says:
    def __init__(self, answer):
        self.answer, self.asked = answer, []

    async def ask(self, url, query):
        self.asked.append((url, query))
        return self.answer


HTTP = {"name": "smoke", "type": "http", "http": {"path": "/readyz", "contains": "ok"}}
PROMETHEUS = {"name": "errors", "type": "prometheus", "prometheus": {
    "address": "http://prometheus:9090/", "query": 'rate{v="{{version}}"}', "min": 0, "max": 0.5}}  # fmt: skip


def vector(*values):
    results = ",".join(f'{{"value": [1, "{value}"]}}' for value in values)
    return Answer(200, f'{{"data": {{"resultType": "vector", "result": [{results}]}}}}')


@pytest.mark.parametrize(
    ("gate", "answer", "state", "said"),
    [
        (HTTP, Answer(200, "all ok"), GateState.PASSED, ""),
        (HTTP, Answer(500, ""), GateState.FAILED, "/readyz answered 500, not 200"),
        (HTTP, Answer(200, "no"), GateState.FAILED, "does not contain 'ok'"),
        (HTTP, None, GateState.INCONCLUSIVE, "was not answered within 5 s"),
        (PROMETHEUS, vector("0.1"), GateState.PASSED, "0.1"),
        (PROMETHEUS, vector("0.6"), GateState.FAILED, "0.6 is more than 0.5"),
        (PROMETHEUS, vector("-1"), GateState.FAILED, "-1 is less than 0"),
        (PROMETHEUS, vector(), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, vector("NaN"), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, vector("1", "2"), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, Answer(200, "<html>"), GateState.INCONCLUSIVE, "no data"),
        (PROMETHEUS, Answer(400, ""), GateState.INCONCLUSIVE, "Prometheus answered 400"),
        (PROMETHEUS, None, GateState.INCONCLUSIVE, "Prometheus did not answer"),
    ],
)
def test_what_a_gate_finds(gate, answer, state, said):
    says = Says(answer)
    found = asyncio.run(checked(Gate.model_validate(gate), says, version="0a1b2c3d", preview="http://p"))

    assert found[0] is state
    assert said in found[1]
    if gate is PROMETHEUS:
        assert says.asked == [("http://prometheus:9090/api/v1/query", {"query": 'rate{v="0a1b2c3d"}'})]


def test_the_preview_has_an_address():
    ports = (ServicePort(name="http", port=80), ServicePort(name="admin", port=8001))
    assert preview_url("orders", "shop", ports) == "http://orders-preview.shop.svc"
    assert preview_url("orders", "shop", ports, "admin") == "http://orders-preview.shop.svc:8001"
