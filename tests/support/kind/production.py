"""What k8s/platform-values.yaml expects beside the shop: databases and a broker by TLS and by name.

With the Secrets that CloudNativePG and Strimzi would leave; one replica of each; certificates are cert-manager's, and
rights those of k8s/kafka.
"""

import base64
import json
import secrets

import yaml

from slipway_chassis.testing.plugin import eventually
from support.kafka_rights import rights
from support.kind.cert_manager import issuers_of_the_page
from support.kind.commands import (
    NAMESPACE,
    OPERATOR_NAMESPACE,
    RELEASE,
    apply,
    database_images,
    get,
    helm,
    kubectl,
    run,
)
from support.repository import ROOT

DATABASES = ["users", "orders", "inventory"]
BROKERS = "kafka"  # the namespace
BROKER = f"shop-kafka-bootstrap.{BROKERS}"
LISTENER = "listener.name.safe"
ADMIN = "admin"
SCRATCH = "/tmp"  # noqa: S108 # of a container
RESTRICTED = {
    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
}  # fmt: skip
START_POSTGRESQL = r"""
set -eu
if [ ! -s /data/pgdata/PG_VERSION ]; then
  initdb --pgdata=/data/pgdata --username=postgres --auth-local=trust --auth-host=scram-sha-256 --locale=C.UTF-8
  pg_ctl --pgdata=/data/pgdata --wait --options="-c listen_addresses='' -c unix_socket_directories=/tmp" start
  psql -h /tmp -U postgres -v ON_ERROR_STOP=1 -v name="$NAME" -v password="$PASSWORD" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', :'name', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name') \gexec
SQL
  pg_ctl --pgdata=/data/pgdata --wait --mode=fast stop
fi
exec postgres -D /data/pgdata -c listen_addresses=127.0.0.1 -c port=5433 -c unix_socket_directories=/tmp \
  -c max_connections=200
"""
START_KAFKA = """
set -eu
if [ ! -f /data/log/meta.properties ]; then
  cluster=$(/opt/kafka/bin/kafka-storage.sh random-uuid)
  /opt/kafka/bin/kafka-storage.sh format --cluster-id="$cluster" -c /start/server.properties $SCRAM
fi
exec /opt/kafka/bin/kafka-server-start.sh /start/server.properties
"""
# In a pod: brokers tell clients their names in the cluster.
SET_RIGHTS = """
import json, sys
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL, ACLOperation, ACLPermissionType, ACLResourcePatternType, NewTopic, ResourcePattern, ResourceType)
from slipway_chassis.config import KafkaSettings, load
from slipway_chassis.events.kafka import connecting
given = json.load(sys.stdin)
open("/tmp/ca.crt", "w").write(given["authority"])
admin = KafkaAdminClient(**connecting.kafka_python(load(KafkaSettings)))
admin.create_topics([NewTopic(name, partitions, 1) for name, partitions in given["topics"]])
admin.create_acls([
    ACL(f"User:{user}", "*", ACLOperation[operation], ACLPermissionType.ALLOW,
        ResourcePattern(ResourceType[kind], name, ACLResourcePatternType.LITERAL))
    for user, kind, name, operation in given["rules"]])
admin.close()
"""


def installed(folder):
    """Databases, broker and Secrets in empty namespaces; returns an image with Python and Kafka's client."""
    images = database_images()
    client_image = f"slipway/orders:{run(ROOT / 'ci' / 'images.sh', 'tag').strip()}"
    for namespace in (NAMESPACE, BROKERS):
        kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s", timeout=200)
        kubectl("create", "namespace", namespace)
        kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        apply(*authority(), namespace=namespace)
    kubectl("apply", "-f", "-", stdin=issuers_of_the_page())
    apply(
        certificate("gateway-tls", ["localhost"], addresses=["127.0.0.1"]),
        secret(f"{RELEASE}-keys", **{"signing-keys": a_key(), "session": a_key()}),
    )
    for name in DATABASES:
        database(name, images["postgresql"], client_image)
    broker(images["kafka"], client_image)
    for deployment, namespace in [*((f"{name}-db", NAMESPACE) for name in DATABASES), ("broker", BROKERS)]:
        kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=180s", namespace=namespace)
    (folder / "gateway-ca.crt").write_bytes(authority_of("gateway-tls"))
    return client_image


def a_key():
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def secret(name, **texts):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": texts}


def authority():
    """One for databases, brokers and the gateway, which services do not let in."""
    kind, own = "cert-manager.io/v1", {"metadata": {"name": "outside"}}
    itself = {"metadata": {"name": "outside-itself"}}
    made = {"isCA": True, "commonName": "outside", "secretName": "outside", "issuerRef": {"name": "outside-itself"}}
    return [
        {"apiVersion": kind, "kind": "Issuer", **itself, "spec": {"selfSigned": {}}},
        {"apiVersion": kind, "kind": "Certificate", **own, "spec": made},
        {"apiVersion": kind, "kind": "Issuer", **own, "spec": {"ca": {"secretName": "outside"}}},
    ]


