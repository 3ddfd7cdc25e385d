"""The cluster, asked by kubectl itself: contexts, certificates, exec plugins and proxies are those people set up.

Each question is one process. So nothing is left behind, and no second reader of kubeconfigs has bugs of its own.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import AccessUnknown, KubernetesError, Missing, Outdated, Refused, Unreachable
from ..spec.fields import GROUP
from .text import clean

Manifest = dict[str, Any]

MANAGER = "kubectl-slipway"
MICROSERVICES = f"microservices.{GROUP}"
VERSIONS = f"serviceversions.{GROUP}"
RELEASE_PLANS = f"releaseplans.{GROUP}"
PARTS = (VERSIONS, "deployments.apps", "pods", "services", "endpointslices.discovery.k8s.io", "jobs.batch")
SERVICE_LABEL = f"{GROUP}/microservice"

REQUEST_SECONDS = 15
PATIENCE_SECONDS = 30  # for one process: kubectl itself tries more than once
SILENT_SECONDS = 3
DELETE_SECONDS = 120  # what owns others is gone when they are, where a finalizer wants it so
PAUSE_SECONDS = 0.5
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")  # kubectl in a pod takes it as well
INSTALL = "install the operator's chart, which has them: helm install slipway-operator charts/operator"

_NOISE = re.compile(r"^([EWIF]\d{4} |Warning: |Flag --)")
_FORBIDDEN = re.compile(r"cannot list resource \"([a-z]+)\"")
_FROM_SERVER = re.compile(r"^Error from server(?: \((\w+)\))?: (.*)$")


@dataclass(slots=True)
class Target:
    """What the flags that kubectl has too say. None: as kubectl decides."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None
    everywhere: bool = False

    def flags(self) -> list[str]:
        given = {"namespace": self.namespace, "context": self.context, "kubeconfig": self.kubeconfig}
        return [f"--{name}={value}" for name, value in given.items() if value]


@dataclass(frozen=True, slots=True)
class Read:
    """Objects of one service, and the kinds that may not be listed."""

    microservice: Manifest
    parts: tuple[Manifest, ...] = ()
    hidden: tuple[str, ...] = ()
    whole: bool = False  # all kinds were asked for, and may be listed


class Cluster:
    def __init__(self, target: Target, tell: Callable[[str], None], *, patience: float = PATIENCE_SECONDS) -> None:
        self.target = target
        self._tell = tell
        self._patience = patience

    # --- reading
    def microservices(self) -> tuple[list[Manifest], list[Manifest]]:
        """All of the namespace or of the cluster, and the versions that may be seen."""
        where = ["--all-namespaces"] if self.target.everywhere else []
        found, _ = self._list((MICROSERVICES, VERSIONS), *where, needs=MICROSERVICES)
        return [one for one in found if one["kind"] == "Microservice"], [
            one for one in found if one["kind"] == "ServiceVersion"
        ]

    def read(self, name: str, parts: Sequence[str] = PARTS) -> Read:
        """Both questions at once: kubectl needs most of its time to start."""
        with ThreadPoolExecutor(2) as pool:
            children = pool.submit(self._list, parts, f"--selector={SERVICE_LABEL}={name}")
            microservice = self.microservice(name)
            found, hidden = children.result()
        return Read(microservice, tuple(found), tuple(hidden), whole=not hidden and set(parts) == set(PARTS))

    def microservice(self, name: str) -> Manifest:
        return self._object("get", MICROSERVICES, name, "--show-managed-fields=true", "--output=json")

    def plan(self, name: str) -> Manifest:
        return self._object("get", RELEASE_PLANS, name, "--output=json")

    def names(self, kind: str = MICROSERVICES) -> list[str]:
        """For completion."""
        return self._run("get", kind, "--output=name").stdout.split()

    def get(self, kind: str, name: str) -> Manifest | None:
        """None: there is none of that name."""
        return self._object("get", kind, name, "--ignore-not-found", "--output=json") or None

    def select(self, kind: str, selector: str) -> list[Manifest]:
        return self._object("get", kind, f"--selector={selector}", "--output=json").get("items") or []

    @property
    def namespace(self) -> str:
        """The one that was asked for, else that of the context or of the pod; it is asked once."""
        if not self.target.namespace:
            done = self._process(["config", "view", "--minify", "--output=jsonpath={..namespace}"])
            if done.returncode and not POD_NAMESPACE.is_file():
                raise error_of(done.stderr, self.target)
            of_pod = POD_NAMESPACE.read_text().strip() if done.returncode else ""
            self.target.namespace = done.stdout.strip() or of_pod or "default"
        return self.target.namespace

    # --- writing
    def patch(self, kind: str, name: str, patch: Manifest) -> Manifest:
        """JSON merge patch; null removes a field."""
        flags = [f"--field-manager={MANAGER}", "--type=merge", f"--patch={json.dumps(patch)}", "--output=json"]
        return self._object("patch", kind, name, *flags)

    def delete(self, kind: str, name: str, *, orphan: bool = False) -> None:
        """Until it is gone; Unreachable after DELETE_SECONDS. ``orphan``: what it owns stays, and belongs to nobody."""
        there = self.get(kind, name)
        if there is None:
            return
        cascade = "orphan" if orphan else "background"
        self._run("delete", kind, name, f"--cascade={cascade}", "--ignore-not-found", "--wait=false")
        ends = time.monotonic() + DELETE_SECONDS
        # Another one of that name may have been made meanwhile.
        while (found := self.get(kind, name)) and found["metadata"]["uid"] == there["metadata"]["uid"]:
            if time.monotonic() >= ends:
                raise Unreachable(f"{kind} {name} is not gone after {DELETE_SECONDS} s: see its finalizers")
            time.sleep(PAUSE_SECONDS)

    # --- kubectl
    def _list(self, kinds: Sequence[str], *flags: str, needs: str = "") -> tuple[list[Manifest], list[str]]:
        """What may be listed, and the kinds that may not."""
        done = self._process(["get", ",".join(kinds), *flags, "--output=json"])
        hidden = _FORBIDDEN.findall(done.stderr) if done.returncode else []
        if done.returncode and (not hidden or needs.split(".", maxsplit=1)[0] in hidden):
            raise error_of(done.stderr, self.target)
        return _parsed(done.stdout).get("items") or [], hidden

    def _object(self, *arguments: str) -> Manifest:
        return _parsed(self._run(*arguments).stdout)

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        done = self._process(list(arguments))
        if done.returncode:
            raise error_of(done.stderr, self.target)
        return done

    def _process(self, arguments: list[str]) -> "subprocess.CompletedProcess[str]":
        executable = shutil.which("kubectl")
        if executable is None:
            raise AccessUnknown("kubectl was not found in PATH: kubectl slipway asks the cluster through it")
        # Flags stand after the command's: a later one of the same name wins.
        flags = [each for each in self.target.flags() if not _given(each, arguments)]
        command = [executable, *arguments, *flags, f"--request-timeout={REQUEST_SECONDS}s"]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, errors="replace"
        )  # fmt: skip
        try:
            return self._ended(process, command)
        except BaseException:
            process.kill()
            process.wait()
            raise

    def _ended(self, process: "subprocess.Popen[str]", command: list[str]) -> "subprocess.CompletedProcess[str]":
        for seconds in (SILENT_SECONDS, self._patience - SILENT_SECONDS):
            try:
                output, errors = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                self._tell("waiting for the API server ...")
                continue
            return subprocess.CompletedProcess(command, process.returncode, output, errors)
        raise Unreachable(f"the API server did not answer within {self._patience:.0f} s")


