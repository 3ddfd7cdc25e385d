"""The values of production (k8s/platform-values.yaml) on kind, with TLS to everything: gateway, services, Kafka with
SCRAM and rights, PostgreSQL with verify-full. Releases and renewed certificates under load, and who is not let in.

Certificates are cert-manager's, by its own controllers; those of services by the authority of docs/security.md. 12 min.
"""

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from support.kind import production
from support.kind.cert_manager import renew, running
from support.kind.commands import NAMESPACE, RELEASE, get, helm, kubectl, run
from support.kind.microservice import QUICK, Microservice
from support.load import Load
from support.repository import ROOT
from support.shop import Customer

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1800)]
TEA = {"item": "tea", "quantity": 1, "unit_price_cents": 350}
SERVICES = ["gateway", "users", "orders", "inventory", "storefront"]
GATEWAY = "https://127.0.0.1:30080"
GROUP = {"release": {"bootstrapServers": f"{production.BROKER}:9093"}}


def values():
    """What k8s/platform-values.yaml leaves to a team, and what this cluster has no load balancer and no ACME for."""
    callers = [f"{{{{ .Release.Name }}}}-{each}" for each in ("gateway", "storefront")]
    service = {"type": "NodePort", "nodePort": 30081, "tlsNodePort": 30080}
    return {
        "global": {"auth": {"issuer": GATEWAY}, "internalTls": {"enabled": True, "issuerRef": {"name": "internal"}}},
        "gateway": {"service": service, "tls": {"acme": {"enabled": False}}},
        "users": GROUP,
        "orders": {"internalTls": {"callers": callers}} | GROUP,
    }


@pytest.fixture(scope="module", name="client_image", autouse=True)
def _client_image(operator, tmp_path_factory):
    """Users and orders are released by the operator; orders may be called by gateway and storefront alone."""
    folder = tmp_path_factory.mktemp("shop")
    own = folder / "own.yaml"
    own.write_text(yaml.safe_dump(values()))
    with running(folder):
        client_image = production.installed(folder)
        production.let_the_operator_ask()
        files = [ROOT / "k8s" / "platform-values.yaml", ROOT / "tests" / "e2e" / "managed-values.yaml", own]
        options = [part for file in files for part in ("--values", file)]
        run(f"{ROOT}/ci/deploy.sh", *options, timeout=900)
        for service in ("users", "orders"):
            kubectl("wait", "--for=condition=Ready", f"microservice/{RELEASE}-{service}", "--timeout=300s", timeout=320)
        with pytest.MonkeyPatch.context() as environment:
            for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
                environment.setenv(name, str(folder / "gateway-ca.crt"))
            yield client_image
        helm("uninstall", RELEASE, "--ignore-not-found", "--wait", "--timeout", "5m")
        production.removed()


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


CONNECT = """
import os, sys, psycopg
try:
    psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=5, **dict(pair.split("=") for pair in sys.argv[1:]))
    print("connected")
except psycopg.OperationalError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "connected"),
        (["sslrootcert=/etc/internal-tls/ca.crt"], "certificate verify failed"),
        (["sslmode=disable", "sslrootcert="], "closed the connection"),
    ],
    ids=["as the charts say", "another authority", "plain text"],
)
def test_a_database_is_asked_by_tls_alone_and_has_to_prove_its_name(words, said):
    pod = get("pods", "-l", "app.kubernetes.io/name=orders,app.kubernetes.io/component=http")["items"][0]
    told = kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", CONNECT, *words)
    assert said in told


def test_nobody_speaks_to_the_broker_in_the_name_of_another(client_image):
    """An event of orders that inventory writes: the broker refuses it."""
    program = """
import json, sys
from slipway_chassis.config import KafkaSettings, load
from slipway_chassis.events import kafka
from slipway_chassis.events.ports import Record
open("/tmp/ca.crt", "w").write(json.load(sys.stdin)["authority"])
publisher = kafka.publisher(load(KafkaSettings), client_id="forger")
print(publisher.publish([Record(topic, b"k", b"forged") for topic in ("users.user.v1", "orders.order.v1")]))
"""
    password = production.text_of("inventory-kafka", "password")
    given = {"authority": production.text_of("kafka-ca", "ca.crt")}
    told = production.asked_as("inventory-kafka", password, client_image, program, given)
    assert told.count("PublishFailed('TopicAuthorizationFailedError") == 2, told


def renewals(service):
    """How often the pods that answer have taken renewed certificates, the least of them."""
    chosen = f"app.kubernetes.io/name={service},app.kubernetes.io/component in (http,grpc)"
    running = get("pods", "-l", chosen, "--field-selector=status.phase=Running")["items"]
    logs = [kubectl("logs", pod["metadata"]["name"]) for pod in running]
    return min(text.count("renewed certificates are in use") for text in logs)


def renew_all():
    databases = [f"{name}-db-server" for name in production.DATABASES]
    renew("gateway-tls", *(f"{RELEASE}-{service}-internal" for service in SERVICES), *databases)
    renew("broker-server", namespace=production.BROKERS)
    production.take_renewed_certificates()


def test_releases_and_renewed_certificates_fail_no_request_and_lose_no_order(customer, api):
    orders = Microservice(api, NAMESPACE, f"{RELEASE}-orders")
    reads = [("GET", "/v1/orders?limit=1", None), ("GET", "/v1/inventory/items", None)] * 2
    with Load(customer, [*reads, ("POST", "/v1/orders", TEA)], rate=50, seconds=1200) as load:
        load.wait_for(300)
        for _ in range(2):
            before = {service: renewals(service) for service in ("users", "inventory")}
            generation = orders.release(**QUICK)
            renew_all()
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


def test_the_operator_knew_who_was_in_the_group():
    """By its own name at the broker: it hands over to nobody while it does not know."""
    status = get("microservice", f"{RELEASE}-orders")["status"]
    [found] = [each for each in status["conditions"] if each["type"] == "ConsumersHandedOver"]
    assert (found["status"], found["reason"]) == ("True", "HandedOver")


def listed(customer):
    return len(customer.call("GET", "/v2/users/me/orders?limit=1000")[1]["orders"])
