"""Two installations of the operator never act on one service."""

import asyncio

import pytest

from slipway_operator.errors import ClaimedByAnother, Refused
from slipway_operator.runtimes.kubernetes.api.kinds import CONFIG_MAP, MICROSERVICE, RELEASE_PLAN, Key
from slipway_operator.runtimes.kubernetes.process.claims import CLAIM, Claims
from support.cluster.memory_api import MemoryApi

PATH = CONFIG_MAP.path("shop", CLAIM)
SHOP, ELSEWHERE = (Key(namespace, "orders") for namespace in ("shop", "elsewhere"))


def a_cluster(kind=MemoryApi):
    """A Microservice orders in each of two namespaces."""
    api = kind()
    for namespace in ("shop", "elsewhere"):
        asyncio.run(MemoryApi.create(api, MICROSERVICE, namespace, {"metadata": {"name": "orders"}, "spec": {}}))
    return api


def test_the_first_one_acts_and_the_other_one_never_does(caplog):
    api = a_cluster()

    async def story():
        first, second = Claims(api, "slipway-system/slipway"), Claims(api, "team/operator")
        assert await first.holds(SHOP)
        assert not await second.holds(SHOP)
        assert not await second.holds(SHOP)
        assert await second.holds(ELSEWHERE)
        first.forget()
        assert await first.holds(SHOP)

    asyncio.run(story())
    said = [each.getMessage() for each in caplog.records]
    assert len(said) == 1
    assert said[0].startswith(
        "the operator 'slipway-system/slipway' acts in namespace shop, not this one (team/operator)"
    )


def test_at_rest_nothing_is_asked_and_nothing_written():
    api = a_cluster()

    async def story():
        claims = Claims(api, "slipway-system/slipway")
        assert await claims.holds(SHOP)
        api.asked.clear()
        assert await claims.holds(SHOP)

    asyncio.run(story())
    assert api.asked == []


def test_after_a_restart_nothing_is_written_that_stands_already():
    """All of a namespace's services ask at once then, and each would have tried to make the claim anew."""
    api = a_cluster()

    async def story():
        await Claims(api, "slipway-system/slipway").holds(SHOP)
        before = api.objects[PATH]["metadata"]["resourceVersion"]
        restarted = Claims(api, "slipway-system/slipway")
        assert all(await asyncio.gather(*(restarted.holds(SHOP) for _ in range(8))))
        assert api.objects[PATH]["metadata"]["resourceVersion"] == before

    asyncio.run(story())


def owners(api):
    return [each["name"] for each in api.objects[PATH]["metadata"]["ownerReferences"]]


def test_each_microservice_owns_the_claim_so_that_it_goes_with_the_last_one_though_no_operator_runs():
    api = a_cluster()

    async def story():
        claims = Claims(api, "slipway-system/slipway")
        await claims.holds(SHOP)
        assert owners(api) == ["orders"]
        await api.create(MICROSERVICE, "shop", {"metadata": {"name": "users"}, "spec": {}})
        assert await claims.holds(Key("shop", "users"))
        assert owners(api) == ["orders", "users"]
        assert not any(each["controller"] for each in api.objects[PATH]["metadata"]["ownerReferences"])
        api.asked.clear()
        assert await claims.holds(Key("shop", "users"))
        assert await claims.holds(Key("shop", "all", RELEASE_PLAN)), "a plan owns none, and is not asked about"

    asyncio.run(story())
    assert api.asked == []


def test_one_that_was_deleted_and_made_anew_is_another_owner():
    api = a_cluster()

    async def story():
        claims = Claims(api, "slipway-system/slipway")
        await claims.holds(SHOP)
        api.objects[MICROSERVICE.path("shop", "orders")]["metadata"]["uid"] = "another"
        claims.forget_service(SHOP)
        await claims.holds(SHOP)

    asyncio.run(story())
    assert [each["uid"] for each in api.objects[PATH]["metadata"]["ownerReferences"]] == ["another"]


def test_a_claim_of_a_former_release_without_owners_gets_them():
    api = a_cluster()
    api.put(CONFIG_MAP, "shop", CLAIM, {"data": {"operator": "slipway-system/slipway"}})

    assert asyncio.run(Claims(api, "slipway-system/slipway").holds(SHOP))
    assert owners(api) == ["orders"]
    assert api.objects[PATH]["data"] == {"operator": "slipway-system/slipway"}


def test_who_is_told_its_namespaces_sees_at_its_start_that_one_is_another_s():
    api = a_cluster()

    async def story():
        await Claims(api, "team/operator").check("shop")
        assert PATH not in api.objects
        await Claims(api, "slipway-system/slipway").holds(SHOP)
        with pytest.raises(ClaimedByAnother, match=f"then ConfigMap {CLAIM} of the namespace"):
            await Claims(api, "team/operator").check("shop")

    asyncio.run(story())


def test_a_claim_ends_with_the_last_microservice():
    api = a_cluster()

    async def story():
        first, second = Claims(api, "slipway-system/slipway"), Claims(api, "team/operator")
        await first.holds(SHOP)
        await first.release(SHOP)
        assert PATH in api.objects, "one is left"

        await api.delete(MICROSERVICE, "shop", "orders")
        await second.release(SHOP)
        assert PATH in api.objects, "it is another's"
        await first.release(SHOP)
        assert await first.holds(SHOP), "to look at what ends after it"
        assert PATH not in api.objects
        await api.create(MICROSERVICE, "shop", {"metadata": {"name": "orders"}, "spec": {}})
        assert await second.holds(SHOP)
        assert not await first.holds(SHOP)

    asyncio.run(story())


def test_a_namespace_that_went_with_its_services_is_claimed_anew_when_it_comes_again():
    api = a_cluster()

    async def story():
        first, second = Claims(api, "slipway-system/slipway"), Claims(api, "shop/slipway")
        await first.holds(SHOP)
        await api.delete(CONFIG_MAP, "shop", CLAIM)
        await api.delete(MICROSERVICE, "shop", "orders")
        await first.release(SHOP)

        await api.create(MICROSERVICE, "shop", {"metadata": {"name": "orders"}, "spec": {}})
        assert await second.holds(SHOP)
        assert not await first.holds(SHOP)

    asyncio.run(story())


def test_a_microservice_that_is_made_while_the_claim_ends_is_claimed_again():
    class Racing(MemoryApi):
        async def delete(self, kind, namespace, name, **options):
            await self.create(MICROSERVICE, namespace, {"metadata": {"name": "new"}, "spec": {}})
            await super().delete(kind, namespace, name, **options)

    api = a_cluster(Racing)

    async def story():
        claims = Claims(api, "slipway-system/slipway")
        await claims.holds(SHOP)
        await MemoryApi.delete(api, MICROSERVICE, "shop", "orders")
        await claims.release(SHOP)
        assert PATH in api.objects

    asyncio.run(story())


def test_what_can_not_be_claimed_is_not_left_alone():
    class Full(MemoryApi):
        async def create(self, kind, namespace, manifest):
            raise Refused("exceeded quota")

    assert asyncio.run(Claims(a_cluster(Full), "slipway-system/slipway").holds(SHOP))