def _given(flag: str, arguments: list[str]) -> bool:
    name = flag.partition("=")[0]
    everywhere = name == "--namespace" and "--all-namespaces" in arguments
    return everywhere or any(each.startswith(f"{name}=") for each in arguments)


def _parsed(text: str) -> Manifest:
    try:
        content = json.loads(text) if text.strip() else {}
    except ValueError:
        raise KubernetesError(f"kubectl answered with something else than JSON: {clean(text, 200)}") from None
    return content if isinstance(content, dict) else {}


def error_of(stderr: str, target: Target) -> KubernetesError:
    """The words of kubectl as one of our errors, with what to do about it."""
    said = [clean(line) for line in stderr.splitlines() if line.strip() and not _NOISE.match(line)]
    text = said[-1] if said else clean(stderr) or "kubectl failed and said nothing"
    if "server doesn't have a resource type" in stderr or "could not find the requested resource" in stderr:
        return Missing(f"the cluster does not know Microservices: {INSTALL}")
    from_server = next((match for line in said if (match := _FROM_SERVER.match(line))), None)
    if from_server:
        return _from_server(from_server[1] or "", from_server[2], target)
    return _from_kubectl(text)


def _from_kubectl(text: str) -> KubernetesError:
    """The server was not asked, or did not answer."""
    bare = text.removeprefix("error: ")
    if "localhost:8080" in text:
        cure = "give --kubeconfig, or choose a context with kubectl config use-context"
        return AccessUnknown(f"no kubeconfig names a cluster: {cure}")
    if "no context exists" in text or ("context" in text and "does not exist" in text):
        return AccessUnknown(f"{bare}: kubectl config get-contexts lists those that do")
    if "error loading config file" in text or bare.startswith(("stat ", "open ")):
        return AccessUnknown(f"the kubeconfig can't be read: {bare}")
    if "Unauthorized" in text or "must be logged in" in text:
        return Refused("the cluster does not know you: sign in again, or choose another user in your kubeconfig")
    away = text.startswith(("Unable to connect", "The connection to the server")) or "dial tcp" in text
    return Unreachable(text) if away else Refused(bare)


def _from_server(reason: str, message: str, target: Target) -> KubernetesError:
    if reason == "NotFound":
        where = f"in namespace {target.namespace}" if target.namespace else "in the namespace of your context"
        named = re.search(r'"([^"]+)" not found', message)
        if named and message.startswith("namespaces"):
            return Missing(f"there is no namespace {named[1]}")
        kind = "ReleasePlan" if message.startswith("releaseplans") else "Microservice"
        what = f"no {kind} {named[1]}" if named else f"no such {kind}"
        all_of_them = "kubectl get releaseplans" if kind == "ReleasePlan" else "kubectl slipway get"
        return Missing(f"there is {what} {where}: {all_of_them} -A lists all")
    if reason == "Forbidden":
        return Refused(f"not allowed: {message}. docs/kubectl-slipway.md has the Role that is needed")
    if reason == "Conflict":
        return Outdated(f"somebody else changed it at the same moment: try again ({message})")
    if reason in {"Timeout", "ServerTimeout", "ServiceUnavailable", "TooManyRequests", "InternalError"}:
        return Unreachable(message)
    return Refused(message)
