"""Objects in memory with the writes of the API server that children need: get, list, merge, apply, delete."""

import copy

from slipway_operator.runtimes.kubernetes.api.kinds import SERVICE, Kind


class ObjectStore:
    """One namespace. ``writes`` are the kinds and names that were written, in order."""

    def __init__(self):
        self.objects: dict[tuple[str, str], dict] = {}
        self.writes: list[tuple[str, str]] = []

    def put(self, kind: Kind, name: str, spec: dict, **metadata) -> dict:
        made = {"metadata": {"name": name, "resourceVersion": "1", **metadata}, "spec": copy.deepcopy(spec)}
        self.objects[kind.name, name] = made
        return made

    def at(self, kind: Kind, name: str) -> dict | None:
        return self.objects.get((kind.name, name))

    async def get(self, kind, _namespace, name):
        return copy.deepcopy(self.objects.get((kind.name, name)))

    async def list(self, kind, _namespace, *, selector="", recent=True):  # as the client has it
        wanted = dict([*each.split("="), None][:2] for each in selector.split(",") if each)
        return [
            copy.deepcopy(each)
            for (name, _), each in self.objects.items()
            if name == kind.name and _selects(wanted, each["metadata"].get("labels") or {})
        ]

    async def merge(self, kind, _namespace, name, patch, **_):
        self.writes.append((kind.name, name))
        there = self.objects.get((kind.name, name))
        if there is not None:
            self.objects[kind.name, name] = merged(there, patch)
        return copy.deepcopy(self.objects.get((kind.name, name)))

    async def apply(self, kind, _namespace, manifest, **_):
        """The selector of a Service is replaced as a whole; other maps are merged, and lists are replaced."""
        name = manifest["metadata"]["name"]
        self.writes.append((kind.name, name))
        there = copy.deepcopy(self.objects.get((kind.name, name), {"metadata": {}, "spec": {}}))
        if kind is SERVICE:
            there["spec"].pop("selector", None)
        self.objects[kind.name, name] = merged(there, manifest)
        return copy.deepcopy(self.objects[kind.name, name])

    async def delete(self, kind, _namespace, name, **_):
        self.writes.append((kind.name, name))
        self.objects.pop((kind.name, name), None)


def _selects(wanted, labels):
    return all(name in labels and value in {None, labels[name]} for name, value in wanted.items())


def merged(there, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    made = dict(there) if isinstance(there, dict) else {}
    for name, value in patch.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = merged(made.get(name), value)
    return made
