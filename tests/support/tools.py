"""The tools that ci/tools/install.sh builds and pins: helm, kubectl, kind, etcd, kube-apiserver and others."""

import subprocess
from pathlib import Path

from support.repository import ROOT

TOOLS = subprocess.run(
    [ROOT / "ci" / "tools" / "install.sh", "--path"], capture_output=True, text=True, check=True
).stdout.strip()


def tool(name):
    """The newest one that ci/tools/install.sh has built, or None."""
    found = sorted(Path(TOOLS).parent.glob(f"{name}-*/{name}"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None