def certificate(name, hosts, addresses=()):
    spec = {
        "secretName": name, "dnsNames": hosts, "ipAddresses": list(addresses), "issuerRef": {"name": "outside"},
        "privateKey": {"encoding": "PKCS8"}, "additionalOutputFormats": [{"type": "CombinedPEM"}],
    }  # fmt: skip
    return {
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip


def text_of(name, key, namespace=NAMESPACE):
    return base64.b64decode(get("secret", name, namespace=namespace)["data"][key]).decode()


def authority_of(name, namespace=NAMESPACE):
    """Of a certificate that is issued by now."""
    found = eventually(
        lambda: (get("secret", "--field-selector", f"metadata.name={name}", namespace=namespace)["items"] or [None])[0],
        within=60, every=1,
    )  # fmt: skip
    return base64.b64decode(found["data"]["ca.crt"])


# --- databases
def database(name, image, python_image):
    """As CloudNativePG: Service NAME-db-rw, Secrets NAME-db-app and NAME-db-ca. TLS ends before the server, which is
    built without it.
    """
    server, password = f"{name}-db-rw.{NAMESPACE}", secrets.token_urlsafe(24)
    apply(
        certificate(f"{name}-db-server", [f"{name}-db-rw", server, f"{server}.svc"]),
        secret(f"{name}-db-app", uri=f"postgresql://{name}:{password}@{server}:5432/{name}", password=password),
    )
    apply(secret(f"{name}-db-ca", **{"ca.crt": authority_of(f"{name}-db-server").decode()}))
    environment = [
        {"name": "NAME", "value": name},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": f"{name}-db-app", "key": "password"}}},
        {"name": "LC_ALL", "value": "C.UTF-8"},
    ]
    ready = {
        "exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-p", "5433"]},
        "periodSeconds": 1,
        "timeoutSeconds": 5,
    }
    program = (ROOT / "tests" / "support" / "postgresql_tls.py").read_text()
    front = {
        "name": "tls", "image": python_image, "imagePullPolicy": "IfNotPresent", "securityContext": RESTRICTED,
        "command": ["python", "-c", program, "5432", "5433", "/tls/tls.crt", "/tls/tls.key"],
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}], "readinessProbe": {"tcpSocket": {"port": 5432}},
    }  # fmt: skip
    container = {"command": ["/bin/sh", "-c", START_POSTGRESQL], "env": environment, "readinessProbe": ready}
    labels = {"cnpg.io/cluster": f"{name}-db"}
    apply(
        *served(f"{name}-db", f"{name}-db-rw", 5432, image, 999, labels, container, f"{name}-db-server", beside=[front])
    )


def served(name, service, port, image, user, labels, container, certificate_secret, volumes=(), beside=()):
    """A Deployment of one pod with its certificate in /tls, and its Service."""
    mounts = [{"name": "tls", "mountPath": "/tls"}, {"name": "data", "mountPath": "/data"},
              {"name": "tmp", "mountPath": SCRATCH}]  # fmt: skip
    mounts += [{"name": each["name"], "mountPath": f"/{each['name']}"} for each in volumes]
    pod = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": user, "runAsGroup": user, "fsGroup": user,
                            "seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": False, "enableServiceLinks": False,
        "containers": [{"name": "server", "image": image, "imagePullPolicy": "IfNotPresent",
                        "securityContext": RESTRICTED, "volumeMounts": mounts, **container}, *beside],
        "volumes": [{"name": "tls", "secret": {"secretName": certificate_secret, "defaultMode": 0o440}},
                    {"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}, *volumes],
    }  # fmt: skip
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": labels}, "spec": pod}}  # fmt: skip
    ports = [{"port": port, "targetPort": port}]
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": service},
         "spec": {"selector": labels, "ports": ports}},
    ]  # fmt: skip


# --- the broker
def topics():
    for each in yaml.safe_load_all((ROOT / "k8s" / "kafka" / "topics.yaml").read_text()):
        yield each["metadata"]["name"], each["spec"]["partitions"]


def properties(password):
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return "\n".join([
        "process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@localhost:9094",
        "controller.listener.names=CONTROLLER", "listeners=SAFE://:9093,CONTROLLER://localhost:9094",
        f"advertised.listeners=SAFE://{BROKER}:9093",
        "listener.security.protocol.map=SAFE:SASL_SSL,CONTROLLER:PLAINTEXT", "inter.broker.listener.name=SAFE",
        "sasl.enabled.mechanisms=SCRAM-SHA-512", "sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512",
        f'{LISTENER}.scram-sha-512.sasl.jaas.config={module} required username="{ADMIN}" password="{password}";',
        f"{LISTENER}.ssl.keystore.type=PEM", f"{LISTENER}.ssl.keystore.location=/tls/tls-combined.pem",
        f"{LISTENER}.ssl.truststore.type=PEM", f"{LISTENER}.ssl.truststore.location=/tls/ca.crt",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        f"super.users=User:{ADMIN};User:ANONYMOUS", "log.dirs=/data/log", "auto.create.topics.enable=false",
        "offsets.topic.replication.factor=1", "offsets.topic.num.partitions=8",
        "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
        "group.initial.rebalance.delay.ms=0", "log.cleaner.dedupe.buffer.size=8388608",
    ])  # fmt: skip


