"""The schema of the chart's values: Helm's part, and the gateway's settings as their models have them."""

from typing import Any

from .settings import GatewaySettings

DRAFT = "http://json-schema.org/draft-07/schema#"
TEXT = {"type": "string"}
OPTIONAL = {"type": ["string", "null"]}
SWITCH = {"type": "boolean"}
PEER = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"podSelector": {}, "namespaceSelector": {}, "ipBlock": {}},
}
PEERS = {"type": ["array", "null"], "items": PEER, "description": "Peers of a NetworkPolicy; empty: all."}
STRINGS = {"type": ["object", "null"], "additionalProperties": {"type": ["string", "number", "boolean", "null"]}}
SOME_PODS = {"type": ["integer", "string", "null"], "minimum": 1, "pattern": "^([1-9][0-9]*|[1-9][0-9]?%|100%)$"}
FEWER_PODS = {**SOME_PODS, "pattern": "^([1-9][0-9]*|[1-9][0-9]?%)$"}
# As the Prometheus operator has it.
DURATION = "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$"
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


def _optional(description: str = "", **properties: Any) -> dict[str, Any]:
    """A block that null turns off."""
    return {**_closed(description, **properties), "type": ["object", "null"]}


def chart_schema() -> dict[str, Any]:
    settings = GatewaySettings.model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    return {
        "$schema": DRAFT,
        "title": "gateway",
        "patternProperties": {"^x-": {"description": "Not of the chart: a place for anchors of YAML."}},
        **_closed(**_helm(), gateway={"$ref": "#/definitions/GatewaySettings"}),
        "definitions": settings.pop("$defs") | {"GatewaySettings": settings},
    }


def _helm() -> dict[str, Any]:
    return {
        "global": MAPPING,
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
            nodePort=_node_port("Of HTTP, unless the type is ClusterIP."),
            tlsNodePort=_node_port("Of HTTPS, unless the type is ClusterIP."),
            externalTrafficPolicy={
                "enum": ["", "Cluster", "Local"],
                "description": "Local preserves the client's address. Default: Local for LoadBalancer, otherwise "
                "Cluster.",
            },
        ),
        "httpRoute": _optional(
            "An HTTPRoute (Gateway API) from a gateway of the cluster to this one.",
            enabled=SWITCH,
            parentRefs={"type": ["array", "null"], "items": {"type": "object", "required": ["name"]}},
            hostnames={"type": ["array", "null"], "items": TEXT},
            annotations=STRINGS,
        ),
        "ingress": _optional(
            "An Ingress from a controller of the cluster to this gateway.",
            enabled=SWITCH,
            className=OPTIONAL,
            annotations=STRINGS,
            hostnames={"type": ["array", "null"], "items": TEXT},
            tls=OBJECTS,
        ),
        "tls": _optional(
            "Where the certificate of gateway.tls comes from: issuerRef, then selfSigned, then secretName.",
            hosts={"type": ["array", "null"], "items": TEXT, "description": "Names in the certificate."},
            issuerRef=_optional("Issuer of cert-manager.", name=TEXT, kind=TEXT, group=TEXT),
            acme=_optional("Proof of the name by HTTP (HTTP-01), through this gateway.", enabled=SWITCH),
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
        "descriptors": {
            **MAPPING,
            "additionalProperties": OPTIONAL,
            "description": "Descriptor sets for gateway.transcode, in base64, by file.",
        },
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
        "imagePullSecrets": {
            "type": ["array", "null"],
            "items": {**_closed(name=TEXT), "type": ["object", "string"], "minLength": 1, "required": ["name"]},
        },
        "nameOverride": TEXT,
        "fullnameOverride": TEXT,
        "commonLabels": STRINGS,
        "commonAnnotations": STRINGS,
        "deploymentSpec": {**MAPPING, "properties": dict.fromkeys(["replicas", "selector", "template"], False)},
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
        "resources": _optional(requests=MAPPING, limits=MAPPING),
        "serviceAccount": _optional(create=SWITCH, name=TEXT, annotations=STRINGS),
    }


def _policies() -> dict[str, Any]:
    positive = {"type": "integer", "minimum": 1}
    return {
        "autoscaling": _optional(
            enabled=SWITCH,
            minReplicas=positive,
            maxReplicas=positive,
            targetCPUUtilizationPercentage={**positive, "type": ["integer", "null"]},
            metrics=OBJECTS,
            behavior=_closed(scaleUp={"type": "object"}, scaleDown={"type": "object"}),
        ),
        "podDisruptionBudget": _optional(enabled=SWITCH, maxUnavailable=SOME_PODS, minAvailable=FEWER_PODS),
        "podMonitor": _optional(
            enabled=SWITCH,
            labels=STRINGS,
            interval={"type": "string", "pattern": DURATION},
            endpoint={**MAPPING, "description": "Further fields of the endpoint, as in a PodMonitor."},
        ),
        "drain": _closed(
            preStopSeconds={
                **positive,
                "description": "Seconds until all proxies have noticed that the pod terminates.",
            },
            gracefulSeconds={**positive, "description": "Seconds for requests in flight after that."},
        ),
        "networkPolicy": _optional(
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
