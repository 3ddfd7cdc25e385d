"""The kinds of objects that are read or written, and the labels that tell ours apart."""

from dataclasses import dataclass

from ....spec.fields import GROUP, VERSION

MANAGER = "slipway-operator"

# On every child, so that one selector is enough for all watches.
SERVICE_LABEL = f"{GROUP}/microservice"
VERSION_LABEL = f"{GROUP}/version"
COMPONENT_LABEL = f"{GROUP}/component"
# On pods that answer requests: workers and Jobs never stand behind a Service.
SERVING_LABEL = f"{GROUP}/serving"
DRAINING_LABEL = f"{GROUP}/draining"
ROLE_LABEL = f"{GROUP}/role"
# On Deployments that a chart made, which serve until a first version takes over from them.
ADOPTED_LABEL = f"{GROUP}/adopted"

ATTEMPT = f"{GROUP}/attempt"
RUN = f"{GROUP}/run"
GATE = f"{GROUP}/gate"
FIRST_STARTED = f"{GROUP}/first-started"
COPY_OF = f"{GROUP}/copy-of"


@dataclass(frozen=True, slots=True)
class Kind:
    group: str  # "" for the core group
    version: str
    name: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        parts = ["apis", self.group] if self.group else ["api"]
        parts += [self.version, *(["namespaces", namespace] if namespace else []), self.plural]
        return "/" + "/".join([*parts, *([name] if name else []), *([subresource] if subresource else [])])


MICROSERVICE = Kind(GROUP, VERSION, "Microservice", "microservices")
SERVICE_VERSION = Kind(GROUP, VERSION, "ServiceVersion", "serviceversions")
RELEASE_PLAN = Kind(GROUP, VERSION, "ReleasePlan", "releaseplans")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
POD = Kind("", "v1", "Pod", "pods")
SERVICE = Kind("", "v1", "Service", "services")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
JOB = Kind("batch", "v1", "Job", "jobs")
DISRUPTION_BUDGET = Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
EVENT = Kind("events.k8s.io", "v1", "Event", "events")

# Children that are watched: a change of one of them is a reason to look again.
CHILDREN = (SERVICE_VERSION, DEPLOYMENT, POD, SERVICE, ENDPOINT_SLICE, JOB)


@dataclass(frozen=True, slots=True)
class Key:
    """What is reconciled: a service, or a plan for several."""

    namespace: str
    name: str
    kind: Kind = MICROSERVICE

    def __str__(self) -> str:
        return f"{'' if self.kind is MICROSERVICE else f'{self.kind.name} '}{self.namespace}/{self.name}"
