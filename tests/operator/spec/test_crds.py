"""The custom resources, asked of a real API server: what it refuses, in which words, and what it fills in."""

import copy

import pytest
import yaml

from slipway_chassis.testing.plugin import eventually
from slipway_operator.errors import UnknownResource
from slipway_operator.planning.observed import GateState
from slipway_operator.planning.status import facts_of, status_of
from slipway_operator.spec import crds
from slipway_operator.spec.microservice import MicroserviceSpec
from slipway_operator.spec.status import MicroserviceStatus
from support.cluster.api_server import NEEDS, TABLE, ApiServer
from support.release_world import Nature, running
from support.repository import ROOT

CRDS = ROOT / "k8s" / "crds"
PLURALS = [resource.plural for resource in crds.RESOURCES]
API = "/apis/slipway.dev/v1alpha1/namespaces/default"

integration = pytest.mark.integration


PORTS = [{"name": "http", "containerPort": 8000}, {"name": "grpc", "containerPort": 8001}]


def pod(image="shop/orders:1.0", **more):
    return {"spec": {"containers": [{"name": "main", "image": image, "args": ["http"], "ports": PORTS, **more}]}}


def unnamed(*ports, **components):
    """A service whose container has its port without a name, as most people write it."""
    template = pod(ports=[{"containerPort": 5000}])
    return microservice(ports=list(ports), components={"http": {"template": template}} | components)


def microservice(**changes):
    spec = {"version": "1.0", "components": {"http": {"template": pod()}}} | changes
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Microservice",
        "metadata": {"name": "orders"},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def with_gate(**gate):
    return microservice(gates=[{"name": "smoke", "type": "http", "http": {"path": "/"}} | gate])


def components(**changes):
    return microservice(components={"http": {"template": pod()}} | changes)


def named(name, body):
    return body | {"metadata": {"name": name}}


def version(name="orders-0a1b2c3d", **changes):
    spec = {
        "service": "orders",
        "hash": "0a1b2c3d",
        "revision": 1,
        "label": "1.0",
        "components": {"http": pod()},
        "ports": [{"name": "http", "port": 80}],
    } | changes
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ServiceVersion",
        "metadata": {"name": name},
        "spec": spec,
    }


def release_plan(*waves):
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "ReleasePlan",
        "metadata": {"name": "shop"},
        "spec": {"waves": list(waves)},
    }


def wave(name, *services):
    return {"name": name, "services": list(services)}


USERS = {"name": "users", "version": "1.0"}
WINDOW = {"from": "09:00", "to": "17:00"}
PROMETHEUS = {"address": "http://prometheus:9090", "query": "up", "min": 1}
CONSUMER = {"template": pod()}

VALID = {
    "the least": microservice(),
    "everything": microservice(
        replicas=3,
        components={name: {"template": pod()} for name in ("http", "grpc", "relay")}
        | {"consumer": {"replicas": 2, "template": pod(env=[{"name": "A", "value": "b"}])}},
        ports=[{"name": "http", "port": 80}, {"name": "grpc", "port": 9090, "appProtocol": "kubernetes.io/h2c"}],
        strategy={"type": "BlueGreen", "autoPromote": False, "promotionWindow": WINDOW | {"days": ["Mon", "Tue"]}},
        events={"group": "orders", "handover": "Overlap"},
        gates=[
            {"name": "smoke", "type": "http", "http": {"path": "/readyz"}},
            {"name": "contracts", "type": "contracts"},
            {"name": "tests", "type": "job", "job": {"template": pod()}},
            {"name": "errors", "type": "prometheus", "phase": "afterPromotion", "prometheus": PROMETHEUS},
        ],
        migrations={"expand": pod(), "contract": pod()},
        release={"promote": "orders-0a1b2c3d", "activeVersion": "0a1b2c3d", "paused": False, "retry": "2"},
    ),
    "an image with a digest and a registry with a port": components(
        http={"template": pod("registry:5000/shop/orders@sha256:" + "a" * 64)}
    ),
    "rolling": microservice(strategy={"type": "Rolling"}),
    "a port by number": unnamed({"name": "http", "port": 80, "targetPort": 5000}),
    "a port of another name": microservice(ports=[{"name": "web", "port": 80, "targetPort": "http"}]),
    "a port of one component each": microservice(
        components={name: {"template": pod(ports=[{"name": name, "containerPort": 1}])} for name in ("http", "grpc")},
        ports=[{"name": "http", "port": 80}, {"name": "grpc", "port": 90}],
    ),
    "a version": version(),
    "a plan": release_plan(wave("first", USERS), wave("second", {"name": "orders", "version": ">=1 <2",
                                                              "dependsOn": ["users"]})),
}  # fmt: skip

