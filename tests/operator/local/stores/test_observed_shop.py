"""The shop beside real Prometheus, Alertmanager and VictoriaLogs: alerts fire by their fault and clear, dashboards have
data, each order is found in the logs, and a store that dies costs nothing.
"""

import json
import os
import signal

import psutil
import pytest

from slipway_chassis.embedded.processes import free_port
from slipway_operator.runtimes.local.stores import configuration, programs
from slipway_operator.tour import faults
from support.observed_shop import Asking, ObservedShop, ask
from support.repository import ROOT
from support.shop import Customer
from support.tools import tool

pytestmark = [
    pytest.mark.demo,
    *(
        pytest.mark.skipif(tool(name) is None, reason=f"not built: ci/tools/install.sh {name}")
        for name in ("prometheus", "alertmanager", "victoria-logs")
    ),
]
BASE_PORT = 32000  # of its own: the shop of other tests may be up, and what is above is taken by outgoing connections
ORDER = {"item": "tea", "quantity": 1, "unit_price_cents": 350}
PATIENCE = 180  # seconds: a broker that was killed takes its time on a busy machine
DASHBOARDS = ROOT / "k8s" / "monitoring" / "dashboards"


@pytest.fixture(scope="module", name="shop")
def _shop(run_folder, machine):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configuration, "SCRAPE_SECONDS", 1)
        with ObservedShop(run_folder / "observed", machine, gateway=free_port(), base=BASE_PORT) as running:
            yield running
            print(f"\nmemory: {running.stores.memory()} beside {running.world.platform.memory()}")


@pytest.fixture(scope="module", name="customer")
def _customer(shop):
    return Customer(shop.layout.gateway_url)


@pytest.fixture(scope="module", name="orders")
def _orders(customer):
    """Ten orders, of which some are paid; and one page, for which the storefront calls others."""
    placed = [customer.call("POST", "/v1/orders", ORDER)[1]["id"] for _ in range(10)]
    customer.page_when_signed_in()
    return placed


def test_all_are_told_with_their_addresses(shop, eventually):
    there = [program for program in programs.ALL if tool(program.name)]

    eventually(lambda: {program.title for program in there} <= {what for what, _ in shop.told})
    said = dict(shop.told)
    assert said["Prometheus"] == f"http://127.0.0.1:{shop.stores.ports.prometheus}/"


def test_every_process_is_asked_by_prometheus(shop, eventually):
    names = {child.name for child in shop.world.platform.children if " " in child.name} - {"orders relay 2"}

    def asked():
        found = {
            f"{labels['app_kubernetes_io_name']} {labels['app_kubernetes_io_component']}"
            for labels in (each["metric"] for each in shop.query("up == 1"))
            if "app_kubernetes_io_component" in labels
        }
        return found == names

    eventually(asked)
    assert shop.query('up{pod="gateway"} == 1')


def test_every_order_is_found_in_the_lines_of_four_processes(shop, orders, eventually):
    def found(order):
        lines = shop.lines_about(order)
        return len(lines) >= 5 and len({line["source"] for line in lines}) >= 4

    for order in orders:
        eventually(lambda order=order: found(order), within=30)


def queries(dashboard):
    board = json.loads((DASHBOARDS / f"{dashboard}.json").read_text())
    return [target["expr"].replace("$namespace", ROOT.name) for panel in board["panels"] for target in panel["targets"]]


def test_every_query_of_the_services_dashboard_returns_data(shop, orders, eventually):
    """Of a shop without a fault: that there are no errors is data as well."""
    for query in queries("services"):
        eventually(lambda query=query: shop.query(query), within=30)


def test_every_query_of_the_releases_dashboard_is_read(shop):
    """What it shows is the operator's, which is on a cluster."""
    for query in queries("releases"):
        assert shop.query(query) == []


def test_a_dead_letter_fires_its_alert_which_clears(shop, orders, eventually):
    faults.poison(shop.world.kafka_settings, "orders.order.v1")
    alert = eventually(lambda: shop.firing().get("EventsDeadLettered"))
    assert alert["labels"]["app_kubernetes_io_name"] in {"users", "inventory"}
    assert "moved events to a dead-letter topic: invalid" in alert["annotations"]["summary"]
    eventually(lambda: "EventsDeadLettered" not in shop.firing(), within=PATIENCE)


