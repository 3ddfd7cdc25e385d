"""The kinds of objects that are read or written, and the labels that tell ours apart."""

import re
from dataclasses import dataclass

from ....errors import NotAName
from ....spec.fields import GROUP, VERSION

MANAGER = "slipway-operator"

# On every child, so that one selector is enough for all watches.
SERVICE_LABEL = f"{GROUP}/microservice"
VERSION_LABEL = f"{GROUP}/version"
COMPONENT_LABEL = f"{GROUP}/component"
# On pods that answer requests: workers and Jobs never stand behind a Service.
SERVING_LABEL = f"{GROUP}/serving"
DRAINING_LABEL = f"{GROUP}/draining"
# On a pod template whose processes close kept-alive connections when they are told so by that label.
CLOSES_CONNECTIONS = f"{GROUP}/closes-connections"
# On the Deployment of a former version, and in its template: when its pods were asked to be replaced.
RENEWED = f"{GROUP}/renewed"
ROLE_LABEL = f"{GROUP}/role"
# On Deployments that a chart made, which serve until a first version takes over from them.
ADOPTED_LABEL = f"{GROUP}/adopted"
# On what is somebody else's and was handed over: it is given back as the annotation remembers it.
LENT_LABEL = f"{GROUP}/lent"
LENT_AS = f"{GROUP}/lent-as"

ATTEMPT = f"{GROUP}/attempt"
RUN = f"{GROUP}/run"
GATE = f"{GROUP}/gate"
FIRST_STARTED = f"{GROUP}/first-started"
STARTED = f"{GROUP}/started"
COPY_OF = f"{GROUP}/copy-of"

# As Kubernetes names objects: of the small letters, digits, - and . alone, so that no part of a path is anything else.
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
LONGEST_NAME = 253
_LONGEST_SHOWN = 80


def is_name(text: str) -> bool:
    """Whether an object can be called so."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def shown_name(text: str) -> str:
    """For messages: in quotes, without control characters, and not longer than a line."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")


@dataclass(frozen=True, slots=True)
class Kind:
    group: str  # "" for the core group
    version: str
    name: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str = "") -> str:
        """The only place where paths are made. Names may come from specs, and are asked for with all rights we have.

        Args:
            namespace: None: of the whole cluster
            name: None: of all objects of the kind
            subresource: of the object, such as status

        Raises:
            NotAName: a part would be no name, and so could lead to another object than the one that was meant
        """
        parts = ["apis", self.group] if self.group else ["api"]
        parts += [self.version, *(["namespaces", namespace] if namespace is not None else []), self.plural]
        parts += [each for each in (name, subresource or None) if each is not None]
        for each in parts:
            if not is_name(each):
                raise NotAName(
                    f"{shown_name(each)} is no name of a {self.name} or its namespace: names have at most "
                    f"{LONGEST_NAME} of a-z, 0-9, - and ., and begin and end with a letter or a digit"
                )
        return "/" + "/".join(parts)


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

    @property
    def possible(self) -> bool:
        """False: a label said it that anybody may write, and no object can be called so."""
        return is_name(self.namespace) and is_name(self.name)

    def __str__(self) -> str:
        return f"{'' if self.kind is MICROSERVICE else f'{self.kind.name} '}{self.namespace}/{self.name}"
