"""A pod that does nothing by itself; the auditor, which has the databases' addresses, is one."""

import json
from contextlib import contextmanager

from support.kind.commands import RELEASE, get, kubectl


@contextmanager
def auditing():
    """A pod that may ask the databases and Kafka; it stands still until it is asked to. Gives its name."""
    pods = get("pods", "-l", "app.kubernetes.io/name=orders,app.kubernetes.io/component=consumer")["items"]
    [image] = {each["image"] for pod in pods for each in pod["spec"]["containers"]}
    name = "auditor"
    kubectl("delete", "pod", name, "--ignore-not-found", "--grace-period=0", "--force")
    kubectl("apply", "-f", "-", stdin=json.dumps(auditor_pod(name, image)))
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    try:
        yield name
    finally:
        kubectl("delete", "pod", name, "--grace-period=0", "--force", "--ignore-not-found")


def auditor_pod(name, image):
    database = {"name": f"{RELEASE}-postgresql"}
    # What it may reach is what orders' consumer may.
    labels = {
        "app.kubernetes.io/name": "orders", "app.kubernetes.io/instance": RELEASE,
        "app.kubernetes.io/component": "consumer", "app.kubernetes.io/part-of": "slipway",
    }  # fmt: skip
    return sleeping_pod(name, labels, image, env=[
        {"name": f"{service.upper()}_URL", "valueFrom": {"secretKeyRef": database | {"key": f"{service}-url"}}}
        for service in ("orders", "users")
    ] + [{"name": "KAFKA_BOOTSTRAP_SERVERS", "value": f"{RELEASE}-kafka:9092"}])  # fmt: skip


def sleeping_pod(name, labels, image, env=()):
    """As the restricted Pod Security Standard wants it; it does nothing by itself."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "automountServiceAccountToken": False, "enableServiceLinks": False, "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": name, "image": image, "command": ["sleep", "infinity"], "env": list(env),
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "resources": {"limits": {"memory": "512Mi"}},
            }],
        },
    }  # fmt: skip
