"""The charts, rendered by helm, and what their objects hold."""

import functools
import subprocess

import yaml

from support.repository import ROOT
from support.tools import TOOLS

CHARTS = ROOT / "charts"
LIBRARIES = ["base", "service"]
ALONE = ["dev-databases", "gateway", "operator"]  # no service's charts, each of which may be installed by itself
SERVICES = sorted({path.name for path in CHARTS.iterdir()} - {*LIBRARIES, "platform", *ALONE})
SHOP = [each["name"] for each in yaml.safe_load((CHARTS / "platform" / "Chart.yaml").read_text())["dependencies"]
        if each["name"] in SERVICES]  # fmt: skip
CASES = sorted(
    path for chart in (*SERVICES, *ALONE, "platform") for path in (CHARTS / chart / "ci").glob("*-values.yaml")
)
KUBERNETES_VERSIONS = ("1.30.14", "1.36.3")  # the oldest and the newest that the charts are for
# What each service answers with, and whether it keeps data and speaks by events.
SERVING = {service: "grpc" if service == "inventory" else "http" for service in SERVICES}
WITH_DATA = [service for service in SERVICES if service != "storefront"]


class Once(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # one of two
    """Each key of a mapping once: Helm takes the last of two without a word, and kustomize and Flux refuse them."""

    def construct_mapping(self, node, deep=False):  # noqa: FBT002 # as PyYAML has it
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(set(map(str, keys))) == len(keys), f"twice in one mapping: {keys} {node.start_mark}"
        return super().construct_mapping(node, deep)


def helm(*arguments, program="helm"):
    return subprocess.run(
        [f"{TOOLS}/{program}", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )


@functools.cache
def render(chart, case=None, *options):
    """The chart's objects with a ci values file and further options."""
    values = ("-f", case) if case else ()
    done = helm("template", "r", CHARTS / chart, *values, *options)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.load_all(done.stdout, Loader=Once) if document]  # a safe one


def case_id(path):
    return f"{path.parent.parent.name}-{path.stem.removesuffix('-values')}"


def of_kind(objects, *kinds):
    return [item for item in objects if item["kind"] in kinds]


def pod_templates(objects):
    """(name, process, template) of everything that makes pods, a Microservice's processes and migration included."""
    for item in of_kind(objects, "Deployment", "StatefulSet", "Job"):
        template = item["spec"]["template"]
        yield f"{item['kind']}/{item['metadata']['name']}", template["spec"]["containers"][0]["name"], template
    for item in of_kind(objects, "CronJob"):
        template = item["spec"]["jobTemplate"]["spec"]["template"]
        yield f"CronJob/{item['metadata']['name']}", template["spec"]["containers"][0]["name"], template
    for item in of_kind(objects, "Microservice"):
        made = {process: each["template"] for process, each in item["spec"]["components"].items()}
        made |= {"migrate": item["spec"]["migrations"]["expand"]} if "migrations" in item["spec"] else {}
        for process, template in made.items():
            yield f"Microservice/{item['metadata']['name']}/{process}", process, template


def pods(objects):
    """(name, pod spec, pod labels) of everything that makes pods."""
    for name, _, template in pod_templates(objects):
        yield name, template["spec"], template["metadata"]["labels"]
    for item in of_kind(objects, "Pod"):
        yield f"Pod/{item['metadata']['name']}", item["spec"], item["metadata"]["labels"]