# What is refused, and a part of the sentence that says why.
INVALID = {
    "no version": (microservice(version=None), "spec.version: Required value"),
    "a version that is no label": (microservice(version="1 0"), "spec.version"),
    "no components": (microservice(components={}), "should have at least 1 properties"),
    "an unknown component": (components(cron=CONSUMER), "Components are http, grpc, consumer, relay and worker:"),
    "only workers": (microservice(components={"relay": CONSUMER}), "add http or grpc"),
    "replicas of http": (components(http={"replicas": 2, "template": pod()}), "remove their own replicas"),
    "a consumer without a group": (components(consumer=CONSUMER), "A consumer or worker needs events.group: set the"),
    "a worker without a group": (components(worker=CONSUMER), "A consumer or worker needs events.group: set the"),
    "a worker beside a relay": (components(worker=CONSUMER, relay=CONSUMER), "remove consumer and relay, or"),
    "a group with a space": (microservice(events={"group": "a b"}), "spec.events.group"),
    "an unknown handover": (microservice(events={"group": "a", "handover": "Both"}), '"Exclusive", "Overlap"'),
    "no replicas": (microservice(replicas=0), "spec.replicas"),
    "too many replicas": (microservice(replicas=1001), "less than or equal to 1000"),
    "a pod without containers": (components(http={"template": {"spec": {"containers": []}}}), "at least 1 items"),
    "a component without a template": (components(http={}), "template: Required value"),
    "an image without a tag": (components(http={"template": pod("shop/orders")}), "set image:tag or image@sha256"),
    "a port is no tag": (components(http={"template": pod("registry:5000/orders")}), "set image:tag or image@sha256"),
    "the tag latest": (components(http={"template": pod("shop/orders:latest")}), "set the tag or the digest of one"),
    "two ports with a number": (
        microservice(ports=[{"name": "http", "port": 80}, {"name": "grpc", "port": 80}]),
        "Two ports have the same number: set a different port",
    ),
    "two ports with a name": (microservice(ports=[{"name": "http", "port": 1}, {"name": "http", "port": 2}]),
                              "Duplicate value"),
    "a port that is none": (microservice(ports=[{"name": "http", "port": 70000}]), "less than or equal to 65535"),
    "a port that no container has": (unnamed({"name": "http", "port": 80}), "No container that serves has a port"),
    "one port of two that no container has": (
        microservice(ports=[{"name": "http", "port": 80}, {"name": "web", "port": 81}]), "or set targetPort"
    ),
    "a target that no container has": (
        microservice(ports=[{"name": "http", "port": 80, "targetPort": "web"}]), "No container that serves has a port"
    ),
    "a port that a consumer alone has": (
        unnamed({"name": "http", "port": 80}, consumer={"template": pod()}) , "No container that serves has a port"
    ),
    "a target that is no port": (unnamed({"name": "http", "port": 80, "targetPort": 70000}), "targetPort"),
    "a target that is no name": (unnamed({"name": "http", "port": 80, "targetPort": "../x"}), "targetPort"),
    "a number for two components": (
        unnamed({"name": "http", "port": 80, "targetPort": 5000}, grpc={"template": pod()}),
        "A targetPort that is a number would be asked of pods of http and grpc alike",
    ),
    "an unknown strategy": (microservice(strategy={"type": "Canary"}), '"BlueGreen", "Rolling"'),
    "a delay with Rolling": (
        microservice(strategy={"type": "Rolling", "scaleDownDelaySeconds": 60}),
        "remove scaleDownDelaySeconds, or use BlueGreen",
    ),
    "a deadline of no time": (microservice(strategy={"progressDeadlineSeconds": 1}), "greater than or equal to 10"),
    "a preview without pods": (microservice(strategy={"previewReplicas": 0}), "spec.strategy.previewReplicas"),
    "a window that never opens": (
        microservice(strategy={"promotionWindow": {"from": "09:00", "to": "09:00"}}),
        "is never open: set from and to to different times",
    ),
    "a time that is none": (microservice(strategy={"promotionWindow": WINDOW | {"to": "24:00"}}), "promotionWindow.to"),
    "a day that is none": (microservice(strategy={"promotionWindow": WINDOW | {"days": ["Mo"]}}), "Unsupported value"),
    "a gate without settings": (with_gate(http=None), "add http or change type"),
    "a gate with settings of another": (with_gate(job={"template": pod()}), "add job or change type"),
    "a gate with settings of contracts": (with_gate(contracts={}), "remove them or change type"),
    "contracts after promotion": (
        microservice(gates=[{"name": "c", "type": "contracts", "phase": "afterPromotion"}]),
        "set phase to beforePromotion",
    ),
    "a gate of an unknown type": (with_gate(type="grpc"), "Unsupported value"),
    "two gates with a name": (
        microservice(gates=[{"name": "c", "type": "contracts"}, {"name": "c", "type": "contracts"}]),
        "Duplicate value",
    ),
    "a gate that asks an unknown port": (with_gate(http={"path": "/", "port": "admin"}), "set http.port to the name"),
    "a gate with a path that is none": (with_gate(http={"path": "readyz"}), "http.path"),
    "a gate that is tried too seldom": (with_gate(intervalSeconds=60, timeoutSeconds=30), "set intervalSeconds"),
    "a query without a bound": (
        microservice(gates=[{"name": "q", "type": "prometheus", "prometheus": PROMETHEUS | {"min": None}}]),
        "set min, max or both",
    ),
    "bounds that exclude each other": (
        microservice(gates=[{"name": "q", "type": "prometheus", "prometheus": PROMETHEUS | {"max": 0}}]),
        "min must not be greater than max",
    ),
    "a watch of no time with gates": (with_gate(phase="afterPromotion") , "set watchSeconds above 0"),
    "a promotion of no version": (microservice(release={"promote": "yes"}), "spec.release.promote"),
    "a rollback to no version": (microservice(release={"activeVersion": "1.0"}), "spec.release.activeVersion"),
    "no history": (microservice(history=0), "spec.history"),
    "a long name": (named("o" * 41, microservice()), "use at most 40 characters of a-z, 0-9 and -"),
    "a name that begins with a digit": (named("1orders", microservice()), "beginning with a letter"),
    "a name with a dot": (named("orders.v1", microservice()), "beginning with a letter"),
    "a version with another name": (version("orders-other"), "name it <service>-<hash>"),
    "a version with a wrong hash": (version(hash="XYZ"), "spec.hash"),
    "a version without a revision": (version(revision=0), "spec.revision"),
    "a plan without waves": (release_plan(), "spec.waves"),
    "a service in two waves": (release_plan(wave("a", USERS), wave("b", USERS)), "list it in one wave only"),
    "a service that waits for itself": (
        release_plan(wave("a", USERS | {"dependsOn": ["users"]})), "remove its own name from dependsOn",
    ),
    "a service that waits for a stranger": (
        release_plan(wave("a", USERS | {"dependsOn": ["mail"]})), "add the service to an earlier wave",
    ),
}  # fmt: skip
INVALID["a watch of no time with gates"][0]["spec"]["watchSeconds"] = 0


