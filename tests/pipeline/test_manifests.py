"""k8s/: kustomize builds each folder, its readers know every field, and names agree with the code and the charts."""

import subprocess
from itertools import chain

import pytest
import yaml

from inventory.bootstrap import SERVICE as INVENTORY
from orders.bootstrap import SERVICE as ORDERS
from slipway_chassis.events.dead_letters import dead_letter_topic, retry_topic
from support.charts import KUBERNETES_VERSIONS, WITH_DATA, render
from support.cluster.api_server import ApiServer
from support.repository import ROOT
from support.tools import TOOLS
from users.bootstrap import SERVICE as USERS

pytestmark = pytest.mark.integration
K8S = ROOT / "k8s"
FOLDERS = sorted(path.parent.name for path in K8S.glob("*/kustomization.yaml"))
OF_OTHERS = ("strimzi.io", "cnpg.io", "cert-manager.io", "coreos.com", "argoproj.io", "toolkit.fluxcd.io")
SCHEMAS = f"{K8S}/schemas/crds/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


def kustomized(folder):
    done = subprocess.run(
        [f"{TOOLS}/kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def everything(folders=FOLDERS):
    return list(chain.from_iterable(kustomized(K8S / folder) for folder in folders))


def named(kind, folder):
    return {item["metadata"]["name"]: item for item in kustomized(K8S / folder) if item["kind"] == kind}


def is_custom(item):
    group = item["apiVersion"].partition("/")[0]
    return group.endswith(OF_OTHERS) or group == "slipway.dev"


def kubeconform(objects):
    return subprocess.run(
        [f"{TOOLS}/kubeconform", "-strict", "-summary", "-kubernetes-version", KUBERNETES_VERSIONS[-1],
         "-schema-location",
         SCHEMAS],
        input=yaml.safe_dump_all(objects), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_there_is_a_folder_for_each_concern():
    assert FOLDERS == [
        "argo-cd", "cert-manager", "examples", "flux", "kafka", "kube-prometheus-stack", "monitoring", "namespaces",
        "policies", "postgresql",
    ]  # fmt: skip


def test_a_prometheus_of_kube_prometheus_stack_takes_what_it_selects_by_default():
    def labels(folder):
        return [item["metadata"].get("labels", {}) for item in kustomized(K8S / folder)]

    released = {"release": "kube-prometheus-stack"}
    assert labels("kube-prometheus-stack") == [each | released for each in labels("monitoring")]
    selectors = [each["spec"]["selector"] for each in named("PodMonitor", "kube-prometheus-stack").values()]
    assert selectors
    assert not any("release" in str(selector) for selector in selectors), "pods don't have it"


def test_images_of_all_kinds_of_containers_need_a_version():
    policy = next(yaml.safe_load_all((K8S / "policies" / "images.yaml").read_text()))
    [rule] = policy["spec"]["matchConstraints"]["resourceRules"]
    [images] = policy["spec"]["variables"]

    assert rule["resources"] == ["pods", "pods/ephemeralcontainers"]
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        assert f"object.spec.{kind}.map(c, c.image)" in images["expression"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_of_a_folder_is_applied(folder):
    text = (K8S / folder / "kustomization.yaml").read_text()
    for path in (K8S / folder).rglob("*.*"):
        if path.name != "kustomization.yaml":
            assert str(path.relative_to(K8S / folder)) in text, path


def test_operators_know_every_field_of_their_resources():
    objects = [item for item in everything() if is_custom(item)]
    assert {item["kind"] for item in objects} == {
        "Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "Cluster", "ClusterIssuer", "Certificate", "PodMonitor",
        "PrometheusRule", "ScheduledBackup", "Microservice", "Application", "OCIRepository", "HelmRelease",
    }  # fmt: skip

    done = kubeconform(objects)

    assert done.returncode == 0, done.stdout
    assert "Skipped: 0" in done.stdout


@pytest.mark.parametrize("kind", ["Kafka", "Cluster", "ClusterIssuer", "PrometheusRule", "PodMonitor", "Microservice"])
def test_a_wrong_field_would_be_found(kind):
    broken = next(item for item in everything() if item["kind"] == kind)
    broken["spec"]["replcas"] = 2
    assert kubeconform([broken]).returncode == 1


@pytest.fixture(scope="module", name="server")
def _server(run_folder):
    with ApiServer(run_folder / "manifests") as server:
        yield server


def path_of(item):
    group, _, version = item["apiVersion"].rpartition("/")
    namespace = item["metadata"].get("namespace")
    plural = item["kind"].lower()[:-1] + "ies" if item["kind"].endswith("y") else item["kind"].lower() + "s"
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    return f"{root}{f'/namespaces/{namespace}' if namespace else ''}/{plural}"


def create(server, item):
    return server.call("POST", f"{path_of(item)}?fieldValidation=Strict", item)


def namespaces_first(item):
    return item["kind"] != "Namespace"


@pytest.fixture(scope="module", name="applied")
def _applied(server):
    """Every object that Kubernetes itself knows, namespaces first."""
    folders = [folder for folder in FOLDERS if folder != "kube-prometheus-stack"]  # one or the other: same objects
    plain = sorted((item for item in everything(folders) if not is_custom(item)), key=namespaces_first)
    answers = [(item, *create(server, item)) for item in plain]
    assert [(item["kind"], answer) for item, status, answer in answers if status != 201] == []
    return server


def pod(name, *images):
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "containers": [
                each | {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}
                for each in containers
            ],
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }  # fmt: skip


DIGEST = "@sha256:" + "0" * 64
WITHOUT_VERSION = ["shop/orders", "shop/orders:latest", "registry.example.org:5000/shop/orders"]
WITH_VERSION = ["shop/orders:1.0", f"shop/orders{DIGEST}", f"registry.example.org:5000/shop/orders:1.0{DIGEST}"]


def test_images_without_a_version_are_refused(applied, eventually):
    def refused(image, *more):
        status, answer = create(applied, pod("refused", *more, image))
        return status == 422 and "need a version" in answer["message"]

    # Policies are compiled a moment after they were made.
    eventually(lambda: refused(WITHOUT_VERSION[0]))
    for image in WITHOUT_VERSION:
        assert refused(image), image
        assert refused(image, "shop/other:1.0"), image
    for number, image in enumerate(WITH_VERSION):
        status, answer = create(applied, pod(f"taken-{number}", image))
        assert status == 201, answer


def test_namespaces_enforce_the_restricted_standard(applied):
    loose = pod("loose", "shop/orders:1.0")
    loose["spec"].pop("securityContext")
    status, answer = create(applied, loose)
    assert status == 403
    assert "restricted" in answer["message"]


@pytest.fixture(scope="module", name="examples")
def _examples(applied):
    for path in sorted((K8S / "crds").glob("*.yaml")):
        status, answer = create(applied, yaml.safe_load(path.read_text()))
        assert status == 201, answer
    return applied


@pytest.mark.parametrize("name", sorted(path.stem for path in (K8S / "examples").glob("*[!n].yaml")))
def test_an_example_is_taken_by_a_real_api_server(examples, eventually, name):
    item = yaml.safe_load((K8S / "examples" / f"{name}.yaml").read_text())
    item["metadata"]["namespace"] = "shop"
    path = path_of({**item, "kind": "Microservice"})
    eventually(lambda: examples.call("GET", path)[0] == 200)

    status, answer = examples.call("POST", f"{path}?fieldValidation=Strict", item)

    assert status == 201, answer


def test_examples_cover_both_strategies_and_gates():
    found = named("Microservice", "examples")
    assert {each["spec"]["strategy"]["type"] for each in found.values()} == {"Rolling", "BlueGreen"}
    assert {gate["type"] for gate in found["hello-gates"]["spec"]["gates"]} == {"http", "job", "prometheus"}


def test_images_of_examples_can_be_named_anew(run_folder):
    """So that the cluster tests run them with the images of this checkout."""
    folder = run_folder / "overlay"
    folder.mkdir()
    (folder / "all.yaml").write_text(yaml.safe_dump_all(kustomized(K8S / "examples")))
    (folder / "kustomization.yaml").write_text(
        "resources: [all.yaml]\nimages: [{name: slipway/gateway, newTag: dev-1}]\n"
    )

    text = yaml.safe_dump_all(kustomized(folder))

    assert "slipway/gateway:dev-1" in text
    assert "slipway/gateway:0.2.0" not in text


def test_topics_are_those_of_the_services():
    wanted = set()
    for service in (USERS, ORDERS, INVENTORY):
        wanted |= {stream.topic for stream in service.publishes.values()}
        for topic in (source.topic for source in service.consumes):
            wanted |= {topic, dead_letter_topic(topic, service.name), retry_topic(topic, service.name)}
    topics = named("KafkaTopic", "kafka")
    assert set(topics) == wanted
    for name, topic in topics.items():
        assert (topic["spec"]["config"]["retention.ms"] == -1) == name.endswith(".dlq")
        assert topic["metadata"]["labels"]["strimzi.io/cluster"] == "shop"


def test_each_service_with_data_has_a_cluster_of_its_own():
    clusters = named("Cluster", "postgresql")
    assert set(clusters) == {f"{name}-db" for name in WITH_DATA}
    for name in WITH_DATA:
        spec = clusters[f"{name}-db"]["spec"]
        assert spec["instances"] == 3
        assert spec["bootstrap"]["initdb"] == {"database": name, "owner": name}


def test_the_platforms_values_name_what_is_here():
    objects = render("platform", K8S / "platform-values.yaml", "--namespace", "shop")
    text = yaml.safe_dump_all(objects)

    secrets = {f"{name}-app" for name in named("Cluster", "postgresql")}
    asked = {
        each["valueFrom"]["secretKeyRef"]["name"]
        for item in objects if item["kind"] in {"Deployment", "Job"}
        for container in item["spec"]["template"]["spec"]["containers"]
        for each in container.get("env", []) if each["name"] == "DATABASE_URL"
    }  # fmt: skip
    assert asked == secrets
    [kafka] = named("Kafka", "kafka")
    assert f"{kafka}-kafka-bootstrap.kafka:9093" in text
    assert not [item for item in objects if item["kind"] == "StatefulSet"]


def test_who_speaks_to_kafka_is_let_in():
    """The listener's peers are the components that the charts render with Kafka's address."""
    [listener] = named("Kafka", "kafka")["shop"]["spec"]["kafka"]["listeners"]
    peer, operator = listener["networkPolicyPeers"]
    let_in = set(peer["podSelector"]["matchExpressions"][0]["values"])
    workers = {
        item["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        for item in render("orders", next((ROOT / "charts/orders/ci").glob("*-values.yaml")))
        if item["kind"] == "Deployment"
    } - {"http", "grpc"}
    assert workers
    assert workers <= let_in
    assert operator["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "operator"}


@pytest.mark.parametrize("name", ["dev", "ci", "airgap"])
def test_kind_maps_the_gateways_port_to_this_machine_alone(name):
    config = yaml.safe_load((K8S / "kind" / f"{name}.yaml").read_text())
    values = yaml.safe_load((ROOT / "charts/platform/ci/kind-values.yaml").read_text())
    port = values["gateway"]["service"]["nodePort"]
    assert config["nodes"][0]["extraPortMappings"] == [
        {"containerPort": port, "hostPort": port, "listenAddress": "127.0.0.1"}
    ]
    for patch in config.get("kubeadmConfigPatches", []):
        assert yaml.safe_load(patch)["kind"] in {"ClusterConfiguration", "KubeletConfiguration"}
