"""Every ci/*-values.yaml of the charts is installed, proves itself with `helm test`, and leaves nothing.

Only what no cluster of ours can have is put in its place: images of an imaginary registry, pods of other operators,
an issuer elsewhere, a priority class, decisions that name a version.
"""

import base64
import json

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from support.charts import CASES, CHARTS, SERVING, SHOP, WITH_DATA, case_id
from support.kind.commands import database_images, get, helm, kubectl, left, run
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1200)]
NAMESPACE = "shapes"
# Installed by the other cluster tests: by `make deploy`, test_readme.py, and each test with the operator.
ELSEWHERE = {"platform-kind", "platform-managed", "operator-plain"}
MINE = [path for path in CASES if case_id(path) not in ELSEWHERE]


def shape_of(path):
    return path.stem.removesuffix("-values")


# Plain first: its migrations run.
SHAPES = sorted({shape_of(path) for path in MINE}, key=lambda shape: (shape != "plain", shape))
DATA = "slipway"  # the release with PostgreSQL, Kafka, and users as the issuer of tokens
SMALL = {"resources": {"requests": {"cpu": "5m"}}}


@pytest.fixture(scope="module", name="tag")
def _tag(operator):
    """PostgreSQL and Kafka, and what the shapes name: Secrets of databases, and brokers by two names."""
    without = [f"{name}.enabled=false" for name in ("gateway", *SHOP) if name != "users"]
    small = [f"users.{process}.resources.requests.cpu=5m" for process in ("http", "consumer", "relay")]
    options = [part for each in without + small for part in ("--set", each)]
    run("env", f"NAMESPACE={NAMESPACE}", ROOT / "ci" / "deploy.sh", "--fresh", *options, timeout=900)
    urls = get("secret", f"{DATA}-postgresql", namespace=NAMESPACE)["data"]
    objects = [secret("shared", value=base64.b64encode(b"x").decode())]
    for service in WITH_DATA:
        objects += [secret(f"{service}-{suffix}", uri=urls[f"{service}-url"]) for suffix in ("database", "app")]
    objects += [broker(name) for name in ("kafka", "kafka-kafka-bootstrap")]
    objects += [secret("platform-external-keys", **get("secret", f"{DATA}-keys", namespace=NAMESPACE)["data"])]
    # They let in their own platform alone, where policies are enforced; shapes are releases of other names.
    kubectl("delete", "networkpolicy", f"{DATA}-postgresql", f"{DATA}-kafka", namespace=NAMESPACE)
    manifest = {"apiVersion": "v1", "kind": "List", "items": objects}
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest), namespace=NAMESPACE)
    yield operator
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


def secret(name, **data):
    """Its data are in base64."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def broker(name):
    spec = {"type": "ExternalName", "externalName": f"{DATA}-kafka.{NAMESPACE}.svc.cluster.local"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def from_keys(key):
    return {"valueFrom": {"secretKeyRef": {"name": f"{DATA}-keys", "key": key}}}


SECRETS = {
    "users": {"SIGNING_KEYS_SECRET": from_keys("signing-keys")},
    "storefront": {"SESSION_SECRET": from_keys("session")},
}


def processes(chart, secrets=None):
    """Small ones: several shapes stand side by side on two cores."""
    extra = SMALL | ({"extraEnv": secrets} if secrets else {})
    others = {"consumer": extra, "relay": SMALL, "migration": SMALL} if chart in WITH_DATA else {}
    return {SERVING[chart]: extra} | others


def here(chart, tag):
    """What is put in the place of things that no cluster of ours has."""
    image = {"repository": f"slipway/{chart}", "tag": tag, "digest": ""}
    if chart == "platform":
        return {"global": {"imageTag": tag}} | {name: processes(name) for name in SHOP} | {"gateway": SMALL}
    if chart == "operator":
        return {"image": image, "priorityClassName": "", "watchNamespaces": [NAMESPACE],
                "networkPolicy": {"apiServerTo": []}}  # fmt: skip
    if chart == "dev-databases":
        return {name: {"image": image, "storageClass": None} for name, image in database_images().items()}
    if chart == "gateway":
        return {"image": image} | SMALL
    values = {
        "image": image,
        "auth": {"jwksUrl": f"http://{DATA}-users/.well-known/jwks.json"},
        "networkPolicy": {"issuerPort": 8000, "databaseTo": [], "kafkaTo": []},
    }
    return values | processes(chart, SECRETS.get(chart, {}))


UNANSWERED = {"dryRun": True, "intervalSeconds": 5, "timeoutSeconds": 10}  # there is no Prometheus here
DECISIONS = {"promote": None, "activeVersion": None, "promotionWindow": None, "autoPromote": True}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_installed_and_leaves_nothing(shape, tag, tmp_path):
    mine = [path for path in MINE if shape_of(path) == shape]

    before = there()
    try:
        for path in mine:
            install(path, tag, tmp_path)
        for path in mine:
            ready(case_id(path))
            helm("test", case_id(path), "--timeout", "2m", namespace=NAMESPACE)
    finally:
        for path in mine:
            helm("uninstall", case_id(path), "--ignore-not-found", namespace=NAMESPACE)
    eventually(lambda: there() == before, within=180, every=1)


def install(path, tag, folder):
    chart = path.parent.parent.name
    values = here(chart, tag)
    shape = yaml.safe_load(path.read_text())
    if shape_of(path) == "managed":
        gates = shape["release"].get("gates", [])
        values["release"] = DECISIONS | {
            "gates": [each | (UNANSWERED if "prometheus" in each else {}) for each in gates]
        }
    for container in shape.get("initContainers", []):
        values["initContainers"] = [container | {"image": f"slipway/{chart}:{tag}"}]
    if "podMonitor" in shape:
        values["podMonitor"] = {"enabled": False}  # the Prometheus operator is not here
    if "httpRoute" in shape:
        values["httpRoute"] = {"enabled": False}  # neither are the definitions of the Gateway API
    if "nodePort" in shape.get("http", {}):
        port = shape["http"]["nodePort"] - 1 - SHOP.index(chart)  # side by side on one node
        values["http"] = values["http"] | {"nodePort": port}
    if shape_of(path) == "tls":
        values["service"] = {"nodePort": 30880}  # the shop's gateway has 30080
    overlay = folder / f"{chart}.json"
    overlay.write_text(json.dumps(values))
    # Not --wait: it would wait for the address of a load balancer, and nobody gives one here.
    helm("install", case_id(path), CHARTS / chart, "-f", path, "-f", overlay, namespace=NAMESPACE)


def ready(release):
    mine = ("-l", f"app.kubernetes.io/instance={release}")
    for each in get("deployments,statefulsets", *mine, namespace=NAMESPACE)["items"]:
        name = f"{each['kind']}/{each['metadata']['name']}"
        kubectl("rollout", "status", name, "--timeout=300s", namespace=NAMESPACE, timeout=320)
    for each in get("microservices", *mine, namespace=NAMESPACE)["items"]:
        name = f"microservice/{each['metadata']['name']}"
        kubectl("wait", "--for=condition=Ready", name, "--timeout=300s", namespace=NAMESPACE, timeout=320)


def there():
    """All that is in the namespace; with it, what the operator makes, and rights in the whole cluster."""
    more = ",microservices,serviceversions,releaseplans,roles,rolebindings,clusterroles,clusterrolebindings"
    return {name for name in left(more, namespace=NAMESPACE) if "system:" not in name}