@pytest.mark.parametrize("plural", PLURALS)
def test_the_committed_definitions_are_fresh(plural):
    assert (CRDS / f"{plural}.yaml").read_text() == crds.text(crds.named(plural)), "run: make generate"


def test_an_unknown_resource_is_named_with_those_there_are():
    with pytest.raises(UnknownResource, match=r"'pods' is no resource of slipway\.dev; there are microservices, serv"):
        crds.named("pods")


def fields(schema, path=""):
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}.{name}", inner
        yield from fields(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from fields(schema[key], f"{path}[]")


def rules(schema):
    yield from schema.get("x-kubernetes-validations", [])
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from rules(schema[key])
    for inner in schema.get("properties", {}).values():
        yield from rules(inner)


def schema_of(plural):
    return crds.definition(crds.named(plural))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("plural", PLURALS)
def test_every_field_says_what_it_is_for(plural):
    described = dict(fields(schema_of(plural)))
    described.pop(".metadata")

    assert [path for path, inner in described.items() if not inner.get("description", "").endswith(".")] == []


@pytest.mark.parametrize("plural", PLURALS)
def test_every_rule_says_the_cure_in_a_sentence(plural):
    for rule in rules(schema_of(plural)):
        assert rule["message"].endswith("."), rule
        assert rule["message"][0].isupper() or rule["message"].startswith(("min ", "dependsOn ", "http ")), rule


@pytest.mark.parametrize("plural", PLURALS)
def test_what_can_grow_is_bounded(plural):
    """Rules are priced by the largest object there can be."""
    for path, inner in fields(schema_of(plural)):
        if inner.get("type") == "array":
            assert "maxItems" in inner, path


def test_numbers_of_generations_are_whole():
    """Argo Rollouts has a string here, and helm --wait hangs (argo-rollouts #4672)."""
    status = schema_of("microservices")["properties"]["status"]

    assert status["properties"]["observedGeneration"]["format"] == "int64"
    assert status["default"] == {"observedGeneration": -1}


@pytest.fixture(scope="module", name="api")
def _api(tmp_path_factory):
    if NEEDS:
        pytest.fail(f"run: ci/tools/install.sh {' '.join(NEEDS)}")
    with ApiServer(tmp_path_factory.mktemp("apiserver")) as api:
        for plural in PLURALS:
            definition = yaml.safe_load((CRDS / f"{plural}.yaml").read_text())
            status, answer = api.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
            assert status == 201, answer["message"]
            eventually(lambda plural=plural: served(api, plural), within=30)
        eventually(lambda: api.call("GET", "/api/v1/namespaces/default", raw=True)[0] == 200, within=30)
        yield api


def served(api, plural):
    return api.call("GET", f"{API}/{plural}", raw=True)[0] == 200


def path_of(body):
    [plural] = [resource.plural for resource in crds.RESOURCES if resource.kind == body["kind"]]
    return f"{API}/{plural}"


@pytest.fixture(name="made")
def _made(api):
    """Creates objects, and removes them after the test."""
    paths = []

    def make(body):
        status, answer = api.call("POST", path_of(body), body)
        assert status == 201, answer["message"]
        paths.append(f"{path_of(body)}/{body['metadata']['name']}")
        return answer

    yield make
    for path in paths:
        api.call("DELETE", path)


@integration
@pytest.mark.parametrize("plural", PLURALS)
def test_the_schema_is_structural(api, plural):
    _, answer = api.call("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.slipway.dev")
    conditions = {each["type"]: each["status"] for each in answer["status"]["conditions"]}

    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert answer["spec"]["names"]["categories"] == ["slipway"]


@integration
@pytest.mark.parametrize("body", VALID.values(), ids=VALID)
def test_what_is_right_is_accepted(api, made, body):
    made(copy.deepcopy(body))


def test_at_least_thirty_kinds_of_mistakes_are_tried():
    assert len(INVALID) >= 30


@integration
@pytest.mark.parametrize(("body", "sentence"), INVALID.values(), ids=INVALID)
def test_what_is_wrong_is_refused_with_its_sentence(api, body, sentence):
    status, answer = api.call("POST", path_of(body), body)

    assert status == 422, answer
    assert sentence in answer["message"]


@integration
def test_defaults_are_filled_in(made):
    answer = made(microservice(gates=[{"name": "c", "type": "contracts"}]))

    assert answer["status"] == {"observedGeneration": -1}
    spec = answer["spec"]
    assert spec["replicas"] == 1
    assert spec["ports"] == [{"name": "http", "port": 80}]
    assert spec["strategy"] == {
        "type": "BlueGreen",
        "autoPromote": True,
        "previewReplicas": 1,
        "scaleDownDelaySeconds": 30,
        "progressDeadlineSeconds": 300,
    }
    assert (spec["watchSeconds"], spec["history"]) == (30, 5)
    assert spec["release"] == {"paused": False}
    assert spec["migrations"] == {"deadlineSeconds": 1800}
    assert spec["gates"] == [
        {
            "name": "c",
            "type": "contracts",
            "phase": "beforePromotion",
            "dryRun": False,
            "timeoutSeconds": 300,
            "intervalSeconds": 15,
        }
    ]
    assert MicroserviceSpec.model_validate(spec) == MicroserviceSpec.model_validate(
        microservice(gates=[{"name": "c", "type": "contracts"}])["spec"]
    )


@integration
def test_unknown_fields_of_pods_are_kept_and_others_are_not(made):
    body = microservice(components={"http": {"template": pod(tty=True)}}, strateggy={})
    answer = made(body)

    assert answer["spec"]["components"]["http"]["template"] == pod(tty=True)
    assert "strateggy" not in answer["spec"]


@integration
@pytest.mark.parametrize(
    "change",
    [
        {"label": "2.0"},
        {"revision": 2},
        {"components": {"http": pod("shop/orders:2.0")}},
        {"components": {"http": pod(args=["grpc"])}},
        {"components": {"http": pod(tty=True)}},
    ],
)
def test_a_version_can_not_be_changed(api, made, change):
    answer = made(version())
    answer["spec"] |= change
    status, answer = api.call("PUT", f"{API}/serviceversions/orders-0a1b2c3d", answer)

    assert status == 422
    assert "A ServiceVersion is immutable: change the Microservice" in answer["message"]


@integration
def test_an_autoscaler_changes_the_size(api, made):
    made(microservice())
    path = f"{API}/microservices/orders"
    merge = "application/merge-patch+json"
    shown = {"status": {"replicas": 2, "selector": "slipway.dev/version=0a1b2c3d"}}
    assert api.call("PATCH", f"{path}/status", shown, content=merge)[0] == 200
    status, scale = api.call("GET", f"{path}/scale")
    assert (status, scale["status"]) == (200, {"replicas": 2, "selector": "slipway.dev/version=0a1b2c3d"})

    api.call("PATCH", f"{path}/scale", {"spec": {"replicas": 7}}, content=merge)
    assert api.call("GET", path)[1]["spec"]["replicas"] == 7


@integration
def test_the_table_shows_a_release(api, made):
    made(microservice())
    shown = {"activeVersion": "aaaaaaaa", "candidateVersion": "bbbbbbbb", "phase": "Releasing", "step": "Checking",
             "readiness": "2/2", "consumers": "1/1 of aaaaaaaa", "blockedBy": "gate smoke is running"}  # fmt: skip
    merge = "application/merge-patch+json"
    assert api.call("PATCH", f"{API}/microservices/orders/status", {"status": shown}, content=merge)[0] == 200
    _, table = api.call("GET", f"{API}/microservices", accept=TABLE)
    names = [column["name"] for column in table["columnDefinitions"]]

    assert names == ["Name", "Active", "Candidate", "Phase", "Step", "Ready", "Consumers", "Blocked-By", "Age"]
    assert table["rows"][0]["cells"][:8] == [
        "orders", "aaaaaaaa", "bbbbbbbb", "Releasing", "Checking", "2/2", "1/1 of aaaaaaaa", "gate smoke is running",
    ]  # fmt: skip


@integration
def test_a_whole_status_is_accepted_and_comes_back(api, made):
    made(microservice())
    world = running("aaaaaaaa", history=2)
    world.release("bbbbbbbb", replicas=5, fingerprint="bbbbbbbb")
    world.settle()
    world.release("cccccccc", Nature(gate=GateState.FAILED), fingerprint="cccccccc")
    world.settle()
    world.release("dddddddd", fingerprint="dddddddd", replicas=4)
    while not (world.facts.release and world.facts.release.promoted_at):
        seen = world.round()
        world.tick()
    status = status_of(seen, MicroserviceStatus(), selector="pods", generation=7, now=world.now)
    assert facts_of(status) == seen.facts
    body = {"status": status.model_dump(by_alias=True, mode="json", exclude_none=True)}
    merge = "application/merge-patch+json"
    code, answer = api.call("PATCH", f"{API}/microservices/orders/status", body, content=merge)

    assert code == 200, answer
    assert MicroserviceStatus.model_validate(answer["status"]) == status
