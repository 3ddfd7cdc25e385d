"""Settings of the operator's process."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from slipway_chassis.config import SERVERS, KafkaAccess, KafkaSettings, Port, ProcessSettings

from ..api.access import Access, from_kubeconfig, in_cluster
from ..api.addresses import Addresses, same_brokers

Name = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]


class OperatorSettings(ProcessSettings, KafkaAccess):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    admin_port: Port = Field(default=8080, description="port of health and metrics, not exposed outside of the cluster")
    pod_name: Name = Field(description="identity of this replica in the Lease; set by the downward API in a pod")
    lease_namespace: Name | None = Field(default=None, description="namespace of the Lease; default: that of the pod")
    lease_name: Name = "slipway-operator"
    watch_namespaces: str = Field(
        default="",
        pattern=r"^[a-z0-9,-]*$",
        description="namespaces to watch, for example shop,payments; empty: all",
    )
    allowed_addresses: str = Field(
        default="",
        description="what specs may name besides Services of their own namespace, as host, *.namespace or network, "
        "each with :port or without, for example *.monitoring:9090,10.1.0.0/16",
    )
    kafka_bootstrap_servers: str = Field(
        default="",
        pattern=f"^$|{SERVERS}",
        description="brokers that KAFKA_SECURITY_PROTOCOL and its proof are for; others are asked in plain text",
    )
    kubeconfig: str = Field(default="", description="kubeconfig files to use outside of a cluster")
    kube_context: str = Field(default="", description="context of the kubeconfig; default: the current one")
    kubernetes_service_host: str = Field(default="kubernetes.default.svc", description="set by Kubernetes in pods")
    kubernetes_service_port: Port = 443
    max_concurrency: int = Field(default=8, ge=1, le=64, description="maximum number of concurrent reconciliations")
    at_once: int | None = Field(default=None, description="the former name of MAX_CONCURRENCY, read until 0.3")

    @model_validator(mode="before")
    @classmethod
    def _former_names(cls, values: dict[str, Any]) -> dict[str, Any]:
        return ({"max_concurrency": values["at_once"]} if "at_once" in values else {}) | values

    @field_validator("allowed_addresses")
    @classmethod
    def _readable(cls, value: str) -> str:
        Addresses(_listed(value))
        return value

    @model_validator(mode="after")
    def _proof_is_for_somebody(self) -> Self:
        if self.kafka_security_protocol != "PLAINTEXT" and not self.kafka_bootstrap_servers:
            raise ValueError(
                f"KAFKA_BOOTSTRAP_SERVERS is not set, and KAFKA_SECURITY_PROTOCOL is {self.kafka_security_protocol}: "
                "name the brokers that it is for"
            )
        return self

    def kafka(self, brokers: str) -> KafkaSettings:
        """How brokers of a spec are asked. Tenants write specs: the proof of who asks goes to the brokers of these
        settings, and to no other.
        """
        if not same_brokers(brokers, self.kafka_bootstrap_servers):
            return KafkaSettings(kafka_bootstrap_servers=brokers)
        access = {name: getattr(self, name) for name in KafkaAccess.model_fields}
        return KafkaSettings(kafka_bootstrap_servers=brokers, **access)

    def addresses(self, namespace: str) -> Addresses:
        """``namespace``: the operator's own."""
        return Addresses(_listed(self.allowed_addresses), namespace=namespace)

    @property
    def namespaces(self) -> list[str]:
        return [name for name in self.watch_namespaces.split(",") if name]

    def access(self) -> Access:
        if self.kubeconfig:
            return from_kubeconfig(self.kubeconfig, self.kube_context)
        return in_cluster(self.kubernetes_service_host, self.kubernetes_service_port)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
