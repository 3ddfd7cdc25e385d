"""Values as production users write them: taken away, twice, as numbers, and what no value of ours knows."""

import functools
import json

import pytest
import yaml

from support.charts import CHARTS, Once, helm, of_kind, pod_templates, render

pytestmark = pytest.mark.charts
PLAIN = {chart: CHARTS / chart / "ci" / "plain-values.yaml" for chart in ("orders", "gateway", "operator")}


def rendered(*options, chart="orders", how="--set"):
    return render(chart, PLAIN[chart], *(part for each in options for part in (how, each)))


def refused(*options, chart="orders"):
    done = helm("template", "r", CHARTS / chart, "-f", PLAIN[chart],
                *(part for each in options for part in ("--set", each)))  # fmt: skip
    assert done.returncode != 0
    return done.stderr


def pod(objects, process="http"):
    [template] = [template for _, name, template in pod_templates(objects) if name == process]
    return template


def container(objects, process="http"):
    return next(each for each in pod(objects, process)["spec"]["containers"] if each["name"] == process)


def deployment(objects, process="http"):
    [found] = [each for each in of_kind(objects, "Deployment") if each["metadata"]["name"].endswith(f"-{process}")]
    return found


def settings(objects):
    [found] = of_kind(objects, "ConfigMap")
    return found["data"]


def environment(objects, process="http"):
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(objects, process)["env"]}


class TestNull:
    """Takes a default of the library away, at every depth."""

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            ("http.resources.limits", ("resources", "limits")),
            ("http.resources.limits.memory", ("resources", "limits", "memory")),
            ("http.resources.requests.cpu", ("resources", "requests", "cpu")),
            ("http.resources", ("resources",)),
            ("http.lifecycle", ("lifecycle",)),
            ("probes.startup", ("startupProbe",)),
            ("http.probes.liveness", ("livenessProbe",)),
            ("securityContext.readOnlyRootFilesystem", ("securityContext", "readOnlyRootFilesystem")),
        ],
    )
    def test_of_the_container(self, value, path):
        *above, last = path
        found = {}
        for objects in (rendered(), rendered(f"{value}=null")):
            place = container(objects)
            for key in above:
                place = place.get(key, {})
            found[len(found)] = place
        assert last in found[0]
        assert last not in found[1]

    @pytest.mark.parametrize("value", ["runAsUser", "runAsGroup", "fsGroup"])
    @pytest.mark.parametrize("chart", PLAIN)
    def test_the_user_that_a_cluster_assigns(self, chart, value):
        templates = [each for _, _, each in pod_templates(rendered(f"podSecurityContext.{value}=null", chart=chart))]
        assert templates
        assert not any(value in each["spec"]["securityContext"] for each in templates)

    def test_replicas_are_another_autoscalers(self):
        for process in ("http", "consumer", "relay"):
            assert "replicas" not in deployment(rendered(f"{process}.replicas=null"), process)["spec"]
        [found] = of_kind(rendered("replicas=null", chart="gateway"), "Deployment")
        assert "replicas" not in found["spec"]

    def test_an_annotation(self):
        name = "slipway.dev/closes-connections"
        assert name in pod(rendered())["metadata"]["annotations"]
        assert (
            name not in pod(rendered(r"podAnnotations.slipway\.dev/closes-connections=null"))["metadata"]["annotations"]
        )

    @pytest.mark.parametrize(
        "value",
        ["affinity", "podAnnotations", "podLabels", "imagePullSecrets", "podMonitor", "nodeSelector", "tolerations",
         "initContainers", "extraVolumes", "settings", "autoscaling.behavior", "networkPolicy.httpFrom"],
    )  # fmt: skip
    def test_of_what_is_empty_or_off(self, value):
        assert rendered(f"{value}=null")

    def test_tests(self):
        for off in ("tests=null", "tests=[]"):
            assert not of_kind(rendered(off, how="--set-json"), "Pod")
        assert of_kind(rendered(), "Pod")

    @pytest.mark.parametrize(
        "block",
        ["autoscaling", "podDisruptionBudget", "networkPolicy", "serviceAccount", "keda", "migration", "grpc", "worker",
         "consumer", "relay", "auth", "kafka.security"],
    )  # fmt: skip
    def test_a_whole_block_is_off(self, block):
        off = {
            "serviceAccount": "serviceAccount.create=false",
            "auth": "auth.issuer=",
            "kafka.security": "logLevel=INFO",
        }
        assert rendered(f"{block}=null") == rendered(off.get(block, f"{block}.enabled=false"))

    @pytest.mark.parametrize(
        ("chart", "block"),
        [(chart, block) for chart in ("gateway", "operator")
         for block in ("podDisruptionBudget", "networkPolicy", "podMonitor", "serviceAccount", "resources", "global")]
        + [("gateway", "tls"), ("gateway", "ingress"), ("gateway", "autoscaling"), ("operator", "rbac"),
           ("operator", "crds"), ("operator", "kafka"), ("operator", "replicas")],
    )  # fmt: skip
    def test_a_block_of_gateway_and_operator_is_off(self, chart, block):
        objects = rendered(f"{block}=null", chart=chart)
        kinds = {"podDisruptionBudget": "PodDisruptionBudget", "networkPolicy": "NetworkPolicy", "rbac": "ClusterRole",
                 "serviceAccount": "ServiceAccount", "crds": "CustomResourceDefinition"}  # fmt: skip
        if block in kinds:
            assert of_kind(rendered(chart=chart), kinds[block])
            assert not of_kind(objects, kinds[block])
        assert "None" not in str([each["spec"] for each in of_kind(objects, "Deployment")])

    def test_nothing_is_rendered_as_null(self):
        for values in ("database.enabled=false", "http.resources=null"):
            assert "None" not in str(of_kind(rendered(values), "Deployment", "Job"))
        for values in ("databases=null", "postgresql.resources=null", "networkPolicy=null"):
            assert "None" not in str(of_kind(render("dev-databases", None, "--set-json", values), "StatefulSet"))

    @pytest.mark.parametrize("value", ["kafka.bootstrapServers", "image.repository", "http.port"])
    def test_what_can_t_be_removed_is_refused_by_name(self, value):
        assert value in refused(f"{value}=null").replace("/", ".")


