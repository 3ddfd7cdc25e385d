"""The tools that ci/tools/install.sh builds and pins (helm, kubectl, kind, etcd, kube-apiserver and others), and what
only the system has.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.repository import ROOT

TOOLS = subprocess.run(
    [ROOT / "ci" / "tools" / "install.sh", "--path"], capture_output=True, text=True, check=True
).stdout.strip()


def system_tool(command):
    """Where it lies, also among those of the administrator, or None."""
    return shutil.which(command, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))


def needs(command, package):
    """Skips where this machine lacks it, as ci/prerequisites.sh says at the start; in CI nothing may be lacking."""
    lacking = system_tool(command) is None and not os.environ.get("CI")
    return pytest.mark.skipif(lacking, reason=f"{command} is missing: apt-get install {package}")


def tool(name):
    """The newest one that ci/tools/install.sh has built, or None."""
    found = sorted(Path(TOOLS).parent.glob(f"{name}-*/{name}"), key=lambda path: path.stat().st_mtime)
    return found[-1] if found else None
