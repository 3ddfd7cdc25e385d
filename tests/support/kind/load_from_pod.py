"""Requests from inside of the cluster: a pod that stands still, and the load that is started in it."""

import json
from functools import partial

from support.kind import commands
from support.repository import ROOT

STOP = "/tmp/stop"  # noqa: S108 # in the pod: the load ends when it is there


def load_pod(image):
    """Stands still until it is told to send; its image has Python."""
    container = {"name": "load", "image": image, "command": ["sleep", "3600"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "load", "labels": {"app": "load"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


class LoadFromPod:
    """``rate`` requests a second for ``url`` + ``path``, of the pod ``load`` in the namespace, while the block runs.

    ``answers`` by status, ``failures``, and ``turns`` as Load has them.
    """

    def __init__(self, namespace, url, path, *, rate, clients, tolerant=False):
        self._kubectl = partial(commands.kubectl, namespace=namespace)
        self._namespace = namespace
        self._arguments = [url, path, str(rate), str(clients), STOP, *(["tolerant"] if tolerant else [])]

    def __enter__(self):
        self._kubectl("exec", "load", "--", "rm", "-f", STOP)
        source = (ROOT / "tests" / "support" / "load.py").read_text()
        load = ("exec", "load", "--", "python", "-c", source, *self._arguments)
        self._process = commands.begun(*load, namespace=self._namespace)
        return self

    def __exit__(self, *_):
        self._kubectl("exec", "load", "--", "touch", STOP)
        output, errors = self._process.communicate(timeout=60)
        told = json.loads(output or "{}")
        assert told, errors
        self.answers, self.failures, self.turns = told["answers"], told["failures"], told["turns"]
