import pytest

from slipway_chassis.testing.issuer import FakeIssuer
from slipway_gateway.development_ca import ensure
from support.gateway_edge import Inventory, Upstream, running


@pytest.fixture(scope="module", name="services")
def _services():
    issuer, upstream, inventory = FakeIssuer(audience="shop").start(), Upstream().start(), Inventory()
    yield issuer, upstream, inventory
    upstream.stop()
    issuer.stop()
    inventory.server.stop(None)


@pytest.fixture(scope="module", name="edge")
def _edge(tmp_path_factory, services):
    folder = tmp_path_factory.mktemp("edge")
    with running(folder, services, ensure(folder / "certificates")) as edge:
        yield edge
