"""TLS between all services on kind: releases and renewed certificates under load, and who has no certificate.

Certificates are issued by cert-manager's controllers, by the authority of docs/security.md.
"""

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from support.kind.cert_manager import issuers_of_the_page, renew, running
from support.kind.commands import GATEWAY, NAMESPACE, RELEASE, get, helm, kubectl, run
from support.kind.microservice import QUICK, Microservice
from support.load import Load
from support.repository import ROOT
from support.shop import Customer

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1800)]
TEA = {"item": "tea", "quantity": 1, "unit_price_cents": 350}
SERVICES = ["gateway", "users", "orders", "inventory", "storefront"]


@pytest.fixture(scope="module", name="shop", autouse=True)
def _shop(operator, tmp_path_factory):
    """Users and orders are released by the operator; orders may be called by gateway and storefront alone."""
    folder = tmp_path_factory.mktemp("shop")
    values = folder / "tls.yaml"
    callers = [f"{{{{ .Release.Name }}}}-{each}" for each in ("gateway", "storefront")]
    tls = {"enabled": True, "issuerRef": {"name": "internal"}}
    gateway = {"extraObjects": list(yaml.safe_load_all(issuers_of_the_page()))}
    values.write_text(
        yaml.safe_dump(
            {"global": {"internalTls": tls}, "orders": {"internalTls": {"callers": callers}}, "gateway": gateway}
        )
    )
    with running(folder):
        yield from _installed(values)


def _installed(values):
    managed = ROOT / "tests" / "e2e" / "managed-values.yaml"
    run(f"{ROOT}/ci/deploy.sh", "--fresh", "--values", managed, "--values", values, timeout=900)
    for service in ("users", "orders"):
        kubectl("wait", "--for=condition=Ready", f"microservice/{RELEASE}-{service}", "--timeout=300s", timeout=320)
    yield
    helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout", "5m")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


@pytest.fixture(name="customer")
def _customer():
    return Customer(GATEWAY)


def asked_from(service, url, *, shown=True):
    """What a pod of a service is answered over TLS, with its own certificate or without one."""
    program = f"""
import ssl, urllib.error, urllib.request
context = ssl.create_default_context(cafile="/etc/internal-tls/ca.crt")
if {shown}:
    context.load_cert_chain("/etc/internal-tls/tls.crt", "/etc/internal-tls/tls.key")
try:
    print(urllib.request.urlopen({url!r}, timeout=10, context=context if {url!r}.startswith("https") else None).status)
except urllib.error.HTTPError as error:
    print(error.code)
except OSError as error:
    print("no answer")
"""
    pod = get("pods", "-l", f"app.kubernetes.io/name={service},app.kubernetes.io/component in (http,grpc)")["items"][0]
    return kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", program).strip()


def test_helm_test_passes():
    assert "Succeeded" in helm("test", RELEASE)


def test_who_has_no_certificate_is_not_answered():
    orders, users = f"https://{RELEASE}-orders:80/readyz", f"https://{RELEASE}-users:80/readyz"
    assert asked_from("storefront", orders) == "200"
    assert asked_from("inventory", users) == "200"
    assert asked_from("storefront", orders, shown=False) == "no answer"
    assert asked_from("storefront", orders.replace("https", "http")) == "no answer"


def test_a_visitor_signs_in_through_the_pages(customer):
    assert "Ada" in customer.page_when_signed_in()


def renewals(service):
    """How often the pods that answer have taken renewed certificates, the least of them."""
    chosen = f"app.kubernetes.io/name={service},app.kubernetes.io/component in (http,grpc)"
    running = get("pods", "-l", chosen, "--field-selector=status.phase=Running")["items"]
    logs = [kubectl("logs", pod["metadata"]["name"]) for pod in running]
    return min(text.count("renewed certificates are in use") for text in logs)


def test_releases_and_renewed_certificates_fail_no_request_and_lose_no_order(customer, api):
    orders = Microservice(api, NAMESPACE, f"{RELEASE}-orders")
    reads = [("GET", "/v1/orders?limit=1", None), ("GET", "/v1/inventory/items", None)] * 2
    with Load(customer, [*reads, ("POST", "/v1/orders", TEA)], rate=50) as load:
        load.wait_for(300)
        for _ in range(2):
            before = {service: renewals(service) for service in ("users", "inventory")}
            renew(*(f"{RELEASE}-{service}-internal" for service in SERVICES))
            generation = orders.release(**QUICK)
            for service, count in before.items():
                eventually(lambda service=service, count=count: renewals(service) > count, within=300, every=5)
            orders.wait(generation)
        load.wait_for(300)

    print(
        f"{load.sent} requests during two releases and two renewals: {dict(load.answers)}, {len(load.failures)} failed"
    )
    assert load.failures == []
    assert sorted(set(load.created)) == sorted(load.created)
    eventually(lambda: listed(customer) >= min(1000, len(load.created)), within=180)


def listed(customer):
    return len(customer.call("GET", "/v2/users/me/orders?limit=1000")[1]["orders"])
