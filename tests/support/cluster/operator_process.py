"""The operator as a process of its own, as it runs in a pod."""

import os
import sys
import urllib.error
import urllib.request

from slipway_chassis.embedded.processes import Child, free_port


class Process:
    def __init__(self, kubeconfig, folder, name, namespaces="", lease="r-operator"):
        self.port, self.log = free_port(), folder / f"{name}.log"
        self.child = Child(
            name,
            [sys.executable, "-m", "slipway_operator"],
            self.log,
            env={
                "PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": str(kubeconfig),
                "POD_NAME": name, "ADMIN_PORT": str(self.port),
                "LEASE_NAMESPACE": "default", "LEASE_NAME": lease, "WATCH_NAMESPACES": namespaces,
            },
        )  # fmt: skip

    def __enter__(self):
        self.child.start_and_wait(lambda: self.asked("/healthz")[0] == 200, 60)
        return self

    def __exit__(self, *_):
        self.child.stop()

    def asked(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name):
        for line in self.asked("/metrics")[1].splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return None

    @property
    def leads(self):
        return self.metric("slipway_leading") == 1
