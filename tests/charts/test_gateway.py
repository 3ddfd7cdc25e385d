"""The gateway's chart: what its pods run, who may reach them, and where the certificate comes from."""

import base64

import pytest
import yaml

from slipway_gateway.settings_file import read
from support.charts import CHARTS, SHOP, helm, of_kind, pods, render

pytestmark = pytest.mark.charts
CHART = CHARTS / "gateway"
GRPC = (
    "gateway.upstreams.stock.address=stock,gateway.upstreams.stock.protocol=grpc,gateway.transcode.upstream=stock,"
    "gateway.transcode.descriptorFile=/settings/stock.binpb,gateway.transcode.services={stock.v1.Stock}"
)
PLAIN, FULL, TLS = (CHART / "ci" / f"{case}-values.yaml" for case in ("plain", "full", "tls"))


def one(objects, kind):
    [found] = of_kind(objects, kind)
    return found


def settings(objects):
    return read(one(objects, "ConfigMap")["data"]["gateway.yaml"])


def pod(objects):
    return one(objects, "Deployment")["spec"]["template"]


def refused(*options, case=PLAIN):
    done = helm("template", "r", CHART, "-f", case, *options)
    assert done.returncode != 0
    return done.stderr


def test_names_are_those_of_the_release():
    made = settings(render("gateway", FULL))

    assert made.upstreams["orders"].address == "r-orders"
    assert made.upstreams["login"].address == "login.accounts"


def test_it_knows_nobodys_services():
    objects = render("gateway")
    made = settings(objects)

    assert (made.upstreams, made.routes, made.auth, made.transcode) == ({}, (), None, None)
    assert not of_kind(objects, "Pod"), "and asks nobody"
    assert not [service for service in SHOP if service in str(objects)]


def test_a_pod_checks_its_configuration_before_it_takes_traffic():
    spec = pod(render("gateway", PLAIN))["spec"]
    [check], [envoy] = spec["initContainers"], spec["containers"]

    assert check["command"][:4] == ["slipway", "gateway", "render", "/settings/gateway.yaml"]
    assert "--check" in check["command"]
    assert envoy["command"] == ["envoy"]
    assert check["image"] == envoy["image"] == "slipway/gateway:0.2.0"
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in envoy["volumeMounts"]}
    assert mounts == {"/settings": True, "/config": True, "/tmp": False}  # noqa: S108 # a folder of the pod


