"""The schema of the chart's values: Helm's part, and the gateway's settings as their models have them."""

from typing import Any

from .settings import GatewaySettings

DRAFT = "http://json-schema.org/draft-07/schema#"
TEXT = {"type": "string"}
OPTIONAL = {"type": ["string", "null"]}
SWITCH = {"type": "boolean"}
PEERS = {"type": ["array", "null"], "items": {"type": "object"}, "description": "Peers of a NetworkPolicy; empty: all."}
STRINGS = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}}
SOME_PODS = "^([1-9][0-9]*|[1-9][0-9]?%|100%)$"
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
COUNT = {"type": "integer", "minimum": 0}
MAPPING = {"type": ["object", "null"]}
OBJECTS = {"type": ["array", "null"], "items": {"type": "object"}}
RESTRICTED = ["runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"]
# What has a value of its own is set there, and once.
OF_THE_CHART = [
    "affinity", "automountServiceAccountToken", "containers", "enableServiceLinks", "imagePullSecrets",
    "initContainers", "nodeSelector", "priorityClassName", "restartPolicy", "securityContext", "serviceAccountName",
    "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes",
]  # fmt: skip


def _closed(description: str = "", **properties: Any) -> dict[str, Any]:
    closed = {"type": "object", "additionalProperties": False, "properties": properties}
    return {"description": description, **closed} if description else closed


def chart_schema() -> dict[str, Any]:
    settings = GatewaySettings.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    return {
        "$schema": DRAFT,
        "title": "gateway",
        **_closed(**_helm(), gateway={"$ref": "#/definitions/GatewaySettings"}),
        "definitions": settings.pop("$defs") | {"GatewaySettings": settings},
    }


def _helm() -> dict[str, Any]:
    return {
        "global": {"type": "object"},
        "base": _closed("The library has no values.", **{"global": {"type": "object"}}),
        "enabled": {**SWITCH, "description": "Condition in an umbrella chart."},
        **_pods(),
        "service": _closed(
            type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]},
            annotations=STRINGS,
            spec={
                **MAPPING,
                "properties": dict.fromkeys(["type", "selector", "ports", "externalTrafficPolicy"], False),
            },
            nodePort=_node_port("Of HTTP, for type NodePort."),
            tlsNodePort=_node_port("Of HTTPS, for type NodePort."),
            externalTrafficPolicy={
                "enum": ["", "Cluster", "Local"],
                "description": "Local preserves the client's address. Default: Local for LoadBalancer, otherwise "
                "Cluster.",
            },
        ),
        "httpRoute": _closed(
            "An HTTPRoute (Gateway API) from a gateway of the cluster to this one.",
            enabled=SWITCH,
            parentRefs={"type": ["array", "null"], "items": {"type": "object", "required": ["name"]}},
            hostnames={"type": ["array", "null"], "items": TEXT},
            annotations=STRINGS,
        ),
        "ingress": _closed(
            "An Ingress from a controller of the cluster to this gateway.",
            enabled=SWITCH,
            className=OPTIONAL,
            annotations=STRINGS,
            hostnames={"type": ["array", "null"], "items": TEXT},
            tls=OBJECTS,
        ),
        "tls": _closed(
            "Where the certificate of gateway.tls comes from: issuerRef, then selfSigned, then secretName.",
            hosts={"type": ["array", "null"], "items": TEXT, "description": "Names in the certificate."},
            issuerRef=_closed("Issuer of cert-manager.", name=TEXT, kind=TEXT, group=TEXT),
            acme=_closed("Proof of the name by HTTP (HTTP-01), through this gateway.", enabled=SWITCH),
            selfSigned={
                **SWITCH,
                "description": "Whether the chart generates a self-signed certificate, for development.",
            },
            secretName={**TEXT, "description": "An existing Secret of type kubernetes.io/tls."},
        ),
        "internalTls": _closed(
            "The certificate by which upstreams know the gateway.",
            enabled={"type": ["boolean", "null"]},
            issuerRef=_closed("Issuer of cert-manager.", name=TEXT, kind=TEXT, group=TEXT),
            secretName={**TEXT, "description": "An existing Secret with tls.crt, tls.key and ca.crt."},
        ),
        **_policies(),
        "tests": {
            "type": ["array", "null"],
            "items": {
                **_closed(method=TEXT, path=TEXT, status={"type": "integer", "minimum": 100, "maximum": 599}),
                "required": ["path", "status"],
            },
        },
        "descriptors": {**STRINGS, "description": "Descriptor sets for gateway.transcode, in base64, by file."},
    }


