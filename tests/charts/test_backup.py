"""The CronJob of backups: the service's own settings and no more, and sentences where it can't be made."""

import pytest

from support.charts import CHARTS, helm, of_kind, render

pytestmark = pytest.mark.charts
PLAIN = CHARTS / "orders" / "ci" / "plain-values.yaml"
IMAGE = "slipway/backup:0.2.0"
ON = f"backup.enabled=true,backup.image={IMAGE},backup.claimName=backups"


def rendered(*options):
    return render("orders", PLAIN, *(part for each in (ON, *options) for part in ("--set", each)))


def pod(objects):
    [job] = of_kind(objects, "CronJob")
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_there_is_none_unless_values_ask_for_it():
    objects = render("orders", PLAIN)

    assert not of_kind(objects, "CronJob")
    assert not [each for each in objects if each["metadata"]["name"].endswith("-backup")]


def test_a_service_without_a_consumer_keeps_no_offsets_and_does_not_reach_kafka():
    for enabled in ("true", "false"):
        objects = rendered(f"consumer.enabled={enabled}", "kafka.prefix=staging.")
        [policy] = [each for each in of_kind(objects, "NetworkPolicy") if each["metadata"]["name"] == "r-orders-backup"]
        ports = {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}
        args = pod(objects)["containers"][0]["args"]
        group = args[args.index("--group") + 1] if "--group" in args else ""
        assert (group, 9092 in ports) == (("staging.orders", True) if enabled == "true" else ("", False))
        assert policy["spec"]["ingress"] == []


def test_secrets_are_files_and_never_values_of_the_pod():
    options = (
        "backup.secrets.KEY.secretName=keys,backup.secrets.KEY.secretKey=key",
        "backup.passphrase.secretName=words",
    )
    spec = pod(rendered(*options))
    volumes = {each["name"]: each for each in spec["volumes"]}

    [item] = volumes["secrets"]["projected"]["sources"]
    assert item == {"secret": {"name": "keys", "items": [{"key": "key", "path": "orders-KEY"}]}}
    assert volumes["passphrase"]["secret"]["secretName"] == "words"
    assert {"--secrets", "--passphrase-file"} <= set(spec["containers"][0]["args"])
    assert not {"--secrets", "--passphrase-file"} & set(pod(rendered())["containers"][0]["args"])


def test_it_is_tried_unless_values_say_otherwise():
    args = [pod(rendered(f"backup.trial={said}"))["containers"][0]["args"] for said in ("true", "false")]
    assert ["--no-trial" in each for each in args] == [False, True]


def test_a_mirror_takes_the_place_of_the_image_s_registry():
    [container] = pod(rendered("global.imageRegistry=mirror.example.org"))["containers"]
    assert container["image"] == f"mirror.example.org/{IMAGE}"


def test_a_managed_service_is_backed_up_as_well():
    managed = CHARTS / "orders" / "ci" / "managed-values.yaml"
    objects = render("orders", managed, "--set", ON)

    assert "Microservice" in {each["kind"] for each in objects}
    assert pod(objects)["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("chart", "without", "sentence"),
    [
        ("orders", "backup.image=", "backup.image of orders is not set"),
        ("orders", "backup.claimName=", "backup.claimName of orders is not set"),
        ("orders", "backup.image=slipway/backup", "/backup/image"),
        ("orders", "backup.secrets.KEY.secretName=keys", "secretKey"),
        ("storefront", "logLevel=INFO", "there is nothing to keep"),
    ],
)
def test_what_can_not_be_made_is_a_sentence(chart, without, sentence):
    values = CHARTS / chart / "ci" / "plain-values.yaml"
    done = helm("template", "r", CHARTS / chart, "-f", values, "--set", ON, "--set", without)

    assert done.returncode != 0
    assert sentence in done.stderr
