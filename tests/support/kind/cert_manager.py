"""cert-manager's controllers, as a process of this machine that works on the kind cluster."""

import contextlib
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from slipway_chassis.testing.plugin import eventually
from support.kind.commands import CONTEXT, get, kubectl, run
from support.repository import ROOT
from support.tools import TOOLS

DEFINITIONS = (Path(TOOLS) / "cert-manager").resolve().parent / "crds"


@contextlib.contextmanager
def running(folder):
    """Its kinds are defined, and it issues what is asked for, until the end; ``folder`` gets its log."""
    kubectl("apply", "--server-side", "-f", DEFINITIONS)
    kubectl("wait", "--for=condition=Established", "crd/certificates.cert-manager.io", "--timeout=60s")
    access = folder / "kubeconfig"
    access.write_text(
        run(f"{TOOLS}/kubectl", "config", "view", "--context", CONTEXT, "--minify", "--raw", "-o", "json")
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([f"{TOOLS}/cert-manager", str(access)], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
            kubectl("delete", "--ignore-not-found", "-f", DEFINITIONS, "--timeout=60s")


def issuers_of_the_page():
    """The authority of services, as docs/security.md has it."""
    page = (ROOT / "docs" / "security.md").read_text()
    [found] = re.findall(r"```yaml\n(apiVersion: cert-manager.io/v1\n.*?)```", page, re.DOTALL)
    return found


def renew(*certificates, **where):
    """As `cmctl renew`; returns when all of them were issued anew."""
    before = {name: revision(name, **where) for name in certificates}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in certificates:
        there = get("certificate", name, **where)["status"]["conditions"]
        issuing = {
            "type": "Issuing",
            "status": "True",
            "reason": "ManuallyTriggered",
            "message": "",
            "lastTransitionTime": now,
        }
        conditions = [*(each for each in there if each["type"] != "Issuing"), issuing]
        patch = json.dumps({"status": {"conditions": conditions}})
        kubectl("patch", "certificate", name, "--subresource=status", "--type=merge", "-p", patch, **where)
    for name, former in before.items():
        eventually(lambda name=name, former=former: revision(name, **where) > former, within=60, every=1)


def revision(name, **where):
    return get("certificate", name, **where)["status"].get("revision", 0)
