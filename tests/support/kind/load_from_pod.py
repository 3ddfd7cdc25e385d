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

    ``answers`` by status, and ``failures``.
    """

    def __init__(self, namespace, url, path, *, rate, clients):
        self._kubectl = partial(commands.kubectl, namespace=namespace)
        self._namespace = namespace
        self._arguments = [url, path, str(rate), str(clients), STOP]

    def __enter__(self):
        self._kubectl("exec", "load", "--", "rm", "-f", STOP)
        source = (ROOT / "tests" / "support" / "load.py").read_text()
        load = ("exec", "load", "--", "python", "-c", source, *self._arguments)
        self._process = commands.begun(*load, namespace=self._namespace)
        return self

    def __exit__(self, *_):
        self._kubectl("exec", "load", "--", "touch", STOP)
        output, errors = self._process.communicate(timeout=60)
        assert output, errors
        told = json.loads(output.splitlines()[-1])
        self.answers, self.failures = told["answers"], told["failures"]
