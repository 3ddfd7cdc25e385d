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

    [item] = volumes["slipway-backup-secrets"]["projected"]["sources"]
    assert item == {"secret": {"name": "keys", "items": [{"key": "key", "path": "orders-KEY"}]}}
    assert volumes["slipway-backup-passphrase"]["secret"]["secretName"] == "words"
    assert {"--secrets", "--passphrase-file"} <= set(spec["containers"][0]["args"])
    assert not {"--secrets", "--passphrase-file"} & set(pod(rendered())["containers"][0]["args"])


@pytest.mark.parametrize("name", ["backups", "secrets", "passphrase"])
def test_a_volume_of_values_takes_the_place_of_none_of_a_backup_s(name):
    """With an emptyDir there, Jobs would succeed and keep nothing."""
    spec = pod(rendered(f"extraVolumes[0].name={name},extraVolumes[0].emptyDir.sizeLimit=1Mi"))
    claims = [each for each in spec["volumes"] if "persistentVolumeClaim" in each]
    assert [each["persistentVolumeClaim"]["claimName"] for each in claims] == ["backups"]
    assert name in {each["name"] for each in spec["volumes"]}


def test_who_migrates_owns_the_tables_and_backs_them_up():
    environment = pod(rendered("database.migration.secretName=owner"))["containers"][0]["env"]
    [url] = [each for each in environment if each["name"] == "DATABASE_URL"]
    assert url["valueFrom"]["secretKeyRef"]["name"] == "owner"


def test_a_sidecar_does_not_keep_a_job_from_its_end():
    proxy = (
        "sidecars[0].name=proxy,sidecars[0].image=proxy:1,initContainers[0].name=wait,initContainers[0].image=wait:1"
    )
    objects = rendered(proxy)
    [migration] = of_kind(objects, "Job")
    for spec in (pod(objects), migration["spec"]["template"]["spec"]):
        assert [(each["name"], each.get("restartPolicy")) for each in spec["initContainers"]] == [
            ("wait", None), ("proxy", "Always"),
        ]  # fmt: skip
        assert len(spec["containers"]) == 1
    for deployment in of_kind(objects, "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        assert [each["name"] for each in spec["initContainers"]] == ["wait"]
        assert [each["name"] for each in spec["containers"]][1:] == ["proxy"]


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
        ("orders", "backup.image=registry:5000/slipway/backup", "/backup/image"),
        ("orders", "backup.secrets.KEY.secretName=keys", "secretKey"),
        ("storefront", "logLevel=INFO", "there is nothing to keep"),
    ],
)
def test_what_can_not_be_made_is_a_sentence(chart, without, sentence):
    values = CHARTS / chart / "ci" / "plain-values.yaml"
    done = helm("template", "r", CHARTS / chart, "-f", values, "--set", ON, "--set", without)

    assert done.returncode != 0
    assert sentence in done.stderr