def _node_port(description: str) -> dict[str, Any]:
    return {"type": ["integer", "null"], "minimum": 30000, "maximum": 32767, "description": description}


def _pods() -> dict[str, Any]:
    return {
        "image": _closed(
            repository=TEXT,
            tag={
                "type": ["string", "number"],
                "not": {"const": "latest"},
                "description": "Default: global.imageTag, then appVersion.",
            },
            digest={
                **TEXT,
                "pattern": "^(sha256:[0-9a-f]{64})?$",
                "description": "Digest of the image; takes precedence over the tag.",
            },
            pullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
        ),
        "imagePullSecrets": {"type": ["array", "null"], "items": {**_closed(name=TEXT), "required": ["name"]}},
        "nameOverride": TEXT,
        "fullnameOverride": TEXT,
        "podAnnotations": STRINGS,
        "podLabels": STRINGS,
        "nodeSelector": STRINGS,
        "tolerations": OBJECTS,
        "affinity": MAPPING,
        "priorityClassName": OPTIONAL,
        "topologySpreadConstraints": OBJECTS,
        "podSpec": {**MAPPING, "properties": dict.fromkeys(OF_THE_CHART, False)},
        "podSecurityContext": {
            **MAPPING,
            "description": "As in Kubernetes.",
            "properties": {key: {} for key in RESTRICTED},
        },
        "extraEnv": {**MAPPING, "additionalProperties": {"type": ["string", "number", "boolean", "object", "null"]}},
        "extraVolumes": OBJECTS,
        "extraVolumeMounts": OBJECTS,
        "envFrom": OBJECTS,
        "sidecars": OBJECTS,
        "extraObjects": {"type": ["array", "null"], "items": {"type": ["object", "string"]}},
        "logLevel": {"enum": ["debug", "info", "warning", "error"], "description": "Log level of Envoy."},
        "replicas": {**COUNT, "type": ["integer", "null"]},
        "concurrency": {"type": "integer", "minimum": 1, "maximum": 64, "description": "Envoy's worker threads."},
        "resources": _closed(requests=MAPPING, limits=MAPPING),
        "serviceAccount": _closed(create=SWITCH, name=TEXT, annotations=STRINGS),
    }


def _policies() -> dict[str, Any]:
    positive = {"type": "integer", "minimum": 1}
    return {
        "autoscaling": _closed(
            enabled=SWITCH,
            minReplicas=positive,
            maxReplicas=positive,
            targetCPUUtilizationPercentage={**positive, "type": ["integer", "null"]},
            metrics=OBJECTS,
            behavior=_closed(scaleUp={"type": "object"}, scaleDown={"type": "object"}),
        ),
        "podDisruptionBudget": _closed(
            enabled=SWITCH,
            maxUnavailable={"type": ["integer", "string"], "minimum": 1, "pattern": SOME_PODS},
        ),
        "podMonitor": _closed(enabled=SWITCH, labels=STRINGS, interval={"type": "string", "pattern": "^[0-9]+(s|m)$"}),
        "drain": _closed(
            preStopSeconds={
                **positive,
                "description": "Seconds until all proxies have noticed that the pod terminates.",
            },
            gracefulSeconds={**positive, "description": "Seconds for requests in flight after that."},
        ),
        "networkPolicy": _closed(
            enabled=SWITCH,
            httpFrom=PEERS,
            metricsFrom=PEERS,
            upstreamsTo=PEERS,
            dnsTo=PEERS,
            dnsPorts={"type": ["array", "null"], "items": PORT},
            telemetryTo=PEERS,
            extraEgress=OBJECTS,
            upstreamPodPorts={
                "type": "array",
                "items": PORT,
                "description": "Ports on which the pods of upstreams listen.",
            },
        ),
    }
