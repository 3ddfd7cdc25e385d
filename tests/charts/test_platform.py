"""The platform's chart: names by which its parts find each other, secrets that stay, and values that are refused."""

import pytest
import yaml

from slipway_gateway.listeners import listeners
from slipway_gateway.settings_file import checked
from support.charts import CHARTS, SHOP, helm, of_kind, pods, render
from support.repository import ROOT

pytestmark = pytest.mark.charts
CI = CHARTS / "platform" / "ci"
KIND = CI / "kind-values.yaml"


@pytest.mark.parametrize("release", ["orders-demo", "my-gateway", "a" * 30])
def test_a_name_with_which_parts_would_not_find_each_other_is_refused(release):
    done = helm("template", release, CHARTS / "platform", "-f", KIND)

    assert done.returncode != 0
    assert f'the release is called "{release}"' in done.stderr
    assert "hoose" in done.stderr, "and the cure is told"


@pytest.mark.parametrize("key", ["nameOverride", "fullnameOverride"])
def test_another_name_of_a_part_is_refused(key):
    done = helm("template", "r", CHARTS / "platform", "-f", KIND, "--set", f"users.{key}=accounts")

    assert f"users.{key} is set, and other parts of the platform find users by its own name: remove it" in done.stderr


def test_a_port_that_policies_close_is_told_with_the_cure():
    other = ("--set", "users.http.port=8005")
    done = helm("template", "r", CHARTS / "platform", "-f", KIND, *other)

    assert "users.http.port is 8005, and policies keep the gateway from it" in done.stderr
    opened = ("--set", "gateway.networkPolicy.upstreamPodPorts={8000,8001,8005}")
    assert render("platform", KIND, *other, *opened)


def test_the_longest_name_gives_each_object_one_of_its_own():
    done = helm("template", "a" * 29, CHARTS / "platform", "-f", KIND)
    assert done.returncode == 0, done.stderr
    objects = [item for item in yaml.safe_load_all(done.stdout) if item]

    names = [(item["kind"], item["metadata"]["name"]) for item in objects]
    assert len(set(names)) == len(names)
    [gateway] = [item for item in of_kind(objects, "ConfigMap") if "gateway.yaml" in item["data"]]
    services = {item["metadata"]["name"] for item in of_kind(objects, "Service")}
    upstreams = yaml.safe_load(gateway["data"]["gateway.yaml"])["gateway"]["upstreams"]
    asked = {
        each["address"] for name, each in upstreams.items() if name in SHOP
    }  # others may be installed on their own
    assert asked <= services


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("global.imagetag=1.2.3", "imagetag"),
        ("global.imagePullSecrets[0]=3", "imagePullSecrets"),
        ("postgresql.enabled=false", "postgresql"),
        ("dev-databases.kafka.enabled=maybe", "kafka.enabled"),
        ("keys.make=true", "make"),
        ("user.enabled=false", "user"),
        ("orders.replicas=2", "replicas"),
    ],
)
def test_a_wrong_value_is_refused_and_named(option, key):
    done = helm("template", "r", CHARTS / "platform", "-f", KIND, "--set", option)

    assert done.returncode != 0
    assert key in done.stderr.replace("/", ".")


def test_keys_stay_as_long_as_what_they_encrypted():
    """With a database of others, which no uninstall takes along."""
    kept = {"helm.sh/resource-policy": "keep"}

    def annotations(*options):
        [secret] = [item for item in of_kind(render("platform", KIND, *options), "Secret")
                    if item["metadata"]["name"] == "r-keys"]  # fmt: skip
        return secret["metadata"].get("annotations", {})

    for off in ("enabled", "postgresql.enabled"):
        own = ("--set", f"dev-databases.{off}=false", "--set", "global.database.secretName=db")
        assert annotations(*own) == kept
    assert annotations() == {}


def test_production_serves_what_certificates_are_for():
    objects = render("platform", ROOT / "k8s" / "platform-values.yaml")
    [certificate] = yaml.safe_load_all((ROOT / "k8s" / "cert-manager" / "certificates.yaml").read_text())
    [host] = certificate["spec"]["dnsNames"]

    [gateway] = [item for item in of_kind(objects, "ConfigMap") if "gateway.yaml" in item["data"]]
    settings = yaml.safe_load(gateway["data"]["gateway.yaml"])["gateway"]
    assert settings["auth"]["issuer"] == f"https://{host}"
    assert settings["tls"]["enabled"]
    [plain] = [one for one in listeners(checked(settings), secret_folder=None) if one["name"] == "http"]
    [table] = [filter_["typed_config"]["route_config"] for filter_ in plain["filter_chains"][0]["filters"]]
    # In plain text the issuer alone is answered, by the pod of the name's proof.
    [proof, rest] = table["virtual_hosts"][0]["routes"]
    assert "/.well-known/acme-challenge" in proof["match"].values()
    assert proof["route"]["cluster"] == "acme"
    assert rest["redirect"]["response_code"] == "PERMANENT_REDIRECT"
    [face] = [item for item in of_kind(objects, "Service") if item["metadata"]["name"] == "r-gateway"]
    assert {port["port"] for port in face["spec"]["ports"]} == {80, 443}
    volumes = {
        volume["secret"]["secretName"]
        for name, spec, _ in pods(objects) if "gateway" in name and name.startswith("Deployment")
        for volume in spec["volumes"] if "secret" in volume
    }  # fmt: skip
    assert volumes == {certificate["spec"]["secretName"]}
