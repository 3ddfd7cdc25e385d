"""Settings of the operator's process."""

from typing import Annotated

from pydantic import ConfigDict, Field

from slipway_chassis.config import Port, ProcessSettings

from ..api.access import Access, from_kubeconfig, in_cluster

Name = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class OperatorSettings(ProcessSettings):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    admin_port: Port = Field(default=8080, description="health and metrics, never reachable from outside")
    pod_name: Name = Field(description="name of this replica in the Lease; by the downward API in a pod")
    lease_namespace: Name | None = Field(default=None, description="namespace of the Lease; default: the pod's")
    lease_name: Name = "slipway-operator"
    watch_namespaces: str = Field(
        default="",
        pattern=r"^[a-z0-9,-]*$",
        description="namespaces that are watched, for example shop,payments; empty: all",
    )
    kubeconfig: str = Field(default="", description="outside of a cluster: files that say how to reach it")
    kube_context: str = Field(default="", description="of the kubeconfig, where it is not the current one")
    kubernetes_service_host: str = Field(default="kubernetes.default.svc", description="set by Kubernetes in pods")
    kubernetes_service_port: Port = 443
    at_once: int = Field(default=8, ge=1, le=64, description="services that are looked at at the same time")

    @property
    def namespaces(self) -> list[str]:
        return [name for name in self.watch_namespaces.split(",") if name]

    def access(self) -> Access:
        if self.kubeconfig:
            return from_kubeconfig(self.kubeconfig, self.kube_context)
        return in_cluster(self.kubernetes_service_host, self.kubernetes_service_port)
