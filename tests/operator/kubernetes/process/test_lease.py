"""The Lease: one of two leads, and whoever does not renew stops before another begins."""

import asyncio
from contextlib import suppress

import pytest

from slipway_operator.errors import NotLeading, Outdated, Unreachable
from slipway_operator.runtimes.kubernetes.api.kinds import LEASE
from slipway_operator.runtimes.kubernetes.process.lease import Leadership


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
        async with asyncio.timeout(20):
            while not first.held:  # noqa: ASYNC110 # what is polled has no event
                await asyncio.sleep(0.005)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(story())
    trying(server, second)
    assert second.held
    assert not first.held
