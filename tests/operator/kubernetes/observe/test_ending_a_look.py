"""Who ends a look at a consumer group ends it, also where its answer comes in that moment."""

import asyncio
import threading
from contextlib import closing

import pytest

from slipway_chassis.events.kafka.groups import Group
from slipway_operator.planning.observed import GroupView
from slipway_operator.runtimes.kubernetes.observe.consumer_group import BrokerInspector, Membership


class Broker:
    """Answers when it is let go."""

    def __init__(self):
        self.asked, self.let_go = threading.Event(), threading.Event()

    def describe(self, group):
        self.asked.set()
        self.let_go.wait(30)
        return Group("Empty", ())

    def close(self):
        pass


@pytest.mark.parametrize("turns", range(8))
def test_a_look_that_is_ended_while_its_answer_comes_is_ended(turns):
    """An answer takes some turns of the loop to come from its thread; in each of them the look may be ended."""
    broker = Broker()

    async def story(inspector):
        looking = asyncio.create_task(inspector.inspect(Membership("kafka:9092", "orders")))
        await asyncio.to_thread(broker.asked.wait, 30)
        broker.let_go.set()
        inspector._threads.shutdown(wait=True)  # the answer is on its way, and the loop has not seen it
        for _ in range(turns):
            await asyncio.sleep(0)
        if looking.done():
            return looking.result() == GroupView(settled=True)
        looking.cancel()
        await asyncio.wait([looking])
        return looking.cancelled()

    with closing(BrokerInspector(lambda _: broker)) as inspector:
        assert asyncio.run(story(inspector))
