"""A ReleasePlan on a real cluster and under load: the last wave fails after all were promoted, and all return."""

import json

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import NAMESPACE, RELEASE, kubectl
from support.kind.microservice import GROUP, QUICK, RELEASE_SECONDS, Microservice
from support.kind.traffic import READS, assert_no_event_was_lost_doubled_or_misordered, traffic

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1200)]
PLAN = "together"
WATCH = {"watchSeconds": 5}


@pytest.fixture(name="services")
def _services(api, managed):
    return [Microservice(api, NAMESPACE, f"{RELEASE}-{name}") for name in ("users", "orders", "storefront")]


def plan(services):
    """A wave for each, to the version that it gets below."""
    waves = [
        {"name": each.name.removeprefix(f"{RELEASE}-"), "services": [{"name": each.name, "version": "2.0"}]}
        for each in services
    ]
    manifest = {"apiVersion": "slipway.dev/v1alpha1", "kind": "ReleasePlan", "metadata": {"name": PLAN}}
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest | {"spec": {"waves": waves}}))


def second_version(service, **changes):
    def edit(spec):
        spec.update(version="2.0", strategy=QUICK, **WATCH, **changes)
        [container] = spec["components"]["http"]["template"]["spec"]["containers"]
        others = [each for each in container.get("env", []) if each["name"] != "RELEASED_AS"]
        container["env"] = [*others, {"name": "RELEASED_AS", "value": "2.0"}]

    return service.change(edit)


def test_three_services_return_together_when_the_last_one_fails(services, api, auditor):
    """Its gate fails while it is watched: by then all three have answered requests with their new versions."""
    users, orders, storefront = services
    former = {each.name: each.active for each in services}
    before = {each.name: each.get()["spec"] for each in services}
    seen = {each.name: set() for each in services}
    fails = {"name": "smoke", "type": "http", "phase": "afterPromotion", "timeoutSeconds": 30, "intervalSeconds": 1}

    def ended():
        for each in services:
            seen[each.name].add(each.selected())
        return (api.get(f"{GROUP}/{NAMESPACE}/releaseplans/{PLAN}").get("status") or {}).get("ended")

    with traffic([*READS, ("GET", "/", None)]) as flowing:
        plan(services)
        second_version(users)
        second_version(orders)
        second_version(storefront, gates=[fails | {"http": {"path": "/nowhere"}}])
        eventually(ended, within=2 * RELEASE_SECONDS, every=0.2)

    status = api.get(f"{GROUP}/{NAMESPACE}/releaseplans/{PLAN}")["status"]
    print(f"  {status['failure']}")
    assert (status["phase"], {each["state"] for each in status["services"]}) == ("Failed", {"Back"})
    assert "gate smoke failed: /nowhere answered" in status["failure"]
    assert {name: len(versions) for name, versions in seen.items()} == dict.fromkeys(former, 2), "all had been promoted"
    assert {each.name: each.active for each in services} == {each.name: each.selected() for each in services} == former
    assert_no_event_was_lost_doubled_or_misordered(auditor, flowing)

    kubectl("delete", "releaseplan", PLAN)
    for each in services:
        each.wait(each.change(lambda spec, name=each.name: (spec.clear(), spec.update(before[name]))))
        assert each.active == former[each.name]
