"""What every rendered object must have, whatever the values: the checklist of a good chart."""

import json
import subprocess

import pytest
import yaml

from inventory.settings import InventorySettings
from orders.settings import OrdersSettings
from slipway_chassis.config import AuthSettings, load
from slipway_chassis.processes.grpc import GrpcProcessSettings
from slipway_chassis.processes.http import HttpProcessSettings
from slipway_chassis.processes.workers import MigrateSettings, WorkerSettings
from storefront.settings import StorefrontSettings
from support.charts import (
    ALONE,
    CASES,
    CHARTS,
    KUBERNETES_VERSIONS,
    LIBRARIES,
    SERVICES,
    SERVING,
    WITH_DATA,
    case_id,
    helm,
    of_kind,
    pod_templates,
    pods,
    render,
)
from support.repository import ROOT
from support.tools import TOOLS
from users.settings import UsersSettings

pytestmark = pytest.mark.charts
SCHEMAS = [
    f"{ROOT}/k8s/schemas/{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    for folder in ("{{.NormalizedKubernetesVersion}}", "slipway.dev", "crds")
]


def test_it_lints_strictly(case):
    done = helm("lint", "--strict", "--quiet", case.parent.parent, "-f", case)
    assert done.returncode == 0, done.stdout


def as_workloads(objects):
    """A Microservice's pods, as its definition alone does not look into them: it keeps fields it does not know."""
    for name, process, template in pod_templates(of_kind(objects, "Microservice")):
        made = {"metadata": {"name": name.lower().replace("/", "-")}, "spec": {"template": template}}
        if process == "migrate":
            yield made | {"apiVersion": "batch/v1", "kind": "Job"}
        else:
            made["spec"]["selector"] = {"matchLabels": template["metadata"]["labels"]}
            yield made | {"apiVersion": "apps/v1", "kind": "Deployment"}


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_knows_every_field(objects, version):
    done = subprocess.run(
        [
            f"{TOOLS}/kubeconform", "-strict", "-summary", "-kubernetes-version", version,
            *(part for location in SCHEMAS for part in ("-schema-location", location)),
        ],
        input=yaml.safe_dump_all([*objects, *as_workloads(objects)]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Skipped: 0" in done.stdout


def test_a_wrong_field_would_be_found(objects):
    """The check above can fail."""
    broken = json.loads(json.dumps(of_kind(objects, "Deployment", "Microservice", "StatefulSet")[0]))
    broken["spec"]["replcas"] = 2
    with pytest.raises(AssertionError, match="replcas"):
        test_kubernetes_knows_every_field([broken], KUBERNETES_VERSIONS[0])
    del broken["spec"]["replcas"]
    _, _, template = next(pod_templates([broken]))
    template["spec"]["serviceAccount_Name"] = "r"
    with pytest.raises(AssertionError, match="serviceAccount_Name"):
        test_kubernetes_knows_every_field([broken], KUBERNETES_VERSIONS[0])


def test_pods_meet_the_restricted_standard(objects):
    for name, spec, _ in pods(objects):
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] >= 100, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not spec.get("hostNetwork"), name
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


def test_pods_get_no_token_and_no_service_links(objects):
    for name, spec, _ in pods(objects):
        speaks_to_the_api = spec["containers"][0]["name"] == "operator"
        assert spec["automountServiceAccountToken"] is speaks_to_the_api, name
        assert spec["enableServiceLinks"] is False, name


def test_containers_state_what_they_need(objects):
    for name, spec, _ in pods(objects):
        for container in spec["containers"]:
            resources = container["resources"]
            assert resources["requests"].keys() >= {"cpu", "memory"}, name
            assert "memory" in resources["limits"], name


def test_images_are_fixed(objects):
    for name, spec, _ in pods(objects):
        for container in spec["containers"] + spec.get("initContainers", []):
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag not in {"", "latest"}, name


def test_long_running_containers_are_probed_on_named_ports(objects):
    for name, process, template in pod_templates(of_kind(objects, "Deployment", "StatefulSet", "Microservice")):
        if process == "migrate":
            continue
        [container] = template["spec"]["containers"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            check = container[probe].get("httpGet") or container[probe].get("tcpSocket")
            assert not check or check["port"] in ports
        if not name.startswith("StatefulSet"):
            assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_a_pod_goes_only_after_its_successor_is_ready(objects):
    for item in of_kind(objects, "Deployment"):
        assert item["spec"]["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }


def test_there_is_time_to_drain(objects):
    for name, process, template in pod_templates(of_kind(objects, "Deployment", "Microservice")):
        spec = template["spec"]
        [container] = spec["containers"]
        command = container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["0"])[-1]
        if process in {"operator", "migrate"}:
            continue  # whatever it is doing, another one goes on with
        if "gateway" in name:
            assert spec["terminationGracePeriodSeconds"] >= int(command) + 5 + 5  # --wait is the last of the command
            continue
        pre_stop = int(command.split()[-1])
        config = next(
            o
            for o in of_kind(objects, "ConfigMap")
            if o["metadata"]["name"] == container["envFrom"][0]["configMapRef"]["name"]
        )
        assert spec["terminationGracePeriodSeconds"] >= pre_stop + int(config["data"]["GRACEFUL_TIMEOUT"]) + 5
        if container["name"] in ("http", "grpc"):
            assert pre_stop > 0


def test_selectors_never_hold_a_version_and_match_their_pods(objects):
    labels = [labels for _, _, labels in pods(objects)]
    for item in of_kind(objects, "Deployment", "StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy"):
        selector = item["spec"].get("selector") or item["spec"].get("podSelector")
        selector = selector.get("matchLabels", selector)
        assert selector.keys() <= {
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
        }
        assert any(selector.items() <= one.items() for one in labels), item["metadata"]["name"]


def test_every_object_carries_the_common_labels_and_no_namespace(objects):
    wanted = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart"}
    for item in objects:
        assert item["metadata"]["labels"].keys() >= wanted, item["metadata"]["name"]
        # Rights in the namespaces that the operator watches are the one thing that lies outside of its own.
        assert "namespace" not in item["metadata"] or item["kind"] in {"Role", "RoleBinding"}


def test_no_secret_is_in_the_environment_in_plain(objects):
    for _, spec, _ in pods(objects):
        for container in spec["containers"]:
            for variable in container.get("env", []):
                if "PASSWORD" in variable["name"] or "URL" in variable["name"] or "SECRET" in variable["name"]:
                    assert "secretKeyRef" in variable["valueFrom"]


@pytest.mark.parametrize("service", SERVICES)
class TestBranches:
    def objects(self, service, case, *options):
        return render(service, CHARTS / service / "ci" / f"{case}-values.yaml", *options)

    def alone(self, service):
        """What answers, without workers, policies and accounts."""
        return self.objects(service, f"{SERVING[service]}-only")

    def test_an_autoscaled_deployment_states_no_replicas(self, service):
        objects = self.objects(service, "full", "--set", "autoscaling.enabled=true")
        [scaler] = of_kind(objects, "HorizontalPodAutoscaler")
        target = scaler["spec"]["scaleTargetRef"]["name"]
        assert target == f"r-{service}-{SERVING[service]}"
        [deployment] = [d for d in of_kind(objects, "Deployment") if d["metadata"]["name"] == target]
        assert "replicas" not in deployment["spec"]
        if SERVING[service] == "http":
            assert scaler["spec"]["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 60}}

    def test_helm_test_asks_what_it_answers(self, service):
        [asking] = of_kind(self.objects(service, "plain"), "Pod")
        [container] = asking["spec"]["containers"]
        url = {"http": f"http://r-{service}", "grpc": f"grpc://r-{service}-pods:8001"}[SERVING[service]]
        assert container["command"] == ["python", "-m", "slipway_chassis.testing.ask", url]
        assert container["args"][0] == ("GET /readyz 200" if SERVING[service] == "http" else "HEALTH / SERVING")

    def test_pods_of_tests_are_scheduled_as_all_others(self, service):
        objects = self.objects(service, "full")
        [asking] = of_kind(objects, "Pod")
        [other, *_] = of_kind(objects, "Deployment")
        other = other["spec"]["template"]["spec"]
        for key in ("nodeSelector", "tolerations", "priorityClassName", "imagePullSecrets", "serviceAccountName"):
            assert asking["spec"][key] == other[key], key

    def test_pull_secrets_of_the_umbrella_come_to_its_own(self, service):
        both = self.objects(service, "full", "--set", "global.imagePullSecrets[0].name=all")
        for name, spec, _ in pods(both):
            assert spec["imagePullSecrets"] == [{"name": "registry"}, {"name": "all"}], name

    def test_consumers_that_another_scales_state_no_replicas(self, service):
        options = ("--set", "consumer.enabled=true", "--set", "kafka.bootstrapServers=k:9092")
        sizes = [
            [each["spec"].get("replicas") for each in of_kind(self.objects(service, "plain", *options, *more),
                                                              "Deployment")
             if each["metadata"]["name"].endswith("-consumer")]
            for more in ((), ("--set", "consumer.replicas=null"))
        ]  # fmt: skip
        assert sizes == [[1], [None]]

    def test_volumes_and_first_containers_are_in_every_pod(self, service):
        for name, _, template in pod_templates(self.objects(service, "full")):
            spec = template["spec"]
            own = ("backups", "backup-secrets", "backup-passphrase") if name.startswith("CronJob/") else ()
            backup = [f"slipway-{each}" for each in own]
            assert [each["name"] for each in spec["volumes"]] == ["tmp", "slipway-levels", *backup, "data"], name
            assert {"name": "data", "mountPath": "/data", "readOnly": True} in spec["containers"][0]["volumeMounts"]
            [first] = spec["initContainers"]
            assert first["command"][2] == "echo r > /data/name", "templates are filled in"

    def test_prometheus_finds_every_process(self, service):
        objects = self.objects(service, "full")
        [monitor] = of_kind(objects, "PodMonitor")
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint == {"port": "admin", "path": "/metrics", "interval": "30s"}
        for _, _, template in pod_templates(of_kind(objects, "Deployment")):
            assert monitor["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
        assert not of_kind(self.objects(service, "plain"), "PodMonitor")

    def test_a_budget_exists_only_where_an_eviction_leaves_a_pod(self, service):
        plain = self.objects(service, "plain")
        guarded = {
            budget["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
            for budget in of_kind(plain, "PodDisruptionBudget")
        }
        several = {
            each["metadata"]["labels"]["app.kubernetes.io/component"]
            for each in of_kind(plain, "Deployment") if each["spec"]["replicas"] > 1
        }  # fmt: skip
        assert guarded == several
        for budget in of_kind(plain, "PodDisruptionBudget"):
            assert budget["spec"]["maxUnavailable"] == 1
            assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert not of_kind(self.alone(service), "PodDisruptionBudget")

    def test_switched_off_processes_are_not_rendered(self, service):
        objects = self.alone(service)
        assert [d["metadata"]["name"] for d in of_kind(objects, "Deployment")] == [f"r-{service}-{SERVING[service]}"]
        assert not of_kind(objects, "Job", "NetworkPolicy", "ServiceAccount")
        [face] = of_kind(objects, "Service")
        if SERVING[service] == "http":
            assert face["spec"]["ports"][0]["nodePort"] == 30999
        else:
            assert face["spec"]["clusterIP"] == "None", "gRPC callers spread their calls over the pods themselves"

    def test_a_digest_wins_over_the_tag(self, service):
        for _, spec, _ in pods(self.objects(service, "full")):
            assert "@sha256:" in spec["containers"][0]["image"]

    def test_a_changed_setting_rolls_the_pods(self, service):
        def checksum(*options):
            [first, *_] = of_kind(self.objects(service, "plain", *options), "Deployment")
            return first["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

        assert checksum() != checksum("--set", "logLevel=DEBUG")

    def test_a_changed_image_is_another_migration_job(self, service):
        if service not in WITH_DATA:
            assert not of_kind(self.objects(service, "plain"), "Job")
            return

        def name(*options):
            return of_kind(self.objects(service, "plain", *options), "Job")[0]["metadata"]["name"]

        assert name() == name()
        assert name() != name("--set", "image.tag=2.0.0")

    def test_a_migration_keeps_the_log_of_a_failed_try(self, service):
        for job in of_kind(self.objects(service, "plain"), "Job"):
            assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
            assert job["spec"]["ttlSecondsAfterFinished"] == 3600
        for job in of_kind(self.objects(service, "plain", "--set", "migration.ttlSecondsAfterFinished=null"), "Job"):
            assert "ttlSecondsAfterFinished" not in job["spec"], "Argo CD would make it again"

    def test_what_answers_may_not_speak_to_kafka(self, service):
        data = {5432} if service in WITH_DATA else {8000, 8001}  # the storefront asks the services
        read_or_publish = {"consumer", "relay", "backup"}
        for policy in of_kind(self.objects(service, "full"), "NetworkPolicy"):
            ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
            process = policy["metadata"]["name"].rpartition("-")[2]
            # 443 and 4318: the issuer's keys and the collector, which the values of this case name
            own = {443} if process in {"http", "grpc"} else {9092} if process in read_or_publish else set()
            assert ports == {53, 4318} | data | own

    def test_only_what_answers_is_open_to_callers(self, service):
        for policy in of_kind(self.objects(service, "full"), "NetworkPolicy"):
            ports = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
            process = policy["metadata"]["name"].rpartition("-")[2]
            open_to = {SERVING[service]: {SERVING[service], "admin"}, "migrate": set(), "backup": set()}
            assert ports == open_to.get(process, {"admin"})

    def test_extra_environment_is_given(self, service):
        deployments = of_kind(self.objects(service, "full"), "Deployment")
        [serving] = [d for d in deployments if d["metadata"]["name"].endswith(f"-{SERVING[service]}")]
        env = {e["name"]: e for e in serving["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert env["GREETING"]["value"] == "hello"
        assert env["SHARED_SECRET"]["valueFrom"]["secretKeyRef"] == {"name": "shared", "key": "value"}

    def test_the_schema_is_the_library_s(self, service):
        library = (CHARTS / "service" / "schemas" / "service.schema.json").read_text()
        own = (CHARTS / service / "values.schema.json").read_text()
        assert own == library.replace("Values of a Slipway service", service), "run: make generate"


WRONG = {
    "replcas=2": "replcas",
    "http.replicas=-1": "replicas",
    "http.replicas=two": "replicas",
    "http.port=0": "port",
    "http.serviceType=Public": "serviceType",
    "http.nodePort=80": "nodePort",
    "http.extraEnv.X.value=1": "extraEnv",
    "image.tag=latest": "tag",
    "image.digest=sha256:short": "digest",
    "image.pullPolicy=Sometimes": "pullPolicy",
    "logLevel=LOUD": "logLevel",
    "consumer.replica=1": "consumer",
    "relay.enabled=maybe": "relay",
    "database.password=x": "database",
    "kafka.topicPartitions=0": "topicPartitions",
    "autoscaling.minReplicas=0": "minReplicas",
    "podDisruptionBudget.maxUnavailable=0": "maxUnavailable",
    "podDisruptionBudget.maxUnavailable=0%": "maxUnavailable",
    "podDisruptionBudget.maxUnavailable=all": "maxUnavailable",
    "service.type=NodePort": "service",
    "service.replcas=3": "service",
    "http.port=9100": "port",
    "migration.extraEnv.X.value=1": "extraEnv",
    "drain.preStopSeconds=0": "preStopSeconds",
    "networkPolicy.httpFrom=anyone": "httpFrom",
    "tests[0].status=700": "status",
    "auth.issuer=users": "issuer",
    "telemetry.traceSampleRatio=2": "traceSampleRatio",
    "kafka.client=librdkafka": "client",
}


@pytest.mark.parametrize(("option", "key"), WRONG.items(), ids=WRONG.keys())
def test_a_wrong_value_is_refused_and_named(option, key):
    done = helm("template", CHARTS / "users", "-f", CHARTS / "users" / "ci" / "plain-values.yaml", "--set", option)

    assert done.returncode != 0
    assert key in done.stderr


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("database.secretName=", "database.secretName is not set: name the Secret"),
        ("kafka.bootstrapServers=", "kafka.bootstrapServers is not set: name Kafka's brokers"),
        ("image.repository=", "image.repository is not set: name the image"),
        ("auth.audience=", "auth.audience is not set, and auth.issuer is"),
        ("global.imageTag=latest", "the tag of users is latest"),
        ("image.tag=1.0@sha256:1", "is no tag of an image"),
        (
            "autoscaling.enabled=true,autoscaling.minReplicas=9",
            "minReplicas of users is 9 and autoscaling.maxReplicas is 6",
        ),
    ],
)
def test_a_missing_value_is_named_with_its_cure(option, sentence):
    done = helm("template", CHARTS / "users", "-f", CHARTS / "users" / "ci" / "plain-values.yaml", "--set", option)

    assert done.returncode != 0
    assert sentence in done.stderr


def test_external_databases_render_no_own():
    objects = render("platform", CHARTS / "platform" / "ci" / "external-values.yaml")

    assert not of_kind(objects, "StatefulSet", "Secret")
    secrets = {
        e["valueFrom"]["secretKeyRef"]["name"]
        for _, spec, _ in pods(objects)
        for e in spec["containers"][0].get("env", [])
        if e["name"] == "DATABASE_URL"
    }
    shipped = {one["name"] for one in yaml.safe_load((CHARTS / "platform" / "Chart.yaml").read_text())["dependencies"]}
    assert secrets == {f"{service}-app" for service in WITH_DATA if service in shipped}


@pytest.mark.parametrize("chart", [*LIBRARIES, *SERVICES, *ALONE, "platform"])
def test_a_chart_says_what_it_is(chart):
    about = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text())

    assert about["apiVersion"] == "v2"
    assert about.keys() >= {"name", "description", "type", "version", "kubeVersion", "home", "sources", "maintainers"}
    assert about["annotations"].keys() >= {"artifacthub.io/license", "artifacthub.io/changes"}


def test_the_oldest_kubernetes_is_the_one_that_charts_ask_for():
    asked = {yaml.safe_load((path.parent.parent / "Chart.yaml").read_text())["kubeVersion"] for path in CASES}
    assert asked == {f">={KUBERNETES_VERSIONS[0].rpartition('.')[0]}.0-0"}


def test_every_shape_has_a_case():
    assert {case_id(case) for case in CASES} >= {"users-plain", "users-full", "users-http-only", "platform-kind"}


OWN_SETTINGS = [UsersSettings, OrdersSettings, InventorySettings, StorefrontSettings]
SETTINGS = [
    HttpProcessSettings,
    GrpcProcessSettings,
    WorkerSettings,
    MigrateSettings,
    AuthSettings,
]


def test_every_variable_of_the_chart_is_a_setting_of_the_chassis(case, objects):
    """A name that is written differently on one side would be ignored without a word."""
    known = {name.upper() for settings in [*SETTINGS, *OWN_SETTINGS] for name in settings.model_fields}
    configured = [item for item in of_kind(objects, "ConfigMap") if "SERVICE_VERSION" in item["data"]]

    for item in configured:
        assert set(item["data"]) <= known, item["metadata"]["name"]
        for settings in SETTINGS:
            variables = item["data"] | {"DATABASE_URL": "postgresql://u:p@db/d", "KAFKA_BOOTSTRAP_SERVERS": "k:9092"}
            load(settings, variables)


def test_the_charts_defaults_are_the_chassis_defaults():
    """One truth: an unset value means the same in a pod and on a laptop."""
    objects = render("orders", CHARTS / "orders" / "ci" / "plain-values.yaml")
    [config] = [item["data"] for item in of_kind(objects, "ConfigMap")]
    told = {"SERVICE_VERSION", "BIND_HOST", "KAFKA_BOOTSTRAP_SERVERS", "DRAIN_FILE"}  # a pod's own
    told |= {"AUTH_ISSUER", "AUTH_AUDIENCE", "CONSUMER_GROUP"}
    defaults = {name.upper(): field.default for settings in SETTINGS for name, field in settings.model_fields.items()}

    for name in config.keys() - told:
        assert type(defaults[name])(yaml.safe_load(config[name])) == defaults[name], name