@pytest.mark.soak
def test_a_database_that_is_gone_burns_the_error_budget_until_it_is_back(shop, customer, orders, eventually):
    with Asking(customer, "GET", f"/v1/orders/{orders[0]}") as asking:
        with shop.world.held():
            shop.world.kill("PostgreSQL")
            alert = eventually(lambda: shop.firing().get("ErrorBudgetBurnsFast"), within=PATIENCE)
        assert alert["labels"]["service"] == "orders"
        assert alert["labels"]["app_kubernetes_io_version"] == "dev"
        eventually(lambda: asking.statuses[-1] == 200)
        eventually(lambda: "ErrorBudgetBurnsFast" not in shop.firing(), within=PATIENCE)


@pytest.mark.soak
def test_a_broker_that_is_gone_fires_the_outbox_alert_which_clears(shop, customer, orders, eventually):
    with shop.world.held():
        shop.world.kill("Kafka")
        assert customer.call("POST", "/v1/orders", ORDER)[0] == 201
        alert = eventually(lambda: shop.firing().get("OutboxNotDraining"))
        assert alert["labels"]["pod"] == "orders-relay-dev"
    eventually(lambda: "OutboxNotDraining" not in shop.firing(), within=PATIENCE)


def test_stores_that_die_cost_no_request_and_get_the_lines_they_missed(shop, customer, orders, eventually):
    with Asking(customer, "POST", "/v1/orders", ORDER) as asking:
        before = {child.name: child.pid for child in shop.stores.children}
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(asking.statuses) >= 20)
        eventually(lambda: all(c.alive and c.pid != before[c.name] for c in shop.stores.children))
    assert set(asking.statuses) == {201}
    late = customer.call("POST", "/v1/orders", ORDER)[1]["id"]
    eventually(lambda: len(shop.lines_about(late)) >= 5)
    eventually(lambda: shop.query("up == 1"))


@pytest.mark.soak
@pytest.mark.skipif(not psutil.LINUX, reason="macOS has no limit of another process")
def test_a_store_without_a_disk_costs_no_request(shop, customer, orders, eventually):
    store = shop.store("victoria-logs")
    eventually(lambda: store.alive)
    pid = store.pid
    psutil.Process(pid).rlimit(psutil.RLIMIT_FSIZE, (0, 0))  # nothing can be written any more
    with Asking(customer, "POST", "/v1/orders", ORDER) as asking:
        eventually(lambda: store.pid != pid and store.alive)
        eventually(lambda: len(asking.statuses) >= 20)
    assert set(asking.statuses) == {201}
    late = customer.call("POST", "/v1/orders", ORDER)[1]["id"]
    eventually(lambda: len(shop.lines_about(late)) >= 5)


@pytest.mark.soak
def test_relays_that_are_gone_fire_an_alert_which_clears(shop, customer, orders, eventually):
    """They can't say themselves that they are gone."""
    with shop.world.held():
        for child in [child for child in shop.world.platform.children if child.name.startswith("orders relay")]:
            os.kill(child.pid, signal.SIGKILL)
        alert = eventually(lambda: shop.firing().get("NoRelayActive"))
        assert alert["labels"]["app_kubernetes_io_name"] == "orders"
        assert customer.call("POST", "/v1/orders", ORDER)[0] == 201
    eventually(lambda: "NoRelayActive" not in shop.firing(), within=PATIENCE)


@pytest.mark.skipif(tool("jaeger") is None, reason="not built: ci/tools/install.sh jaeger")
def test_jaeger_has_the_traces(shop, customer, orders, eventually):
    eventually(lambda: customer.call("POST", "/v1/orders", ORDER)[0] == 201)

    def services():
        answer = ask(shop.stores.ports.jaeger, "/api/traces", {"service": "orders", "limit": 50})
        traces = json.loads(answer)["data"]
        return any(
            {"users", "orders", "inventory"} <= {each["serviceName"] for each in trace["processes"].values()}
            for trace in traces
        )

    eventually(services)