class TestOnce:
    """What values say wins over what the chart says, and neither is written twice: `render` refuses that."""

    def test_a_setting_of_the_chart(self):
        found = settings(rendered("settings.LOG_LEVEL=DEBUG", "settings.BIND_HOST=::", "settings.KAFKA_CLIENT=other"))
        assert (found["LOG_LEVEL"], found["BIND_HOST"], found["KAFKA_CLIENT"]) == ("DEBUG", "::", "other")

    def test_the_database_s_address(self):
        found = container(rendered("http.extraEnv.DATABASE_URL=postgresql://x"))["env"]
        assert [each for each in found if each["name"] == "DATABASE_URL"] == [
            {"name": "DATABASE_URL", "value": "postgresql://x"}
        ]
        assert "valueFrom" in str(container(rendered("http.extraEnv.DATABASE_URL=postgresql://x"), "relay")["env"])

    @pytest.mark.parametrize("chart", PLAIN)
    def test_a_label(self, chart):
        found = rendered(r"podLabels.app\.kubernetes\.io/version=mine", chart=chart)
        assert {each["metadata"]["labels"]["app.kubernetes.io/version"] for _, _, each in pod_templates(found)} == {
            "mine"
        }

    @pytest.mark.parametrize("chart", PLAIN)
    @pytest.mark.parametrize("label", ["name", "instance", "component"])
    def test_a_label_of_selectors_is_refused_with_the_cure(self, chart, label):
        said = refused(rf"podLabels.app\.kubernetes\.io/{label}=mine", chart=chart)
        assert f"podLabels.app.kubernetes.io/{label} is set" in said

    def test_a_checksum(self):
        found = pod(rendered("podAnnotations.checksum/config=mine"))["metadata"]["annotations"]
        assert found["checksum/config"] == "mine"

    def test_twice_would_be_found(self):
        with pytest.raises(AssertionError, match="twice"):
            yaml.load("{a: 1, a: 2}", Loader=Once)  # noqa: S506 # a safe one


