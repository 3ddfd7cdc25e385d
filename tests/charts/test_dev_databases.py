"""PostgreSQL and Kafka for development: for any release, and for whom values let in."""

import base64
from urllib.parse import urlsplit

import pytest
import yaml

from support.charts import CHARTS, helm, of_kind, pod_templates, pods, render
from support.network_policies import Pod, may_reach

pytestmark = pytest.mark.charts
CHART = CHARTS / "dev-databases"
PLAIN, FULL = (CHART / "ci" / f"{case}-values.yaml" for case in ("plain", "full"))
HOME, ELSEWHERE = ({"kubernetes.io/metadata.name": name} for name in ("shop", "elsewhere"))
SERVERS = {"kafka": 9092, "postgresql": 5432}


def one(objects, kind, name):
    [found] = [item for item in of_kind(objects, kind) if item["metadata"]["name"] == name]
    return found


def refused(*options, release="r"):
    done = helm("template", release, CHART, "-f", PLAIN, *options)
    assert done.returncode != 0
    return done.stderr.replace("/", ".")


def test_each_database_has_a_role_and_its_address():
    done = helm("template", "dev", CHART, "-f", FULL, "-n", "shop")
    secret = one([item for item in yaml.safe_load_all(done.stdout) if item], "Secret", "dev-postgresql")["data"]

    assert secret.keys() == {"password", "parcels-password", "parcels-url", "users-password", "users-url"}
    url = urlsplit(base64.b64decode(secret["parcels-url"]).decode())
    assert (url.scheme, url.username, url.path) == ("postgresql", "parcels", "/parcels")
    assert (url.hostname, url.port) == ("dev-postgresql.shop", 5432), "a name that other namespaces resolve as well"
    assert url.password == base64.b64decode(secret["parcels-password"]).decode()


def test_brokers_are_found_from_every_namespace():
    done = helm("template", "dev", CHART, "-n", "shop")
    stateful = one([item for item in yaml.safe_load_all(done.stdout) if item], "StatefulSet", "dev-kafka")
    [container] = stateful["spec"]["template"]["spec"]["containers"]

    assert {"name": "ADVERTISED", "value": "dev-kafka.shop:9092"} in container["env"]


def test_a_mirror_takes_the_place_of_their_registries_too():
    images = "postgresql.image=docker.io/library/postgres:18,kafka.image=apache/kafka:4"
    objects = render("dev-databases", PLAIN, "--set", f"global.imageRegistry=mirror:5000,{images}")

    assert {container["image"] for _, _, template in pod_templates(objects)
            for container in template["spec"]["containers"]} == {
        "mirror:5000/library/postgres:18", "mirror:5000/apache/kafka:4",
    }  # fmt: skip


def may_connect(objects, server, labels, namespace):
    [(_, _, template)] = [each for each in pod_templates(objects) if each[1] == server]
    receiver = Pod(server, template["metadata"]["labels"], {server: SERVERS[server]}, HOME)
    sender = Pod("sender", labels, {}, namespace)
    return may_reach(of_kind(objects, "NetworkPolicy"), sender, receiver, SERVERS[server], HOME)


OPERATOR = {"app.kubernetes.io/part-of": "slipway", "app.kubernetes.io/component": "operator"}


@pytest.mark.parametrize(
    ("options", "labels", "namespace", "reaches"),
    [
        ((), {"app": "any"}, HOME, {"kafka", "postgresql"}),
        ((), {"app": "any"}, ELSEWHERE, set()),
        ((), OPERATOR, {"kubernetes.io/metadata.name": "slipway-system"}, {"kafka"}),
        ((), OPERATOR, ELSEWHERE, set()),
        (("networkPolicy.from=[]",), {"app": "any"}, ELSEWHERE, {"kafka", "postgresql"}),
        (('networkPolicy.from=[{"podSelector":{"matchLabels":{"of":"{{ .Release.Name }}"}}}]',),
         {"of": "r"}, HOME, {"kafka", "postgresql"}),
        (('networkPolicy.from=[{"podSelector":{"matchLabels":{"of":"{{ .Release.Name }}"}}}]',),
         {"of": "x"}, HOME, set()),
        (('networkPolicy.from=[{"namespaceSelector":{}}]',), {"app": "any"}, ELSEWHERE, {"kafka", "postgresql"}),
    ],
    ids=["at-home", "elsewhere", "operator", "as-operator", "anyone", "named", "not-named", "opened"],
)  # fmt: skip
def test_who_may_connect(options, labels, namespace, reaches):
    objects = render("dev-databases", PLAIN, *(part for each in options for part in ("--set-json", each)))

    assert {server for server in SERVERS if may_connect(objects, server, labels, namespace)} == reaches


@pytest.mark.parametrize("name", SERVERS)
def test_one_of_them_is_enough(name):
    [other] = SERVERS.keys() - {name}
    objects = render("dev-databases", PLAIN, "--set", f"{other}.enabled=false")

    assert {each["metadata"]["name"] for each in objects} == {f"r-{name}"}


@pytest.mark.parametrize("name", SERVERS)
def test_they_start_anew_with_other_files(name):
    objects = render("dev-databases", PLAIN)
    stateful, config = (one(objects, kind, f"r-{name}") for kind in ("StatefulSet", "ConfigMap"))
    template = (CHART / "templates" / f"{name}-statefulset.yaml").read_text()

    assert stateful["spec"]["template"]["metadata"]["annotations"].keys() == {"checksum/config"}
    files = {path.name for path in (CHART / "files").glob(f"{name}*")}
    assert len(files) == len(config["data"])
    assert all(file in template for file in files)


def test_an_upgrade_of_the_platform_keeps_its_volumes():
    """What Kubernetes changes no more of a StatefulSet, and the names by which it finds its data."""
    objects = render("platform", CHARTS / "platform" / "ci" / "kind-values.yaml")
    for name in SERVERS:
        spec = one(objects, "StatefulSet", f"r-{name}")["spec"]
        assert spec["serviceName"] == f"r-{name}"
        assert spec["selector"]["matchLabels"] == {
            "app.kubernetes.io/name": name,
            "app.kubernetes.io/instance": "r",
        }
        assert spec["volumeClaimTemplates"] == [
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        ]


def test_images_by_digest_are_understood():
    digest = f"sha256:{'0a' * 32}"
    for image in (f"registry:5000/postgres@{digest}", f"postgres:18@{digest}"):
        objects = render("dev-databases", PLAIN, "--set", f"postgresql.image={image}")
        assert image in {each["image"] for _, spec, _ in pods(objects) for each in spec["containers"]}


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("postgresql.image=postgres", "postgresql.image"),
        ("kafka.image=apache/kafka:latest", "kafka.image"),
        ("kafka.image=registry:5000/x", "kafka.image"),
        ("databases[0]=Not-A-Name", "databases"),
        ("kafka.enabled=maybe", "kafka.enabled"),
        ("networkPolicy.form[0].podSelector.a=b", "form"),
    ],
)
def test_a_wrong_value_is_refused_and_named(option, key):
    assert key in refused("--set", option)


def test_a_name_that_is_too_long_is_told_with_the_cure():
    assert "choose one of 40 characters at most" in refused(release="a" * 41)
    assert helm("template", "a" * 40, CHART, "-f", PLAIN).returncode == 0
