"""Brokers that want TLS and a name, and those that several environments share: what charts make of kafka.security."""

import pytest
import yaml

from slipway_chassis.config import KafkaSettings
from slipway_operator.runtimes.kubernetes.process.settings import OperatorSettings
from support.charts import CHARTS, helm, of_kind, pod_templates, render
from support.repository import ROOT

MANAGED = CHARTS / "orders/ci/managed-values.yaml"
SCRAM = {
    "protocol": "SASL_SSL",
    "mechanism": "SCRAM-SHA-512",
    "username": "{{ .Chart.Name }}-kafka",
    "secretName": "{{ .Chart.Name }}-kafka",
    "caSecretName": "kafka-ca",
}
TOKENS = {
    "protocol": "SASL_SSL",
    "mechanism": "OAUTHBEARER",
    "username": "orders",
    "secretName": "orders-idp",
    "secretKey": "secret",
    "tokenUrl": "https://idp.example/token",
    "certificateSecretName": "orders-tls",
}
WORKERS = {"consumer", "relay", "worker", "backup"}


def values(tmp_path, **kafka):
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump({"kafka": kafka}))
    return path


def rendered(chart, case, *files):
    done = helm("template", "r", CHARTS / chart, "-f", case, *(part for each in files for part in ("-f", each)))
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def words(objects):
    [settings] = of_kind(objects, "ConfigMap")
    return {name: value for name, value in settings["data"].items() if name.startswith("KAFKA_")}


@pytest.mark.parametrize("case", [MANAGED, CHARTS / "orders/ci/full-values.yaml"], ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("security", "proof"),
    [(SCRAM, "KAFKA_SASL_PASSWORD"), (TOKENS, "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET")],
    ids=["SCRAM", "OAUTHBEARER"],
)
def test_the_proof_reaches_whom_it_is_for_and_nobody_else(security, proof, case, tmp_path):
    objects = rendered("orders", case, values(tmp_path, security=security))
    secret = security["secretName"].replace("{{ .Chart.Name }}", "orders")
    found = set()
    for _, _, template in pod_templates(objects):
        [container] = template["spec"]["containers"]
        names = {each["name"]: each for each in container.get("env", [])}
        mounted = {each["mountPath"] for each in container["volumeMounts"]}
        if container["name"] in WORKERS:
            found.add(container["name"])
            asked = names[proof]["valueFrom"]["secretKeyRef"]
            assert asked == {"name": secret, "key": security.get("secretKey", "password")}
            assert {path.rpartition("/")[0] for name, path in words(objects).items() if "FILE" in name} <= mounted
        else:
            assert proof not in names
            assert not {path for path in mounted if "kafka" in path}
    assert found & WORKERS


@pytest.mark.parametrize(
    ("chart", "case"), [("orders", MANAGED), ("operator", CHARTS / "operator/ci/plain-values.yaml")]
)
def test_a_proof_that_values_give_in_another_way_is_written_once(chart, case, tmp_path):
    mine = {"extraEnv": {"KAFKA_SASL_PASSWORD": {"valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}}}}
    security = SCRAM | {"secretName": ""}
    path = tmp_path / "values.yaml"
    places = {"consumer": mine, "relay": mine} if chart == "orders" else mine
    path.write_text(yaml.safe_dump({"kafka": {"security": security}, **places}))

    found = 0
    for _, _, template in pod_templates(rendered(chart, case, path)):
        names = [each for each in template["spec"]["containers"][0].get("env", []) if "PASSWORD" in each["name"]]
        assert [each["valueFrom"]["secretKeyRef"]["name"] for each in names] in ([], ["mine"])
        found += len(names)
    assert found


def test_every_word_is_one_that_services_read(tmp_path):
    known = {name.upper() for name in KafkaSettings.model_fields}
    for security in (SCRAM, TOKENS):
        objects = rendered("orders", MANAGED, values(tmp_path, security=security, prefix="staging."))
        assert set(words(objects)) <= known
        assert words(objects)["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"


def test_a_prefix_is_known_to_services_and_to_whoever_hands_their_consumers_over(tmp_path):
    objects = rendered("orders", MANAGED, values(tmp_path, prefix="staging."))

    [microservice] = of_kind(objects, "Microservice")
    assert words(objects)["KAFKA_PREFIX"] == "staging."
    assert microservice["spec"]["events"]["group"] == "staging.orders"


@pytest.mark.parametrize(
    ("security", "sentence"),
    [
        ({"protocol": "SASL_SSL"}, "kafka.security.mechanism is not set"),
        ({"protocol": "SASL_SSL", "mechanism": "PLAIN"}, "kafka.security.username is not set"),
        ({"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "u"}, "kafka.security.secretName is not set"),
        (TOKENS | {"tokenUrl": ""}, "kafka.security.tokenUrl is not set"),
        ({"protocol": "TLS"}, "protocol"),
    ],
)
def test_half_of_it_is_refused_with_the_word_that_is_missing(security, sentence, tmp_path):
    done = helm("template", "r", CHARTS / "orders", "-f", MANAGED, "-f", values(tmp_path, security=security))

    assert done.returncode != 0
    assert sentence in done.stderr


def test_the_operator_proves_itself_to_the_brokers_of_its_values(tmp_path):
    security = SCRAM | {"username": "operator-kafka", "secretName": "operator-kafka"}
    path = values(tmp_path, bootstrapServers="shop-kafka-bootstrap.kafka:9093", security=security)
    done = helm("template", "r", CHARTS / "operator", "-f", path)
    assert done.returncode == 0, done.stderr
    [deployment] = of_kind([each for each in yaml.safe_load_all(done.stdout) if each], "Deployment")

    [container] = deployment["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"] if each["name"].startswith("KAFKA_")}
    assert {name.lower() for name in environment} <= set(OperatorSettings.model_fields)
    assert environment["KAFKA_BOOTSTRAP_SERVERS"] == "shop-kafka-bootstrap.kafka:9093"
    assert {"name": "kafka-ca", "mountPath": "/etc/kafka-ca", "readOnly": True} in container["volumeMounts"]


def test_in_production_each_service_is_a_user_of_its_own():
    users = {each["metadata"]["name"] for each in yaml.safe_load_all((ROOT / "k8s/kafka/users.yaml").read_text())} - {
        "operator-kafka"
    }
    objects = render("platform", ROOT / "k8s/platform-values.yaml", "--namespace", "shop")

    names = {
        each["data"]["KAFKA_SASL_USERNAME"]
        for each in of_kind(objects, "ConfigMap")
        if "KAFKA_SASL_USERNAME" in each.get("data", {})
    }
    secrets = {
        each["valueFrom"]["secretKeyRef"]["name"]
        for _, _, template in pod_templates(objects)
        for container in template["spec"]["containers"]
        for each in container.get("env", [])
        if each["name"] == "KAFKA_SASL_PASSWORD"
    }
    assert names == secrets == users
