"""From Deployments that a chart made to a Microservice and back, with no request lost: what is marked and what goes.

There   ``adopt`` marks the live Services and Deployments; ``helm upgrade --set release.managed=true`` leaves what is
        marked; the operator takes it over when its first version is ready.
Back    ``orphan`` takes the Microservice away from its Services and its active version, which go on answering;
        ``helm upgrade --set release.managed=false`` makes the chart's own; ``clean`` removes what is left.

Every function may be interrupted and begun again. Nothing here reads or writes a pod.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ..runtimes.kubernetes.api.kinds import (
    ADOPTED_LABEL,
    COMPONENT_LABEL,
    LENT_AS,
    LENT_LABEL,
    ROLE_LABEL,
    SERVICE_LABEL,
    SERVING_LABEL,
    VERSION_LABEL,
)
from ..runtimes.kubernetes.objects.ownership import returning_patch
from ..spec.fields import COMPONENTS, GROUP
from .errors import NotPossible

Manifest = dict[str, Any]

MICROSERVICE = f"microservices.{GROUP}"
DEPLOYMENT = "deployments.apps"
SERVICE = "services"
# All that the operator made of a service; in this order it goes, once it belongs to nobody.
LEFT = (SERVICE, DEPLOYMENT, "poddisruptionbudgets.policy", "jobs.batch", f"serviceversions.{GROUP}")
ORPHANED_LABEL = f"{GROUP}/orphaned"
KEEP = "helm.sh/resource-policy"
_CHART_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component")
_MANAGED_BY = "app.kubernetes.io/managed-by"


class Objects(Protocol):
    """The objects of one namespace, with the rights of the person who asks."""

    @property
    def namespace(self) -> str: ...

    def get(self, kind: str, name: str) -> Manifest | None: ...

    def select(self, kind: str, selector: str) -> list[Manifest]: ...

    def patch(self, kind: str, name: str, patch: Manifest) -> Manifest:
        """JSON merge patch."""

    def delete(self, kind: str, name: str, *, orphan: bool = False) -> None:
        """Waits until it is gone. ``orphan``: what it owns stays, and belongs to nobody."""


# --- there
def adopt(objects: Objects, name: str) -> list[str]:
    """What was done, in sentences."""
    if objects.get(MICROSERVICE, name):
        raise NotPossible(f"{name} is managed already: there is a Microservice of that name")
    found = list(_of_the_chart(objects, name))
    if not any(kind == SERVICE for kind, _ in found):
        raise NotPossible(
            f"there is no Service {name} in namespace {objects.namespace}: a first install needs no adoption"
        )
    if not any(kind == DEPLOYMENT for kind, _ in found):
        looked = ", ".join(f"{name}-{each}" for each in COMPONENTS)
        raise NotPossible(
            f"there is Service {name}, and none of the Deployments {looked} that a chart of Slipway's has beside it in "
            f"namespace {objects.namespace}: kubectl slipway adopt {name} --deployment DEPLOYMENT names another one"
        )
    for kind, manifest in found:
        labels = {SERVICE_LABEL: name} | ({ADOPTED_LABEL: "true"} if kind == DEPLOYMENT else {})
        marks = {"metadata": {"labels": labels, "annotations": {KEEP: "keep"}}}
        objects.patch(kind, manifest["metadata"]["name"], marks)
    release = _release_of(found[0][1])
    return [
        f"{len(found)} objects of {name} stay when the chart gives them up",
        _upgrade(objects, release, "true"),
    ]


def _of_the_chart(objects: Objects, name: str) -> Iterator[tuple[str, Manifest]]:
    """Services first, so that a Deployment is never kept without the Service that finds its pods."""
    wanted = [(SERVICE, name), (SERVICE, f"{name}-pods"), *((DEPLOYMENT, f"{name}-{each}") for each in COMPONENTS)]
    for kind, full in wanted:
        manifest = objects.get(kind, full)
        if manifest:
            yield kind, manifest


# --- back
def orphan(objects: Objects, name: str) -> list[str]:
    microservice = objects.get(MICROSERVICE, name)
    if microservice:
        _at_rest(microservice, name)
    elif not _begun(objects, name):
        return _not_adopted(objects, name)
    version = _active(objects, name)
    staying = objects.select(DEPLOYMENT, f"{SERVICE_LABEL}={name},{VERSION_LABEL}={version}")
    if not staying:
        raise NotPossible(f"the active version {version} of {name} has no Deployment")
    components = {each["metadata"]["labels"][COMPONENT_LABEL]: each for each in staying}
    handing = [(full, _handing_patch(objects, components[each])) for each, full in _faces(name) if each in components]
    for each in staying:
        objects.patch(DEPLOYMENT, each["metadata"]["name"], {"metadata": {"labels": {ORPHANED_LABEL: "true"}}})
    kept = _keep_lent(objects, name)
    if microservice:
        objects.delete(MICROSERVICE, name, orphan=True)
    for full, patch in handing:
        objects.patch(SERVICE, full, patch)
    handed = {full for full, _ in handing}
    _remove(objects, name, keep={*handed, *kept, *(each["metadata"]["name"] for each in staying)})
    return [
        f"version {version} of {name} goes on answering, and the operator has no part in it any more",
        *_next(objects, name, staying[0]["spec"]["template"]),
    ]


def _keep_lent(objects: Objects, name: str) -> set[str]:
    """What was lent is given back when the Microservice goes: not now, since the version shall go on answering."""
    selector = f"{SERVICE_LABEL}={name},{LENT_LABEL}"
    lent = [(kind, each) for kind in (SERVICE, DEPLOYMENT) for each in objects.select(kind, selector)]
    for kind, each in lent:
        labels: dict[str, str | None] = {LENT_LABEL: None, **({SERVICE_LABEL: None} if kind == DEPLOYMENT else {})}
        objects.patch(kind, each["metadata"]["name"], {"metadata": {"labels": labels, "annotations": {LENT_AS: None}}})
    return {each["metadata"]["name"] for _, each in lent}


def _next(objects: Objects, name: str, template: Manifest) -> list[str]:
    cleaning = f"kubectl slipway orphan {name} --clean -n {objects.namespace}"
    if _of_a_chart(template):
        return [_upgrade(objects, _release_of(template), "false"), f"and then: {cleaning}"]
    return [f"when a Deployment of your own is ready: {cleaning} --deployment DEPLOYMENT gives it the Service"]


def _of_a_chart(template: Manifest) -> bool:
    """Of a chart of Slipway's, which goes on with the Service by these labels."""
    return all(name in template["metadata"]["labels"] for name in _CHART_LABELS)


