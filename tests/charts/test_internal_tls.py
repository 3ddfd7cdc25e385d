"""TLS between services: what charts make of internalTls, of their own or of an umbrella's."""

import pytest
import yaml

from slipway_chassis.certificates import TlsSettings
from slipway_gateway.settings_file import checked
from support.charts import CHARTS, helm, of_kind, pod_templates, pods, render

KIND = CHARTS / "platform/ci/kind-values.yaml"
MANAGED = CHARTS / "orders/ci/managed-values.yaml"
PLAIN = CHARTS / "orders/ci/plain-values.yaml"
HTTP_GATE = {"name": "smoke", "type": "http", "http": {"path": "/readyz"}}
FILES = {"tls_certificate_file", "tls_key_file", "tls_ca_file"}


def rendered(chart, case, values, tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    done = helm("template", "r", CHARTS / chart, "-f", case, "-f", file)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


@pytest.fixture(name="platform")
def _platform(tmp_path):
    tls = {"enabled": True, "issuerRef": {"name": "{{ .Release.Name }}-inside"}}
    return rendered("platform", KIND, {"global": {"internalTls": tls}}, tmp_path)


def words(objects, name):
    [settings] = [each for each in of_kind(objects, "ConfigMap") if each["metadata"]["name"] == name]
    return settings["data"]


def gateway_of(objects):
    return checked(yaml.safe_load(words(objects, "r-gateway")["gateway.yaml"])["gateway"])


def certificates(objects):
    return {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "Certificate")}


def test_nothing_is_rendered_where_nobody_asks_for_it():
    for chart, case in (("platform", KIND), ("orders", PLAIN), ("gateway", CHARTS / "gateway/ci/plain-values.yaml")):
        shown = yaml.safe_dump_all(render(chart, case))
        assert "internal-tls" not in shown
        assert "TLS_" not in shown


def test_every_process_has_files_for_the_words_that_it_reads(platform):
    services = [
        name for name, *_ in pod_templates(platform) if name.startswith("Deployment/") and "gateway" not in name
    ]
    assert len(services) > 8
    for name, process, template in pod_templates(platform):
        [container, *_] = template["spec"]["containers"]
        sources = [each["configMapRef"]["name"] for each in container.get("envFrom", [])]
        if not sources:
            continue
        mounts = {each["mountPath"] for each in container["volumeMounts"]}
        volumes = {each["name"]: each for each in template["spec"]["volumes"]}
        read = {word: words(platform, sources[0])[word.upper()] for word in FILES}
        # A migration calls nobody, and shall not wait for an issuer.
        assert all(path.startswith("/etc/internal-tls/") for path in read.values()), name
        assert ("/etc/internal-tls" in mounts) == ("internal-tls" in volumes) == (process != "migrate"), name
        if process != "migrate":
            assert volumes["internal-tls"]["secret"]["secretName"] == f"{sources[0]}-internal-tls"
    assert set(TlsSettings.model_fields) == FILES | {"tls_callers"}


def test_addresses_inside_are_those_of_certificates(platform):
    asked = words(platform, "r-storefront")
    assert asked["USERS_URL"] == "https://r-users:80"
    assert asked["ORDERS_URL"] == "https://r-orders:80"
    assert asked["INVENTORY_TARGET"] == "https://r-inventory-pods:8001"
    assert asked["AUTH_JWKS_URL"] == "https://r-users:80/.well-known/jwks.json"
    named = certificates(platform)
    assert {"r-users", "r-users.default.svc"} <= set(named["r-users-internal"]["dnsNames"])
    assert {"r-inventory-pods", "r-inventory-preview"} <= set(named["r-inventory-internal"]["dnsNames"])
    assert named["r-users-internal"]["issuerRef"] == {"name": "r-inside", "kind": "Issuer", "group": "cert-manager.io"}
    assert set(named["r-orders-internal"]["usages"]) == {"digital signature", "server auth", "client auth"}


def test_the_gateway_shows_its_own_certificate_to_every_upstream(platform):
    for name, upstream in gateway_of(platform).upstreams.items():
        assert upstream.tls.enabled, name
        assert upstream.port == (8001 if name == "inventory" else 80), "that of the Service"
        assert upstream.tls.certificate_file == "/etc/internal-tls/tls.crt"
        assert upstream.tls.ca_file == "/etc/internal-tls/ca.crt"
    assert "r-gateway-internal" in certificates(platform)


