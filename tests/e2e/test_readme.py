"""The README's commands about the operator, as a newcomer types them, while customers order."""

import os
import re
import signal
import subprocess

import pytest

from support.kind.auditor import auditing
from support.kind.commands import CONTEXT, NAMESPACE, OPERATOR_NAMESPACE, RELEASE, helm, kubectl, run
from support.kind.traffic import assert_no_event_was_lost_doubled_or_misordered, traffic
from support.repository import ROOT
from support.tools import TOOLS

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]
ORDERS = f"{RELEASE}-orders"


@pytest.fixture(scope="module", name="alone")
def _alone(cluster):
    """Newcomers have no other operator: one for the whole cluster would claim the shop's namespace before its own."""
    other = ("deployments", "-l", "app.kubernetes.io/name=operator", "-o", "name")
    found = kubectl("get", *other, namespace=OPERATOR_NAMESPACE).split()
    for each in found:
        kubectl("scale", each, "--replicas=0", namespace=OPERATOR_NAMESPACE)
        kubectl("wait", "--for=delete", "pod", "-l", other[2], "--timeout=120s", namespace=OPERATOR_NAMESPACE)
    yield
    for each in found:
        kubectl("scale", each, "--replicas=2", namespace=OPERATOR_NAMESPACE)
        kubectl("rollout", "status", each, "--timeout=180s", namespace=OPERATOR_NAMESPACE)


@pytest.fixture(scope="module", name="commands")
def _commands(alone):
    block = re.search(r"```sh\n(ci/deploy\.sh --fresh --managed.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    yield [line.split("#")[0].strip() for line in block[1].splitlines()]
    helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
    kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")


@pytest.fixture(scope="module", name="shell")
def _shell(commands):
    """Runs a line with the PATH that the README sets."""
    [path] = [line for line in commands if line.startswith("export PATH=")]
    kubectl("config", "use-context", CONTEXT)

    def say(line, *, stopped_after=None):
        process = subprocess.Popen(
            ["bash", "-c", f"{path}; exec {line}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=ROOT, env=os.environ | {"COLUMNS": "120"},
        )  # fmt: skip
        if stopped_after:
            try:
                process.wait(stopped_after)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
        return process.returncode, out + err

    return say


def test_the_shop_is_released_by_the_operator_and_goes_back(commands, shell):
    deploy, _, status, explain, rollback = commands
    run("bash", "-c", deploy, timeout=900)
    kubectl("wait", "--for=condition=Ready", f"microservice/{ORDERS}", "--timeout=300s", timeout=320)
    first = version()
    assert kubectl("get", "deployments", "-l", "app.kubernetes.io/name=operator", "-o", "name").strip()

    _, drawn = shell(status, stopped_after=20)
    assert first in drawn
    code, said = shell(explain)
    assert (code, f"({first}) is active" in said) == (0, True), said

    with auditing() as auditor:
        with traffic() as flowing:
            second = upgraded_from(first)
            _, said = shell(explain)
            assert f"({second})" in said.splitlines()[0], said
            code, said = shell(rollback)
            assert (code, version()) == (0, first), said
        assert_no_event_was_lost_doubled_or_misordered(auditor, flowing)


def upgraded_from(first):
    """The version that answers after an upgrade by Helm, which the operator turned into a release."""
    helm("upgrade", RELEASE, ROOT / "charts" / "platform", "--reuse-values", "--set", "orders.logLevel=DEBUG")
    kubectl("wait", "--for=condition=Released", f"microservice/{ORDERS}", "--timeout=300s", timeout=320, check=False)
    second = version()
    assert second != first, kubectl("get", "microservice", ORDERS, "-o", "yaml")
    return second


def version():
    return kubectl("get", "microservice", ORDERS, "-o", "jsonpath={.status.activeVersion}").strip()


def test_the_tools_are_where_the_readme_says():
    assert run("make", "-s", "tools-path").strip() == TOOLS