def _at_rest(microservice: Manifest, name: str) -> None:
    status = microservice.get("status") or {}
    seen = status.get("observedGeneration") == microservice["metadata"]["generation"]
    if status.get("phase") != "Released" or not seen:
        phase = status.get("phase", "Pending") if seen else "not looked at yet"
        raise NotPossible(f"{name} is {phase}: take it back when it is Released, so that one version alone answers")


def _begun(objects: Objects, name: str) -> bool:
    """A former run of this command ended between two steps."""
    return bool(objects.select(DEPLOYMENT, f"{SERVICE_LABEL}={name},{ORPHANED_LABEL}"))


def _not_adopted(objects: Objects, name: str) -> list[str]:
    lent = [
        (kind, each)
        for kind in (DEPLOYMENT, SERVICE)
        for each in objects.select(kind, f"{SERVICE_LABEL}={name},{LENT_LABEL}")
    ]
    for kind, each in lent:
        objects.patch(kind, each["metadata"]["name"], returning_patch(each))
    marked = [
        (kind, each) for kind in (DEPLOYMENT, SERVICE) for each in objects.select(kind, f"{SERVICE_LABEL}={name}")
    ]
    if lent and not marked:
        return [f"{name} is not handed over any more: all is as it was"]
    if not marked:
        raise NotPossible(f"there is no Microservice {name} in namespace {objects.namespace}")
    for kind, each in marked:
        unmarked = {"labels": {SERVICE_LABEL: None, ADOPTED_LABEL: None}, "annotations": {KEEP: None}}
        objects.patch(kind, each["metadata"]["name"], {"metadata": unmarked})
    return [f"{name} is not adopted any more: its chart goes on with it"]


def _faces(name: str) -> tuple[tuple[str, str], ...]:
    """Which component answers behind which Service, as the chart names them."""
    return ("http", name), ("grpc", f"{name}-pods")


def _active(objects: Objects, name: str) -> str:
    """From the Services, since they are the truth, and the Microservice may be gone already."""
    for _, full in _faces(name):
        service = objects.get(SERVICE, full)
        version = service["spec"].get("selector", {}).get(VERSION_LABEL) if service else None
        if version:
            return str(version)
    marked = objects.select(DEPLOYMENT, f"{SERVICE_LABEL}={name},{ORPHANED_LABEL}")
    if marked:
        return str(marked[0]["metadata"]["labels"][VERSION_LABEL])
    raise NotPossible(f"the Service of {name} selects no single version: wait until its release has ended")


