"""What the charts render, written down: a change of a template shows what it does to objects, in review.

Where a change is meant: GOLDEN=write make unit T=tests/charts/test_golden.py
"""

import copy
import os

import pytest
import yaml

from support.charts import CHARTS, SHOP, of_kind, pod_templates, render
from support.repository import ROOT

pytestmark = pytest.mark.charts
GOLDEN = ROOT / "tests" / "charts" / "golden"
# Each kind of object that a chart makes is in one of these; definitions of resources have a test of their own.
CASES = [*(f"{service}-managed" for service in SHOP), "orders-full", "inventory-grpc-only", "users-worker",
         "dev-databases-plain", "gateway-full", "gateway-tls", "operator-plain", "operator-full",
         "platform-kind"]  # fmt: skip
KEDA = "keda.enabled=true,kafka.security.protocol=SSL,kafka.security.caSecretName=kafka-ca"
MORE = {
    "gateway-tls": ("--set", "tls.issuerRef.name=letsencrypt,tls.acme.enabled=true"),
    "gateway-full": ("--set", "ingress.enabled=true,ingress.hostnames={shop.example.org}"),
    "orders-full": ("--set", KEDA),
}


def rendered(name):
    chart, _, case = name.rpartition("-") if name.startswith("dev-") else name.partition("-")
    objects = render(chart, CHARTS / chart / "ci" / f"{case}-values.yaml", *MORE.get(name, ()))
    if chart == "platform":  # its own alone: each part has golden ones
        objects = [
            each
            for each in objects
            if each["metadata"]["labels"]["helm.sh/chart"].startswith(("platform-", "dev-databases-"))
        ]
    kept = copy.deepcopy([each for each in objects if each["kind"] != "CustomResourceDefinition"])
    for each in of_kind(kept, "ConfigMap"):
        each["binaryData"] = dict.fromkeys(each.get("binaryData", {}), "a file of the chart")
        if "gateway.yaml" in each["data"]:
            each["data"]["gateway.yaml"] = "routes, to which each new service adds its own: test_gateway.py"
    for each in of_kind(kept, "Secret"):
        each["data"] = dict.fromkeys(each["data"], "made anew by each rendering")
    for _, _, template in pod_templates(kept) if chart == "gateway" else ():
        template["metadata"]["annotations"]["checksum/config"] = "of the routes"
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in kept}


@pytest.mark.parametrize("name", CASES)
def test_it_is_as_it_was(name):
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(yaml.safe_dump_all(rendered(name).values(), sort_keys=True, width=120))
    golden = {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(path.read_text())}

    assert rendered(name).keys() == golden.keys()
    for key, each in rendered(name).items():
        assert each == golden[key], key


def test_every_kind_of_object_is_in_one():
    made = set()
    for name in CASES:
        made |= {(each["metadata"]["labels"]["helm.sh/chart"].rpartition("-")[0], each["kind"])
                 for each in rendered(name).values()}  # fmt: skip
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)
    kinds = {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "Pod", "PodDisruptionBudget",
             "PodMonitor", "ServiceAccount"}  # fmt: skip
    assert {kind for chart, kind in made if chart == "orders"} == kinds | {
        "CronJob", "Job", "Service", "Microservice", "ScaledObject", "TriggerAuthentication",
    }  # fmt: skip
    assert {kind for chart, kind in made if chart == "gateway"} == kinds | {
        "Service",
        "Certificate",
        "HTTPRoute",
        "Ingress",
    }
    assert {kind for chart, kind in made if chart == "operator"} >= kinds - {
        "ConfigMap",
        "HorizontalPodAutoscaler",
        "Pod",
    }
    assert {kind for chart, kind in made if chart == "platform"} == {"Secret"}
    assert {kind for chart, kind in made if chart == "dev-databases"} == {
        "ConfigMap", "NetworkPolicy", "Secret", "Service", "StatefulSet",
    }  # fmt: skip
