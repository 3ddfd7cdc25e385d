"""The queue of services to look at: events are gathered, failures repeated, one look at a time."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from slipway_chassis.config import load
from slipway_operator.errors import Unreachable
from slipway_operator.planning import Decision
from slipway_operator.planning.facts import Facts
from slipway_operator.planning.steps import RecordVersion, ScaleServing, SelectPreview
from slipway_operator.runtimes.kubernetes.api.kinds import Key
from slipway_operator.runtimes.kubernetes.process.queue import WorkQueue
from slipway_operator.runtimes.kubernetes.process.settings import OperatorSettings
from slipway_operator.runtimes.kubernetes.reconciler import SETTLE, next_look

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
    monkeypatch.setattr("slipway_operator.runtimes.kubernetes.process.queue.GATHER_SECONDS", 3600)

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

    queued(story, max_concurrency=3)


def test_a_failing_look_is_repeated_and_does_not_hold_up_others(monkeypatch):
    monkeypatch.setattr("slipway_operator.runtimes.kubernetes.process.queue.FIRST_PAUSE", 0.01)

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
    assert next_look(Decision(steps, Facts(), status_view=None), acted=bool(steps)) == again


def test_the_former_name_of_the_limit_is_still_read():
    assert load(OperatorSettings, {"POD_NAME": "one", "AT_ONCE": "3"}).max_concurrency == 3
    assert load(OperatorSettings, {"POD_NAME": "one", "AT_ONCE": "3", "MAX_CONCURRENCY": "5"}).max_concurrency == 5
    assert load(OperatorSettings, {"POD_NAME": "one"}).max_concurrency == 8


def test_one_namespace_does_not_keep_all_others_waiting():
    """Looks of a hundred services that take long, and then one of somebody else."""

    async def story(queue, work):
        work.let_go.clear()
        queue.add(Key("modest", "first"))
        await until(lambda: work.looks)
        for number in range(100):
            queue.add(Key("greedy", f"{number}"))
        await until(lambda: len(work.looks) == 7)
        queue.add(Key("modest", "second"))
        await until(lambda: Key("modest", "second") in work.looks)
        assert sum(key.namespace == "greedy" for key in work.looks) == 6
        work.let_go.set()
        await until(lambda: len(work.looks) == 102)

    queued(story, max_concurrency=8)


def test_namespaces_take_turns():
    async def story(queue, work):
        work.let_go.clear()
        for number in range(20):
            queue.add(Key("greedy", f"{number:02}"))
        for number in range(2):
            queue.add(Key("modest", f"{number}"))
        await until(lambda: len(work.looks) == 4)
        assert Counter(key.namespace for key in work.looks) == {"greedy": 2, "modest": 2}
        work.let_go.set()
        await until(lambda: len(work.looks) == 22)

    queued(story, max_concurrency=4)


def test_one_namespace_alone_has_all_hands():
    async def story(queue, work):
        work.let_go.clear()
        for number in range(20):
            queue.add(Key("shop", f"{number:02}"))
        await until(lambda: len(work.looks) == 8)
        work.let_go.set()
        await until(lambda: len(work.looks) == 20)

    queued(story, max_concurrency=8)
