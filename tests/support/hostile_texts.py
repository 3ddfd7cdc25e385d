"""Texts of a neighbour who means harm, and a Microservice in which each field of text has a value to put them into."""

import copy

HOSTILE = (
    "../../secretive/configmaps/private",
    "..",
    "a/../../b",
    "%2e%2e%2fsecretive",
    "a#b",
    "a?b=c",
    "a\0b",
    "a\nb",
    "a\r\nHost: b",
    "a b",
    "ä",
    "http://user:pw@169.254.169.254/",
    "x" * 5_000,
    "",
)


def template(image):
    reads = {"configMapRef": {"name": "settings"}}
    key = {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "key"}}}
    volumes = [
        {"name": "plain", "configMap": {"name": "settings"}},
        {"name": "several", "projected": {"sources": [{"configMap": {"name": "settings"}}]}},
    ]
    ports = [{"name": "http", "containerPort": 8000}, {"name": "admin", "containerPort": 9100}]
    container = {"name": "main", "image": image, "envFrom": [reads], "env": [key], "ports": ports}
    return {
        "metadata": {"labels": {"app": "orders"}, "annotations": {"note": "1"}},
        "spec": {"containers": [container], "initContainers": [copy.deepcopy(container)], "volumes": volumes},
    }


# Each field of text has a value, so that each is made hostile.
SPEC = {
    "version": "1.0",
    "components": {name: {"template": template(f"shop/orders:{name}")} for name in ("http", "worker")},
    "ports": [{"name": "http", "port": 80, "appProtocol": "http"}],
    "strategy": {
        "type": "BlueGreen",
        "promotionWindow": {"days": ["Mon"], "from": "00:00", "to": "23:59", "timeZone": "UTC"},
    },
    "events": {"group": "orders", "bootstrapServers": "kafka:9092", "handover": "Exclusive"},
    "gates": [
        {"name": "smoke", "type": "http", "phase": "beforePromotion",
         "http": {"path": "/ready", "port": "http", "contains": "ok"}},
        {"name": "job", "type": "job", "job": {"template": template("shop/smoke:1")}},
        {"name": "errors", "type": "prometheus",
         "prometheus": {"address": "http://prometheus:9090", "query": "up", "min": 1}},
        {"name": "traffic", "type": "analysis", "analysis": {"address": "http://prometheus:9090"}},
        {"name": "contracts", "type": "contracts"},
    ],
    "migrations": {"expand": template("shop/orders:expand"), "contract": template("shop/orders:contract")},
    "release": {"promote": "0a1b2c3d", "activeVersion": None, "retry": "once"},
}  # fmt: skip


def places(value, *path):
    """Where there is text, or a name of a field that anybody chooses."""
    if isinstance(value, str):
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], *path, key)
    if path and path[-1] in {"components", "configMaps", "labels", "annotations"}:
        yield (*path, "*")


def changed(value, path, text):
    made = copy.deepcopy(value)
    parent = made
    for each in path[:-1]:
        parent = parent[each]
    if path[-1] == "*":
        parent[text] = next(iter(parent.values()))
    else:
        parent[path[-1]] = text
    return made
