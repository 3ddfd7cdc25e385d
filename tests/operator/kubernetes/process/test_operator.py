"""The operator's process: kopf's watches, the Lease between two of them, probes and metrics."""

import asyncio
import json
import os
import signal

import pytest

from slipway_chassis.testing.plugin import eventually
from slipway_operator.runtimes.kubernetes.api.client import Client, NoFence
from slipway_operator.runtimes.kubernetes.api.kinds import LEASE, Kind
from support.charts import CHARTS, of_kind, render
from support.cluster.control_plane import KUBECONFIG, NAMESPACE, NEEDS, Cluster, Kubelet
from support.cluster.namespace import Shop, hash_of, spec
from support.cluster.operator_process import Process

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(NEEDS), reason=f"not built: ci/tools/install.sh {' '.join(NEEDS)}"),
]


@pytest.fixture(scope="module", name="kubeconfig")
def _kubeconfig(cluster):
    """As the account of the chart, with the rights of the chart and no others."""
    path = cluster.folder / "operator-kubeconfig"
    path.write_text(KUBECONFIG.format(server=cluster.server, token=asyncio.run(account_token(cluster))))
    return path


async def account_token(cluster):
    kinds = {kind.name: kind for kind in RIGHTS}
    async with Client(cluster.access, NoFence(), manager="helm") as client:
        for each in of_kind(render("operator", CHARTS / "operator" / "ci" / "plain-values.yaml"), *kinds):
            kind = kinds[each["kind"]]
            await client.apply(kind, None if kind.name.startswith("Cluster") else "default", each)
        path = RIGHTS[0].path("default", "r-operator", "token")
        answer = await client._write("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                                                    "spec": {"expirationSeconds": 3600}})  # fmt: skip
    return answer["status"]["token"]


RBAC = "rbac.authorization.k8s.io"
RIGHTS = (
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind(RBAC, "v1", "Role", "roles"),
    Kind(RBAC, "v1", "RoleBinding", "rolebindings"),
    Kind(RBAC, "v1", "ClusterRole", "clusterroles"),
    Kind(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings"),
)


@pytest.fixture(scope="module", name="cluster")
def _cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def told(cluster, namespace, story):
    """The story, with a namespace in which pods run."""

    async def tell():
        async with Client(cluster.access, NoFence(), manager="person") as client:
            await client.create(NAMESPACE, None, {"metadata": {"name": namespace}})
            kubelet = asyncio.create_task(Kubelet(client, namespace).run())
            try:
                return await story(Shop(cluster.access, client, namespace))
            finally:
                kubelet.cancel()
                await asyncio.gather(kubelet, return_exceptions=True)

    return asyncio.run(tell())


def test_one_acts_and_the_other_takes_over(cluster, kubeconfig, tmp_path):
    with Process(kubeconfig, tmp_path, "first", namespaces="process,empty") as first:
        eventually(lambda: first.leads, within=30)
        with Process(kubeconfig, tmp_path, "second") as second:
            told(cluster, "process", lambda world: world.released(spec("1.0")))
            assert first.leads
            assert not second.leads
            assert first.metric('slipway_releases_total{outcome="Succeeded"}') == 1
            assert second.metric('slipway_releases_total{outcome="Succeeded"}') == 0

            os.kill(first.child.pid, signal.SIGKILL)  # without a word: the Lease has to end on its own
            told(cluster, "process", lambda world: world.released(spec("2.0")))
            assert second.leads
            assert second.metric('slipway_releases_total{outcome="Succeeded"}') == 1

            second.child.stop()  # asked to end: the Lease is given back
            lease = told(cluster, "process", lambda world: world.client.get(LEASE, "default", "r-operator"))
            assert lease["spec"]["holderIdentity"] == ""
            assert lease["spec"]["leaseTransitions"] == 2
        told(cluster, "process", lambda world: is_selected(world, hash_of(spec("2.0"))))
        for log in (first.log, second.log):
            assert "forbidden" not in log.read_text()
        for line in second.log.read_text().splitlines():
            assert json.loads(line)["ecs.version"], line


async def is_selected(world, version):
    assert await world.selected() == version
