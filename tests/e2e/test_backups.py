"""A restore drill on a cluster: the CronJob's backup while orders are placed, the database dropped as a neighbour would
do it, and the commands of docs/backup.md until the service is as it was.
"""

import json
import re
import threading

import pytest

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import apply, get, kubectl, run
from support.repository import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.soak, pytest.mark.timeout(1200)]
NAMESPACE, RELEASE = "backups", "slipway"
ORDERS = 40
# In a pod of a service, which is asked on its own port: PATH, TOKEN, COUNT, BODY. Prints the ids of what was created.
POST = """
import json, sys, urllib.request, uuid
path, token, count, body = sys.argv[1:]
made = []
for _ in range(int(count)):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json",
               "Idempotency-Key": str(uuid.uuid4())}
    request = urllib.request.Request("http://127.0.0.1:8000" + path, body.encode(), headers)
    made.append(json.load(urllib.request.urlopen(request, timeout=20))["id"])
print(json.dumps(made))
"""
ADA = {"name": "Ada", "email": "ada@example.org", "password": "correct horse battery"}
ORDER = {"item": "tea", "quantity": 1, "unit_price_cents": 350}


def on(*arguments, **options):
    return kubectl(*arguments, namespace=NAMESPACE, **options)


@pytest.fixture(scope="module", name="shop")
def _shop(cluster):
    """PostgreSQL, Kafka, users and orders, with a volume for backups of these."""
    tag = run(f"{ROOT}/ci/images.sh", "tag").strip()
    small = {"resources.requests.cpu": "5m"}
    values = {f"{name}.enabled": "false" for name in ("gateway", "storefront", "inventory")}
    for service in ("users", "orders"):
        values |= {f"{service}.http.replicas": "1", f"{service}.relay.replicas": "1"}
        values |= {f"{service}.{process}.{key}": said for process in ("http", "consumer", "relay", "backup")
                   for key, said in small.items()}  # fmt: skip
        values |= {
            f"{service}.backup.enabled": "true",
            f"{service}.backup.image": f"slipway/backup:{tag}",
            f"{service}.backup.claimName": "backups",
        }
    values |= {
        "users.backup.secrets.SIGNING_KEYS_SECRET.secretName": f"{RELEASE}-keys",
        "users.backup.secrets.SIGNING_KEYS_SECRET.secretKey": "signing-keys",
        "users.backup.passphrase.secretName": "passphrase",
    }
    options = [part for key, said in values.items() for part in ("--set", f"{key}={said}")]
    run("env", f"NAMESPACE={NAMESPACE}", ROOT / "ci" / "deploy.sh", "--fresh", *options, timeout=900)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    apply(
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "backups"}, "spec": claim},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "passphrase"},
         "stringData": {"passphrase": "correct horse battery"}},
        namespace=NAMESPACE,
    )  # fmt: skip
    post("users", "/v2/users", "", 1, ADA)
    yield
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


def post(service, path, token, count, body):
    pod = f"deployment/{RELEASE}-{service}-http"
    return json.loads(on("exec", pod, "--", "python", "-c", POST, path, token, count, json.dumps(body)))


def place(count):
    """Ids of orders that were acknowledged."""
    users = f"deployment/{RELEASE}-users-http"
    token = on("exec", users, "--", "slipway", "token", "--for", "1h", "--user", ADA["email"]).strip()
    return post("orders", "/v1/orders", token, count, ORDER)


def sql(statement, database="postgres"):
    psql = f"PGPASSWORD=$(cat /secrets/password) psql -h 127.0.0.1 -U postgres -v ON_ERROR_STOP=1 -tA {database}"
    return on("exec", "-i", f"{RELEASE}-postgresql-0", "--", "sh", "-c", psql, stdin=statement).strip()


def ended(job):
    """Its log, when it has succeeded."""

    def counts():
        status = get("job", job, namespace=NAMESPACE)["status"]
        return status.get("succeeded") or status.get("failed")

    eventually(counts, within=300, every=1)
    log = on("logs", f"job/{job}", "--all-pods=true", "--prefix=false")
    assert get("job", job, namespace=NAMESPACE)["status"].get("succeeded"), log
    return log


def backup(service, job):
    """Its name."""
    on("create", "job", job, f"--from=cronjob/{RELEASE}-{service}-backup")
    log = ended(job)
    return re.search(r"(\S+) is whole", log)[1], log


def restore(name, job):
    """As docs/backup.md says it."""
    args = ["backup", "pod", "restore", name, "--from", "/backups", "--service", "orders", "--group", "orders"]
    made = on("create", "job", job, f"--from=cronjob/{RELEASE}-orders-backup", "--dry-run=client", "-o", "json")
    change = [
        {"op": "remove", "path": "/metadata/ownerReferences"},
        {"op": "remove", "path": "/spec/activeDeadlineSeconds"},
        {"op": "add", "path": "/spec/template/spec/containers/0/args", "value": args},
    ]
    changed = on("patch", "--local", "-f", "-", "--type", "json", "-p", json.dumps(change), "-o", "json", stdin=made)
    on("apply", "-f", "-", stdin=changed)
    return ended(job)


def scale(replicas):
    on("scale", "deployment", f"--replicas={replicas}", "-l", "app.kubernetes.io/name=orders")
    if replicas:
        on("rollout", "status", f"deployment/{RELEASE}-orders-http", "--timeout=180s", timeout=200)
        return
    mine = ("pods", "-l", "app.kubernetes.io/name=orders,app.kubernetes.io/component in (http,consumer,relay)")
    eventually(lambda: not get(*mine, namespace=NAMESPACE)["items"], within=120, every=1)


def test_a_database_that_was_dropped_comes_back_from_the_volume(shop):
    before = place(ORDERS)
    others = []
    meanwhile = threading.Thread(target=lambda: others.extend(place(ORDERS)))
    meanwhile.start()
    name, log = backup("orders", "first")
    meanwhile.join()
    after = place(1)
    assert "restored into a scratch server" in log
    kept = int(re.search(r"(\d+) tables", log)[1])

    scale(0)
    sql("DROP DATABASE orders WITH (FORCE)")
    sql("CREATE DATABASE orders OWNER orders")
    restore(name, "back")
    there = set(sql("SELECT id FROM orders", "orders").split())
    assert set(before) <= there <= {*before, *others}
    assert not there & set(after), "it was placed in the gap"
    assert kept == int(sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", "orders"))
    scale(1)

    assert set(place(1)) <= set(sql("SELECT id FROM orders", "orders").split())
    eventually(lambda: sql("SELECT count(*) FROM outbox", "orders") == "0", within=120, every=1)


def test_keys_are_kept_sealed_and_the_time_of_the_last_good_backup_is_told(shop):
    _, log = backup("users", "keys")

    assert "left out" not in log
    job = get("job", "keys", namespace=NAMESPACE)
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    # What kube_cronjob_status_last_successful_time is made of.
    cronjob = ("cronjob", f"{RELEASE}-users-backup")
    told = eventually(
        lambda: get(*cronjob, namespace=NAMESPACE)["status"].get("lastSuccessfulTime"), within=120, every=1
    )
    assert told == job["status"]["completionTime"]
