"""An API server of one dictionary: objects by their paths, pods that are ready at once, and every path it was asked."""

import copy
import itertools

from slipway_operator.errors import Missing, Outdated
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence

NOW = "2026-01-01T00:00:00Z"


class MemoryApi(Client):
    def __init__(self):
        super().__init__(None, NoFence())
        self.objects, self.asked = {}, []
        self._versions = itertools.count(1)

    def put(self, kind, namespace, name, content):
        made = {"metadata": {"name": name, "namespace": namespace}, **content}
        self._keep(f"{kind.path(namespace)}/{name}", made)

    async def _request(self, method, path, *, body=None, query=None, content="", fenced=False):
        self.asked.append(path)
        object_path = path.removesuffix("/status")
        found = self.objects.get(object_path)
        if method == "POST":
            object_path = f"{path}/{body['metadata'].get('name', 'event')}"
            if object_path in self.objects:
                raise Outdated(f"{object_path} is there")
            body["metadata"].setdefault("namespace", path.split("/namespaces/")[-1].split("/")[0])
            return self._keep(object_path, body)
        if method == "DELETE":
            self.objects.pop(object_path, None)
            return {}
        if method == "PATCH" and (found or "apply" in content):
            return self._keep(object_path, _merged(found or {}, body))
        if found:
            return copy.deepcopy(found)
        if method == "GET" and len(path.split("/")) in {5, 6, 7} and path.split("/")[-2] != "namespaces":
            listed = self._below(path, (query or {}).get("labelSelector", ""))
            if listed is not None:
                return {"metadata": {"resourceVersion": str(next(self._versions))}, "items": listed}
        raise Missing(f"{method} {path}")

    def _below(self, path, selector):
        parts = path.split("/")
        if len(parts) < 4 or parts[-3] != "namespaces":
            return None
        found = [each for where, each in self.objects.items() if where.rpartition("/")[0] == path]
        return copy.deepcopy([each for each in found if _chosen(each["metadata"].get("labels") or {}, selector)])

    def _keep(self, path, body):
        made = copy.deepcopy(body)
        made.setdefault("status", {})
        metadata = made["metadata"] = {"uid": path, "generation": 1, "creationTimestamp": NOW, **made["metadata"]}
        metadata.setdefault("labels", {})
        metadata["resourceVersion"] = str(next(self._versions))
        self.objects[path] = made
        return copy.deepcopy(made)

    def settle(self):
        """Jobs succeed, and each Deployment has its pods behind the Services that select them."""
        for path, each in list(self.objects.items()):
            if "/jobs/" in path:
                each["status"] = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": NOW}]}
            if "/deployments/" in path:
                self._pods(each)
        pods = [each for path, each in self.objects.items() if "/pods/" in path]
        for path, each in list(self.objects.items()):
            if "/services/" in path:
                self._slice(path, each, pods)

    def _pods(self, deployment):
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        root, template = f"/api/v1/namespaces/{namespace}/pods", deployment["spec"]["template"]
        for path in [path for path in self.objects if path.startswith(f"{root}/{name}-")]:
            del self.objects[path]
        ready = [{"type": "Ready", "status": "True", "lastTransitionTime": NOW}]
        status = {"phase": "Running", "podIP": "10.1.0.1", "conditions": ready}
        for number in range(deployment["spec"]["replicas"]):
            metadata = {"name": f"{name}-{number}", "namespace": namespace, "labels": template["metadata"]["labels"]}
            self._keep(f"{root}/{name}-{number}", {"metadata": metadata, "spec": template["spec"], "status": status})

    def _slice(self, path, service, pods):
        selector = service["spec"].get("selector") or {}
        behind = [each for each in pods if selector.items() <= each["metadata"]["labels"].items()]
        labels = {**service["metadata"]["labels"], "kubernetes.io/service-name": service["metadata"]["name"]}
        endpoints = [
            {"targetRef": {"name": each["metadata"]["name"]}, "conditions": {"ready": True}} for each in behind
        ]
        ports = [{"name": each["name"], "port": 8000} for each in service["spec"].get("ports", [])]
        name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
        where = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}"
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        self._keep(where, {"metadata": metadata, "endpoints": endpoints, "ports": ports})


def _merged(before, patch):
    made = dict(before)
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        else:
            made[key] = _merged(before.get(key) or {}, value) if isinstance(value, dict) else value
    return made


def _chosen(labels, selector):
    for each in filter(None, selector.split(",")):
        name, given, value = each.partition("=")
        if (labels.get(name) != value) if given else (name.startswith("!") == (name.lstrip("!") in labels)):
            return False
    return True