class TestText:
    """Numbers and switches where Kubernetes takes text."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [("300", "300"), ("1048576", "1048576"), ("10000000000", "10000000000"), ("true", "true"), ("0.5", "0.5"),
         ("0", "0"), ("false", "false"), ('"{{ .Release.Name }}"', "r")],
    )  # fmt: skip
    def test_of_settings_and_variables(self, value, text):
        objects = rendered(f"settings.A={value}", f"http.extraEnv.B={value}", how="--set-json")
        assert (settings(objects)["A"], environment(objects)["B"]) == (text, text)

    @pytest.mark.parametrize(("value", "text"), [(9102, "9102"), (True, "true"), (86400000000, "86400000000")])
    @pytest.mark.parametrize(
        ("chart", "key", "kind", "place"),
        [
            ("orders", "podAnnotations", "Deployment", ("spec", "template", "metadata", "annotations")),
            ("orders", "http.podLabels", "Deployment", ("spec", "template", "metadata", "labels")),
            ("orders", "nodeSelector", "Deployment", ("spec", "template", "spec", "nodeSelector")),
            ("orders", "http.serviceAnnotations", "Service", ("metadata", "annotations")),
            ("orders", "serviceAccount.annotations", "ServiceAccount", ("metadata", "annotations")),
            ("orders", "commonLabels", "ConfigMap", ("metadata", "labels")),
            ("orders", "commonAnnotations", "Job", ("metadata", "annotations")),
            ("gateway", "podAnnotations", "Deployment", ("spec", "template", "metadata", "annotations")),
            ("gateway", "service.annotations", "Service", ("metadata", "annotations")),
            ("gateway", "commonAnnotations", "ConfigMap", ("metadata", "annotations")),
            ("gateway", "nodeSelector", "Deployment", ("spec", "template", "spec", "nodeSelector")),
            ("operator", "podAnnotations", "Deployment", ("spec", "template", "metadata", "annotations")),
            ("operator", "commonLabels", "ClusterRole", ("metadata", "labels")),
            ("operator", "commonAnnotations", "CustomResourceDefinition", ("metadata", "annotations")),
        ],
    )
    def test_of_labels_and_annotations(self, chart, key, kind, place, value, text):
        made = rendered(f'{key}={{"example.org/a":{json.dumps(value)}}}', chart=chart, how="--set-json")
        for item in [deployment(made)] if key == "http.podLabels" else of_kind(made, kind):
            assert functools.reduce(dict.__getitem__, place, item)["example.org/a"] == text

    def test_of_any_new_value(self):
        [found] = of_kind(rendered("release.managed=true", "release.retry=2"), "Microservice")
        assert found["spec"]["release"]["retry"] == "2"

    def test_a_tag_of_digits_is_told_with_the_cure(self):
        for chart in PLAIN:
            assert "put it in quotes, or use --set-string" in refused("image.tag=1234567", chart=chart)
        done = helm("template", "r", CHARTS / "platform", "--set", "global.imageTag=20240101")
        assert "put it in quotes, or use --set-string" in done.stderr


class TestScaling:
    def test_by_any_metric(self):
        metric = {"type": "Pods", "pods": {"metric": {"name": "requests"}, "target": {"type": "Value", "value": "10"}}}
        on = ("autoscaling.enabled=true", f"autoscaling.metrics=[{json.dumps(metric)}]")
        for chart in ("orders", "gateway"):
            [both] = of_kind(rendered(*on, chart=chart, how="--set-json"), "HorizontalPodAutoscaler")
            assert [each["type"] for each in both["spec"]["metrics"]] == ["Resource", "Pods"]
            own = (*on, "autoscaling.targetCPUUtilizationPercentage=null")
            [one] = of_kind(rendered(*own, chart=chart, how="--set-json"), "HorizontalPodAutoscaler")
            assert one["spec"]["metrics"] == [metric]

    def test_by_nothing_is_refused(self):
        assert "nothing says by what" in refused(
            "autoscaling.enabled=true", "autoscaling.targetCPUUtilizationPercentage=null"
        )

    def test_a_request_without_a_limit_may_be_exceeded(self):
        on = ("autoscaling.enabled=true", "autoscaling.targetCPUUtilizationPercentage=150")
        assert "150" in str(of_kind(rendered(*on), "HorizontalPodAutoscaler"))


class TestScheduling:
    def test_a_process_has_its_own_in_place_of_that_of_all(self):
        objects = rendered("nodeSelector.pool=all", "consumer.nodeSelector.pool=slow", "priorityClassName=high")
        assert pod(objects)["spec"]["nodeSelector"] == {"pool": "all"}
        assert pod(objects, "consumer")["spec"]["nodeSelector"] == {"pool": "slow"}
        assert pod(objects, "consumer")["spec"]["priorityClassName"] == "high"

    def test_a_process_has_labels_and_annotations_besides(self):
        found = pod(rendered("podLabels.a=all", "http.podLabels.b=http", "http.podAnnotations.c=http"))["metadata"]
        assert (found["labels"]["a"], found["labels"]["b"], found["annotations"]["c"]) == ("all", "http", "http")

    @pytest.mark.parametrize("chart", PLAIN)
    def test_pods_are_spread_as_values_say(self, chart):
        zones = '[{"maxSkew":2,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule"}]'
        objects = rendered(f"topologySpreadConstraints={zones}", chart=chart, how="--set-json")
        for each in of_kind(objects, "Deployment"):
            [spread] = each["spec"]["template"]["spec"]["topologySpreadConstraints"]
            assert (spread["maxSkew"], spread["topologyKey"]) == (2, "zone")
            assert spread["labelSelector"] == {"matchLabels": each["spec"]["selector"]["matchLabels"]}
        off = rendered("topologySpreadConstraints=[]", chart=chart, how="--set-json")
        assert not any("topologySpreadConstraints" in each["spec"] for _, _, each in pod_templates(off))


class TestMore:
    """What no value of ours knows."""

    @pytest.mark.parametrize("chart", PLAIN)
    def test_fields_of_deployments(self, chart):
        fields = 'deploymentSpec={"minReadySeconds":12,"strategy":{"type":"Recreate"}}'
        for each in of_kind(rendered(fields, chart=chart, how="--set-json"), "Deployment"):
            assert (each["spec"]["minReadySeconds"], each["spec"]["strategy"]) == (12, {"type": "Recreate"})
        assert "/deploymentSpec/replicas" in refused("deploymentSpec.replicas=3", chart=chart)

    def test_fields_of_deployments_that_the_operator_makes_are_refused(self):
        assert "deploymentSpec is set" in refused("release.managed=true", "deploymentSpec.minReadySeconds=3")

    @pytest.mark.parametrize("chart", PLAIN)
    def test_fields_of_the_endpoint_of_metrics(self, chart):
        on = 'podMonitor={"enabled":true,"interval":"1m30s","endpoint":{"scrapeTimeout":"7s"}}'
        [monitor] = of_kind(rendered(on, chart=chart, how="--set-json"), "PodMonitor")
        [endpoint] = monitor["spec"]["podMetricsEndpoints"]
        assert (endpoint["interval"], endpoint["scrapeTimeout"], endpoint["path"]) == ("1m30s", "7s", "/metrics")

    @pytest.mark.parametrize("chart", [*PLAIN, "dev-databases", "platform"])
    def test_secrets_to_pull_with_by_name_alone_and_anchors(self, chart):
        key = "global.imagePullSecrets" if chart == "platform" else "imagePullSecrets"
        case = PLAIN.get(chart)
        made = render(chart, case, "--set-json", f'{key}=["a",{{"name":"b"}}]', "--set-json", 'x-anchors={"c":1}')
        for _, _, each in pod_templates(made):
            assert each["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]

    @pytest.mark.parametrize(("chart", "key"), [("orders", "http.serviceType"), ("gateway", "service.type")])
    def test_a_load_balancer_has_the_port_of_nodes_that_is_named(self, chart, key):
        port = f"{key.partition('.')[0]}.nodePort=30999"
        [service] = of_kind(rendered(f"{key}=LoadBalancer", port, chart=chart), "Service")
        assert service["spec"]["ports"][0]["nodePort"] == 30999

    def test_names_of_templates(self):
        found = settings(rendered("telemetry.otlpEndpoint=http://{{ .Release.Name }}-otel:4318"))
        assert found["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://r-otel:4318"
        tls = ("gateway.tls.enabled=true", 'tls.issuerRef.name="le"', 'tls.hosts=["{{ .Release.Name }}.example.org"]')
        [made] = of_kind(rendered(*tls, chart="gateway", how="--set-json"), "Certificate")
        assert made["spec"]["dnsNames"] == ["r.example.org"]

    @pytest.mark.parametrize("chart", PLAIN)
    def test_peers_that_no_policy_takes_are_refused(self, chart):
        assert "cidr" in refused("networkPolicy.metricsFrom[0].cidr=10.0.0.0/8", chart=chart)

    @pytest.mark.parametrize("chart", PLAIN)
    def test_fields_of_pods(self, chart):
        alias = '{"ip":"10.0.0.1","hostnames":["{{ .Release.Name }}"]}'
        fields = f'podSpec={{"runtimeClassName":"gvisor","hostAliases":[{alias}]}}'
        for _, _, each in pod_templates(rendered(fields, chart=chart, how="--set-json")):
            assert each["spec"]["runtimeClassName"] == "gvisor"
            assert each["spec"]["hostAliases"] == [{"ip": "10.0.0.1", "hostnames": ["r"]}]
        assert "/podSpec/containers" in refused("podSpec.containers[0].name=x", chart=chart)

    @pytest.mark.parametrize("chart", PLAIN)
    def test_objects_as_maps_and_as_text(self, chart):
        two = ('extraObjects=[{"apiVersion":"v1","kind":"Secret","metadata":{"name":"{{ .Release.Name }}-a"}},'
               '"apiVersion: v1\\nkind: Secret\\nmetadata: {name: {{ .Release.Name }}-b}"]')  # fmt: skip
        names = [each["metadata"]["name"] for each in of_kind(rendered(two, chart=chart, how="--set-json"), "Secret")]
        assert {"r-a", "r-b"} <= set(names)

    @pytest.mark.parametrize("chart", ["gateway", "operator"])
    def test_variables_volumes_and_ways_out(self, chart):
        objects = rendered(
            'extraEnv={"HTTPS_PROXY":"http://proxy:3128"}',
            'extraVolumes=[{"name":"ca","configMap":{"name":"{{ .Release.Name }}-ca"}}]',
            'extraVolumeMounts=[{"name":"ca","mountPath":"/ca"}]',
            'networkPolicy.extraEgress=[{"ports":[{"port":3128}]}]',
            'sidecars=[{"name":"proxy","image":"proxy:{{ .Chart.AppVersion }}"}]',
            'envFrom=[{"secretRef":{"name":"{{ .Release.Name }}-more"}}]',
            chart=chart, how="--set-json",
        )  # fmt: skip
        [template] = [each for _, _, each in pod_templates(objects)]
        [main, proxy] = template["spec"]["containers"]
        assert proxy["name"] == "proxy"
        assert "{{" not in proxy["image"]
        assert main["envFrom"] == [{"secretRef": {"name": "r-more"}}]
        assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in main["env"]
        assert {"name": "ca", "configMap": {"name": "r-ca"}} in template["spec"]["volumes"]
        assert {"name": "ca", "mountPath": "/ca"} in main["volumeMounts"]
        [policy] = of_kind(objects, "NetworkPolicy")
        assert {"ports": [{"port": 3128}]} in policy["spec"]["egress"]

    def test_sidecars_sources_of_variables_and_rules(self):
        objects = rendered(
            'sidecars=[{"name":"proxy","image":"proxy:{{ .Chart.AppVersion }}"}]',
            'envFrom=[{"secretRef":{"name":"{{ .Release.Name }}-more"}}]',
            'http.serviceAnnotations={"example.org/a":"b"}',
            'networkPolicy.extraIngress=[{"ports":[{"port":7000}]}]',
            how="--set-json",
        )
        assert [each["name"] for each in pod(objects)["spec"]["containers"]] == ["http", "proxy"]
        assert {"secretRef": {"name": "r-more"}} in container(objects)["envFrom"]
        [service] = of_kind(objects, "Service")
        assert service["metadata"]["annotations"] == {"example.org/a": "b"}
        for each in of_kind(objects, "NetworkPolicy"):
            opened = {"ports": [{"port": 7000}]} in each["spec"]["ingress"]
            assert opened != each["metadata"]["name"].endswith("-migrate")

    def test_gates_reach_the_ports_that_are_named_or_any(self):
        def ports(*options):
            [policy] = of_kind(rendered(*options, chart="operator", how="--set-json"), "NetworkPolicy")
            return [{port["port"] for port in rule.get("ports", [])} for rule in policy["spec"]["egress"]]

        assert {80, 5000} in ports("networkPolicy.gatesPorts=[80,5000]")
        assert set() in ports("networkPolicy.gatesPorts=[]")
        assert set() not in ports()


@pytest.mark.parametrize(
    ("repository", "image"),
    [
        ("team/orders", "mirror:5000/team/orders"),
        ("registry.local:5000/team/orders", "mirror:5000/team/orders"),
        ("localhost/orders", "mirror:5000/orders"),
    ],
)
def test_a_mirror_takes_the_place_of_a_registry(repository, image):
    objects = rendered(f"image.repository={repository}", "global.imageRegistry=mirror:5000", "image.tag=v1")
    assert container(objects)["image"] == f"{image}:v1"


@pytest.mark.parametrize(
    ("servers", "ports"),
    [("b:9094", {9094}), ("a:9092,b:9095", {9092, 9095}), ("a:9092, b:9092", {9092}), ("[fd00::1]:9093", {9093})],
)
def test_policies_let_workers_reach_the_brokers_that_are_named(servers, ports):
    objects = rendered(f'kafka.bootstrapServers="{servers}"', how="--set-json")
    [policy] = [each for each in of_kind(objects, "NetworkPolicy") if each["metadata"]["name"].endswith("-relay")]
    opened = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
    assert opened == {53, 5432} | ports


def test_an_umbrella_chart_around_the_platform_has_globals_and_a_condition_of_its_own():
    assert render("platform", CHARTS / "platform" / "ci" / "kind-values.yaml",
                  "--set", "enabled=true,global.env=prod,global.storageClass=gp3")  # fmt: skip
