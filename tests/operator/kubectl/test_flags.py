"""Flags stand before or after a command: none may ask another cluster than the one that was named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).parent / "kubectl-slipway"
FAKE = """#!/bin/sh
echo "$*" >> "$ASKED"
case "$*" in *"--output=json"*) echo '{"items": []}' ;; esac
"""


@pytest.mark.parametrize("command", ["adopt", "orphan", "status", "promote", "history"])
@pytest.mark.parametrize("before", [True, False])
def test_each_command_asks_the_cluster_and_namespace_that_were_named(tmp_path, command, before):
    kubectl, asked = tmp_path / "kubectl", tmp_path / "asked"
    kubectl.write_text(FAKE)
    kubectl.chmod(0o755)
    flags = ["--context", "prod", "-n", "shop", "--kubeconfig", "other"]
    words = [*flags, command, "ms/orders"] if before else [command, "ms/orders", *flags]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ASKED": str(asked), "HOME": str(tmp_path)}

    subprocess.run([SCRIPT, *words], env=environment, capture_output=True, check=False, timeout=60)

    lines = asked.read_text().splitlines()
    assert lines
    for line in lines:
        assert "--context=prod" in line
        assert "--namespace=shop" in line
        assert "--kubeconfig=other" in line
        assert "ms/" not in line