def _handing_patch(objects: Objects, deployment: Manifest) -> Manifest:
    """The Service selects by the chart's labels, which pods of the version have as well as those that the chart makes.

    Without a chart of ours the version's own selector stays.
    """
    template = deployment["spec"]["template"]
    plain = {"labels": {SERVICE_LABEL: None, ROLE_LABEL: None}, "annotations": {KEEP: None}}
    if not _of_a_chart(template):
        return {"metadata": plain | {"labels": {SERVICE_LABEL: None, ROLE_LABEL: None, _MANAGED_BY: None}}}
    labels = template["metadata"]["labels"]
    selector: dict[str, str | None] = dict.fromkeys((SERVICE_LABEL, SERVING_LABEL, VERSION_LABEL, COMPONENT_LABEL))
    selector |= {name: labels[name] for name in _CHART_LABELS}
    release = {"release-name": _release_of(template), "release-namespace": objects.namespace}
    return {
        "metadata": {
            "labels": {SERVICE_LABEL: None, ROLE_LABEL: None, _MANAGED_BY: "Helm"},
            "annotations": {KEEP: None, **{f"meta.helm.sh/{key}": value for key, value in release.items()}},
        },
        "spec": {"selector": selector},
    }


def _remove(objects: Objects, name: str, *, keep: set[str]) -> None:
    """The chart makes a budget and a Job of its own; records without a Microservice say nothing to anybody."""
    for kind in LEFT:
        for each in objects.select(kind, f"{SERVICE_LABEL}={name}"):
            full = each["metadata"]["name"]
            # A budget is called like the Service.
            if kind not in {SERVICE, DEPLOYMENT} or full not in keep:
                objects.delete(kind, full)


def clean(objects: Objects, name: str, deployment: str = "") -> list[str]:
    """Removes what ``orphan`` left, once the pods of the chart, or of ``deployment``, can answer."""
    left = objects.select(DEPLOYMENT, f"{SERVICE_LABEL}={name},{ORPHANED_LABEL}")
    if objects.get(MICROSERVICE, name):
        more = "is managed again: the operator goes on with its version"
        raise NotPossible(f"{name} {more}" if left else f"{name} is managed: first kubectl slipway orphan {name}")
    if not left:
        raise NotPossible(f"nothing of {name} is left to remove in namespace {objects.namespace}")
    for own in [deployment] if deployment else [f"{name}-{_component(each)}" for each in left]:
        missing = _not_available(objects.get(DEPLOYMENT, own))
        if missing:
            named = "" if deployment else "; --deployment names another one"
            title = "Deployment" if deployment else "the chart's own Deployment"
            raise NotPossible(f"{title} {own} {missing}, so nothing is removed yet{named}")
    if deployment:
        _give_service(objects, name, deployment)
    _check_followed(objects, name)
    for each in left:
        objects.delete(DEPLOYMENT, each["metadata"]["name"])
    goes_on = f"Deployment {deployment} has its Service" if deployment else f"{name} is the chart's alone"
    return [f"{_counted(left)} of the former version removed; {goes_on}"]


def _component(deployment: Manifest) -> str:
    return str(deployment["metadata"]["labels"][COMPONENT_LABEL])


def _give_service(objects: Objects, name: str, deployment: str) -> None:
    """Its pods are available, so that no request is lost when the selector changes."""
    service, own = objects.get(SERVICE, name), objects.get(DEPLOYMENT, deployment)
    if service and own:
        selector = {**dict.fromkeys(service["spec"].get("selector") or {}), **own["spec"]["selector"]["matchLabels"]}
        objects.patch(SERVICE, name, {"spec": {"selector": selector}})


def _check_followed(objects: Objects, name: str) -> None:
    service = objects.get(SERVICE, name)
    if service and VERSION_LABEL in (service["spec"].get("selector") or {}):
        raise NotPossible(
            f"Service {name} selects the pods that would be removed: name the Deployment that goes on, "
            f"kubectl slipway orphan {name} --clean --deployment DEPLOYMENT"
        )


def _not_available(deployment: Manifest | None) -> str:
    if deployment is None:
        return "is not there"
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    ready = min(status.get("availableReplicas", 0), status.get("updatedReplicas", 0)) if seen else 0
    return "" if wanted and ready >= wanted else f"has {ready} of {wanted} pods available"


def _release_of(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["labels"].get("app.kubernetes.io/instance", "RELEASE"))


def _upgrade(objects: Objects, release: str, managed: str) -> str:
    command = f"helm -n {objects.namespace} upgrade {release} CHART --reset-then-reuse-values"
    return f"now: {command} --set release.managed={managed} (in an umbrella chart: under the service's name)"


def _counted(things: Sequence[Any]) -> str:
    return f"{len(things)} Deployment" + ("s" if len(things) > 1 else "")