def test_an_upstream_that_says_otherwise_stays_as_it_is(tmp_path):
    login = {"address": "login.example.org", "tls": {"enabled": True}}
    legacy = {"address": "legacy", "port": 8080, "tls": {"enabled": False}}
    values = {
        "internalTls": {"enabled": True, "secretName": "gateway-cert"},
        "gateway": {"upstreams": {"login": login, "legacy": legacy}},
    }
    objects = rendered("gateway", CHARTS / "gateway/ci/plain-values.yaml", values, tmp_path)
    upstreams = gateway_of(objects).upstreams
    assert (upstreams["login"].port, upstreams["login"].tls.certificate_file) == (443, "")
    assert not upstreams["legacy"].tls.enabled
    assert certificates(objects) == {}
    [(_, spec, _)] = [each for each in pods(objects) if each[0].startswith("Deployment/")]
    assert {"name": "internal-tls", "secret": {"secretName": "gateway-cert", "defaultMode": 0o440}} in spec["volumes"]


def test_helm_test_asks_as_the_service_itself(tmp_path):
    tls = {"enabled": True, "issuerRef": {"name": "inside"}, "callers": ["{{ .Release.Name }}-gateway"]}
    values = {"internalTls": tls, "grpc": {"enabled": True}}
    objects = rendered("orders", PLAIN, values, tmp_path)
    assert words(objects, "r-orders")["TLS_CALLERS"] == "r-gateway,r-orders"
    asking = {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "Pod")}
    assert asking["r-orders-test"]["containers"][0]["command"][-1] == "https://r-orders:80"
    assert asking["r-orders-test-grpc"]["containers"][0]["command"][-1] == "grpcs://r-orders-pods:8001"
    for spec in asking.values():
        [container] = spec["containers"]
        assert {each["name"].lower() for each in container["env"]} == FILES
        assert container["volumeMounts"] == [
            {"name": "internal-tls", "mountPath": "/etc/internal-tls", "readOnly": True}
        ]
        assert spec["volumes"][0]["secret"]["secretName"] == "r-orders-internal-tls"


def test_a_managed_service_has_it_as_well(tmp_path):
    objects = rendered("orders", MANAGED, {"internalTls": {"enabled": True, "secretName": "mine"}}, tmp_path)
    [service] = of_kind(objects, "Microservice")
    for component, made in service["spec"]["components"].items():
        names = {each["name"] for each in made["template"]["spec"]["volumes"]}
        assert "internal-tls" in names, component


def test_one_service_may_stand_apart(tmp_path):
    values = {
        "global": {"internalTls": {"enabled": True, "issuerRef": {"name": "inside"}}},
        "internalTls": {"enabled": False},
    }
    assert "TLS_CERTIFICATE_FILE" not in words(rendered("orders", PLAIN, values, tmp_path), "r-orders")
    values["internalTls"] = {"issuerRef": {"name": "mine", "kind": "ClusterIssuer"}, "callers": ["x"]}
    objects = rendered("orders", PLAIN, values, tmp_path)
    assert certificates(objects)["r-orders-internal"]["issuerRef"]["kind"] == "ClusterIssuer"
    assert words(objects, "r-orders")["TLS_CALLERS"] == "x,r-orders"


def test_a_secret_of_one_s_own_takes_the_place_of_the_issuer_of_all(tmp_path):
    everybody = {"enabled": True, "issuerRef": {"name": "inside"}, "callers": ["gateway"]}
    values = {"global": {"internalTls": everybody}, "internalTls": {"secretName": "mine", "callers": []}}
    objects = rendered("orders", PLAIN, values, tmp_path)
    assert certificates(objects) == {}
    assert "TLS_CALLERS" not in words(objects, "r-orders")
    for name, process, template in pod_templates(objects):
        found = [each["secret"]["secretName"] for each in template["spec"]["volumes"] if each["name"] == "internal-tls"]
        assert found == ([] if process == "migrate" else ["mine"]), name


@pytest.mark.parametrize(
    ("case", "values", "sentence"),
    [
        (PLAIN, {"global": {"internalTls": {"enable": True}}}, "global.internalTls.enable is not known"),
        (PLAIN, {"global": {"internalTls": {"enabled": "false"}}}, "internalTls.enabled is the text"),
        (
            PLAIN,
            {"internalTls": {"callers": ["gateway"]}},
            "internalTls.callers is set, and internalTls.enabled is not",
        ),
        (
            MANAGED,
            {"internalTls": {"enabled": True, "secretName": "x"}, "release": {"gates": [HTTP_GATE]}},
            "the gate smoke is of type http, by which the operator asks in plain text",
        ),
    ],
    ids=["a typing error", "text", "callers", "a gate"],
)
def test_what_would_leave_it_open_or_wait_for_ever_is_refused(case, values, sentence, tmp_path):
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    assert sentence in helm("template", "r", CHARTS / "orders", "-f", case, "-f", file).stderr


@pytest.mark.parametrize("chart", ["orders", "gateway"])
def test_a_certificate_that_nobody_makes_is_said(chart, tmp_path):
    done = helm(
        "template", "r", CHARTS / chart, "-f", CHARTS / chart / "ci/plain-values.yaml",
        "--set", "internalTls.enabled=true",
    )  # fmt: skip
    assert "internalTls.enabled is set, and no certificate is named: set internalTls.issuerRef.name" in done.stderr