def broker(image, client_image):
    """As Strimzi: Service shop-kafka-bootstrap in a namespace of its own, and each user's password where it is used."""
    users = {name: secrets.token_urlsafe(24) for name in sorted({user for user, *_ in rights()} | {ADMIN})}
    apply(certificate("broker-server", [BROKER, f"{BROKER}.svc"]), namespace=BROKERS)
    known = authority_of("broker-server", BROKERS).decode()
    apply(secret("broker", **{"server.properties": properties(users[ADMIN])}), namespace=BROKERS)
    scram = [f"--add-scram SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]
    environment = [
        {"name": "SCRAM", "value": " ".join(scram)},
        {"name": "KAFKA_HEAP_OPTS", "value": "-Xmx384m"},
        {"name": "LOG_DIR", "value": SCRATCH},
    ]
    container = {
        "command": ["/bin/sh", "-c", START_KAFKA], "env": environment,
        "readinessProbe": {"tcpSocket": {"port": 9093}, "periodSeconds": 1},
    }  # fmt: skip
    start = {"name": "start", "secret": {"secretName": "broker"}}
    labels = {"strimzi.io/cluster": "shop"}
    objects = served(
        "broker", "shop-kafka-bootstrap", 9093, image, 1000, labels, container, "broker-server", volumes=[start]
    )
    apply(*objects, namespace=BROKERS)
    for name, password in users.items():
        namespace = OPERATOR_NAMESPACE if name == "operator-kafka" else NAMESPACE
        if name != ADMIN:
            apply(secret(name, password=password), namespace=namespace)
    for namespace in (NAMESPACE, OPERATOR_NAMESPACE):
        apply(secret("kafka-ca", **{"ca.crt": known}), namespace=namespace)
    kubectl("rollout", "status", "deployment/broker", "--timeout=180s", namespace=BROKERS)
    given = {"authority": known, "topics": list(topics()), "rules": list(rights())}
    asked_as(ADMIN, users[ADMIN], client_image, SET_RIGHTS, given)


def asked_as(user, password, image, program, given):
    """What a program prints in a pod beside the broker, as one of its users; it is given JSON."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": f"{BROKER}:9093", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD": password,
        "KAFKA_SSL_CAFILE": f"{SCRATCH}/ca.crt",
    }  # fmt: skip
    text = json.dumps(given)
    container = {
        "name": "ask", "image": image, "imagePullPolicy": "IfNotPresent", "stdin": True, "stdinOnce": True,
        "command": ["python", "-c", program], "securityContext": RESTRICTED,
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "volumeMounts": [{"name": "tmp", "mountPath": SCRATCH}],
    }  # fmt: skip
    spec = {
        "restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
    }  # fmt: skip
    return kubectl(
        "run", f"ask-{secrets.token_hex(3)}", f"--image={image}", "--restart=Never", "--rm", "-i", "--quiet",
        f"--overrides={json.dumps({'spec': spec})}", namespace=BROKERS, stdin=text, timeout=180,
    )  # fmt: skip


# --- the operator
def let_the_operator_ask():
    """Who is in a consumer group, by its own name; the values are those of docs/security.md."""
    words = {
        "bootstrapServers": f"{BROKER}:9093", "security.protocol": "SASL_SSL", "security.mechanism": "SCRAM-SHA-512",
        "security.username": "operator-kafka", "security.secretName": "operator-kafka",
        "security.caSecretName": "kafka-ca",
    }  # fmt: skip
    options = [part for name, value in words.items() for part in ("--set", f"kafka.{name}={value}")]
    helm(
        "upgrade", "slipway-operator", ROOT / "charts" / "operator", "--reuse-values", *options,
        "--set", f"allowedAddresses={{*.{BROKERS}:9093}}", "--set", "networkPolicy.kafkaPorts={9093}",
        "--wait", "--timeout", "5m", namespace=OPERATOR_NAMESPACE,
    )  # fmt: skip


def take_renewed_certificates():
    """Databases read theirs at each connection; the broker is restarted, as Strimzi restarts each of its."""
    for name in DATABASES:
        until_it_has(f"{name}-db", f"{name}-db-server", NAMESPACE)
    until_it_has("broker", "broker-server", BROKERS)
    kubectl("exec", "deployment/broker", "--", "/bin/sh", "-c", "kill 1", namespace=BROKERS)


def until_it_has(deployment, name, namespace):
    """Kubelet brings a renewed Secret into its pod within a minute or two."""
    issued = base64.b64decode(get("secret", name, namespace=namespace)["data"]["tls.crt"]).decode()

    def there():
        return kubectl("exec", f"deployment/{deployment}", "--", "cat", "/tls/tls.crt", namespace=namespace) == issued

    eventually(there, within=240, every=3)


def removed():
    for namespace in (NAMESPACE, BROKERS):
        kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=180s", timeout=200)
    helm("uninstall", "slipway-operator", "--ignore-not-found", "--wait", namespace=OPERATOR_NAMESPACE)