def test_a_changed_setting_rolls_the_pods():
    def checksum(*options):
        return pod(render("gateway", PLAIN, *options))["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum()
    assert checksum() != checksum("--set", "gateway.listen.trustedHops=1")
    assert checksum("--set", GRPC, "--set", "descriptors.stock\\.binpb=YQ==") != checksum(
        "--set", GRPC, "--set", "descriptors.stock\\.binpb=Yg=="
    )


def test_there_is_time_to_drain():
    spec = pod(render("gateway", PLAIN, "--set", "drain.preStopSeconds=7,drain.gracefulSeconds=40"))["spec"]
    [envoy] = spec["containers"]
    command = envoy["lifecycle"]["preStop"]["exec"]["command"]

    assert command == ["slipway", "gateway", "drain", "--admin-port", "9901", "--most", "40", "--wait", "7"]
    assert spec["terminationGracePeriodSeconds"] > 47


def test_liveness_does_not_follow_readiness():
    [envoy] = pod(render("gateway", PLAIN))["spec"]["containers"]

    assert envoy["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert envoy["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}


def test_the_admin_port_is_published_nowhere():
    objects = render("gateway", TLS)
    [envoy] = pod(objects)["spec"]["containers"]

    assert {port["name"]: port["containerPort"] for port in envoy["ports"]} == {
        "http": 8080,
        "https": 8443,
        "metrics": 9100,
    }
    assert {port["targetPort"] for port in one(objects, "Service")["spec"]["ports"]} == {"http", "https"}


def test_the_descriptor_of_grpc_services_travels_unchanged():
    platform = CHARTS / "platform"
    [config] = [each for each in of_kind(render("platform", platform / "ci" / "kind-values.yaml"), "ConfigMap")
                if "binaryData" in each]  # fmt: skip

    descriptor = (platform / "files" / "inventory.binpb").read_bytes()
    assert base64.b64decode(config["binaryData"]["inventory.binpb"]) == descriptor, "run: make generate"
    assert "binaryData" not in one(render("gateway", FULL), "ConfigMap"), "nothing is transcoded"


def test_a_descriptor_that_is_not_there_is_told_with_the_cure():
    assert "descriptors has no stock.binpb: add it in base64" in refused("--set", GRPC)


def test_who_may_reach_the_gateway_and_what_it_may_reach():
    policy = one(render("gateway", FULL), "NetworkPolicy")["spec"]
    inward = {rule["ports"][0]["port"]: rule.get("from") for rule in policy["ingress"]}
    outward = [({port["port"] for port in rule["ports"]}, rule.get("to")) for rule in policy["egress"]]

    block, own_test = inward["http"]
    assert block == {"ipBlock": {"cidr": "10.0.0.0/8"}}
    assert own_test["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"
    assert "monitoring" in str(inward["metrics"])
    assert [ports for ports, _ in outward] == [{53}, {80, 8000, 8001, 8080}, {4318}]
    assert "slipway" in str(outward[1][1])


def test_anyone_may_reach_it_where_nobody_is_named():
    policy = one(render("gateway", PLAIN), "NetworkPolicy")["spec"]

    assert "from" not in policy["ingress"][0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("service.type=ClusterIP", None),
        ("service.type=NodePort", "Cluster"),
        ("service.type=LoadBalancer", "Local"),
        ("service.type=LoadBalancer,service.externalTrafficPolicy=Cluster", "Cluster"),
    ],
)
def test_load_balancers_keep_the_client_s_address(options, expected):
    service = one(render("gateway", PLAIN, "--set", options), "Service")["spec"]

    assert service.get("externalTrafficPolicy") == expected


def test_ports_of_the_node():
    ports = one(render("gateway", TLS), "Service")["spec"]["ports"]

    assert {port["name"]: port["nodePort"] for port in ports} == {"http": 30080, "https": 30443}


def test_images_come_from_the_registry_and_with_the_tag_of_the_platform():
    objects = render("gateway", PLAIN, "--set", "global.imageRegistry=r.example.org,global.imageTag=9.9.9")

    for _, spec, _ in pods(objects):
        for container in spec["containers"] + spec.get("initContainers", []):
            assert container["image"] == "r.example.org/slipway/gateway:9.9.9"


class TestHttpRoute:
    """A gateway of the cluster in front."""

    def test_all_requests_of_its_hosts_come_here(self):
        objects = render("gateway", FULL)
        route, service = one(objects, "HTTPRoute")["spec"], one(objects, "Service")

        assert route["parentRefs"] == [{"name": "public", "namespace": "gateways"}]
        assert route["hostnames"] == ["shop.example.org"]
        [backend] = route["rules"][0]["backendRefs"]
        assert backend["name"] == service["metadata"]["name"]
        assert backend["port"] in {port["port"] for port in service["spec"]["ports"]}
        assert not of_kind(render("gateway", PLAIN), "HTTPRoute")

    @pytest.mark.parametrize(
        ("case", "options", "sentence"),
        [
            (PLAIN, "httpRoute.enabled=true", "httpRoute.parentRefs is empty: name the cluster's Gateway"),
            (TLS, "httpRoute.enabled=true,httpRoute.parentRefs[0].name=x", "would be redirected for ever"),
        ],
        ids=["to-nobody", "in-circles"],
    )
    def test_what_would_not_work_is_told_with_the_cure(self, case, options, sentence):
        assert sentence in refused("--set", options, case=case)


class TestCertificate:
    def test_a_self_signed_one_is_made_by_the_chart(self):
        secret = one(render("gateway", TLS), "Secret")

        assert secret["type"] == "kubernetes.io/tls"
        assert secret["data"].keys() == {"ca.crt", "tls.crt", "tls.key"}
        assert base64.b64decode(secret["data"]["tls.crt"]).startswith(b"-----BEGIN CERTIFICATE")

    def test_cert_manager_makes_it_where_an_issuer_is_named(self):
        objects = render("gateway", TLS, "--set", "tls.issuerRef.name=letsencrypt,tls.issuerRef.kind=ClusterIssuer")
        certificate = one(objects, "Certificate")["spec"]

        assert not of_kind(objects, "Secret")
        assert certificate["issuerRef"] == {
            "name": "letsencrypt",
            "kind": "ClusterIssuer",
            "group": "cert-manager.io",
        }
        assert certificate["dnsNames"] == ["shop.example.org"]
        assert certificate["secretName"] == self.mounted(objects) == "r-gateway-tls"

    def test_an_existing_secret_is_taken(self):
        objects = render("gateway", TLS, "--set", "tls.selfSigned=false,tls.secretName=mine")

        assert not of_kind(objects, "Secret", "Certificate")
        assert self.mounted(objects) == "mine"

    def test_none_at_all_is_told_with_the_cure(self):
        assert "set tls.issuerRef.name (cert-manager), tls.selfSigned (development) or tls.secretName" in refused(
            "--set", "tls.selfSigned=false", case=TLS
        )

    def mounted(self, objects):
        [volume] = [one for one in pod(objects)["spec"]["volumes"] if one["name"] == "tls"]
        return volume["secret"]["secretName"]


WRONG = {
    "replcas=2": "replcas",
    "image.tag=latest": "tag",
    "service.type=Public": "type",
    "drain.preStopSeconds=0": "preStopSeconds",
    "gateway.liste.port=1": "liste",
    "gateway.listen.port=0": "port",
    "gateway.upstreams.shop.protocol=ftp": "protocol",
    "gateway.rateLimit.perClient.requests=0": "requests",
    "gateway.telemetry.traceSampleRatio=2": "traceSampleRatio",
    "gateway.routes[0].scope=x": "scope",
    "gateway.routes[0].methods[0]=GRAB": "methods",
    "gateway.auth.issuer=x": "jwksUpstream",
    "descriptors.a=1": "descriptors",
}


@pytest.mark.parametrize(("option", "key"), WRONG.items(), ids=WRONG.keys())
def test_a_wrong_value_is_refused_and_named(option, key):
    assert key in refused("--set", option)


def test_a_missing_image_is_told_with_the_cure():
    assert "image.repository is not set: name the image of gateway" in refused("--set", "image.repository=")


def test_every_key_is_described_and_known_to_the_schema():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())

    assert set(values) <= set(schema["properties"])
