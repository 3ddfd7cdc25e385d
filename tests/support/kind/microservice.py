"""A Microservice on the cluster, as the release tests change it and look at it."""

import json
import uuid
from datetime import datetime

import requests

from slipway_chassis.testing.plugin import eventually

GROUP = "/apis/slipway.dev/v1alpha1/namespaces"
# Times of the tests; a step of a release takes seconds on two cores that also carry the load.
RELEASE_SECONDS = 240
ENDS = {"Released", "Failed", "Blocked"}
QUICK = {"type": "BlueGreen", "previewReplicas": 2, "scaleDownDelaySeconds": 1, "progressDeadlineSeconds": 300}
ROLLING = {"type": "Rolling", "previewReplicas": 1, "progressDeadlineSeconds": 300}


class Microservice:
    def __init__(self, api, namespace, name):
        self._api, self.namespace, self.name = api, namespace, name
        self._path = f"{GROUP}/{namespace}/microservices/{name}"

    def __repr__(self):
        return self.name

    # --- reading
    def get(self):
        return self._api.get(self._path)

    @property
    def status(self):
        return self.get().get("status") or {}

    @property
    def active(self):
        return self.status.get("activeVersion", "")

    def pods(self, version, component="http"):
        labels = {"microservice": self.name, "version": version, "component": component}
        selector = ",".join(f"slipway.dev/{name}={value}" for name, value in labels.items())
        return self._api.get(f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=selector)["items"]

    def selected(self):
        """The version that the active Service selects."""
        service = self._api.get(f"/api/v1/namespaces/{self.namespace}/services/{self.name}")
        return service["spec"]["selector"].get("slipway.dev/version", "")

    def events(self, reason):
        """Words of the Events with that reason."""
        found = self._api.get(
            f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events",
            fieldSelector=f"reason={reason},regarding.name={self.name}",
        )
        return [each["note"] for each in found["items"]]

    # --- changing
    def change(self, edit):
        """``edit`` gets the spec to change it; returns the generation that it made."""
        spec = self.get()["spec"]
        edit(spec)
        return self._api.replace(self._path, "/spec", spec)["metadata"]["generation"]

    def release(self, **strategy):
        """A new version: the same image with another variable. Returns the generation."""
        label = f"t-{uuid.uuid4().hex[:6]}"

        def edit(spec):
            spec["version"] = label
            if strategy:
                spec["strategy"] = strategy
            [container] = spec["components"]["http"]["template"]["spec"]["containers"]
            others = [each for each in container.get("env", []) if each["name"] != "RELEASED_AS"]
            container["env"] = [*others, {"name": "RELEASED_AS", "value": label}]

        return self.change(edit)

    def settled(self, generation, phase="Released"):
        """The status, when that generation has come to its end; another end than the wanted one is an error."""
        status = self.status
        if status.get("observedGeneration", -1) < generation or status.get("phase") not in ENDS:
            return None
        assert status["phase"] == phase, (self.name, status["phase"], status.get("blockedBy"))
        return status

    def wait(self, generation, phase="Released", within=RELEASE_SECONDS):
        def there():
            try:
                return self.settled(generation, phase)
            except requests.RequestException:  # the API server is being started anew
                return None

        return eventually(there, within=within, every=0.2)

    def reaches(self, generation, *steps, within=RELEASE_SECONDS):
        """Waits until the release of that generation is at one of the steps."""

        def there():
            status = self.status
            return status.get("observedGeneration", -1) >= generation and status.get("step") in steps

        return eventually(there, within=within, every=0.05)

    # --- who answered
    def last_answer(self, pod):
        """When the pod last answered a request, by its access log; 0: never, or it is gone."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        try:
            lines = self._api.text(path, tailLines=40).splitlines()
        except requests.HTTPError:
            return 0.0
        times = [json.loads(line) for line in lines if line.startswith("{") and '"http.request.method"' in line]
        return max((datetime.fromisoformat(each["@timestamp"]).timestamp() for each in times), default=0.0)

    def last_answer_of(self, version):
        return max((self.last_answer(pod["metadata"]["name"]) for pod in self.pods(version)), default=0.0)


def switched_at(watch, service, version):
    """When the active Service was seen to select that version."""
    for when, each in watch.of(service.name):
        if each["spec"]["selector"].get("slipway.dev/version") == version:
            return when
    return None
