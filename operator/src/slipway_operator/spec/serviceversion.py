"""ServiceVersion (sv): the immutable record of one version. It is made by the operator, never by hand."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import ConfigDict, Field

from .fields import COMPONENTS, Hash, Model, Name, Sentence, rules
from .microservice import ServicePort
from .templates import PodTemplate

# Each version that is kept has its own copies.
MOST_CONFIG_MAPS = 20


class ServiceVersionSpec(Model):
    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self == oldSelf",
                "A ServiceVersion is immutable: change the Microservice, and the operator creates a new version.",
            )
        )
    )

    service: Name = Field(description="Name of the Microservice that the version belongs to.")
    hash: Hash = Field(description="Hash of the recorded content.")
    revision: int = Field(ge=1, description="Sequence number among the versions of the service.")
    label: str = Field(min_length=1, max_length=63, description="Human-readable label of the version.")
    components: Mapping[str, PodTemplate] = Field(
        min_length=1, max_length=len(COMPONENTS), description="Pod template of each component."
    )
    ports: tuple[ServicePort, ...] = Field(min_length=1, max_length=10, description="Ports of the Service.")
    group: str = Field("", max_length=249, description="Kafka consumer group.")
    expand: PodTemplate | None = Field(None, description="Migration that runs before the version starts.")
    contract: PodTemplate | None = Field(None, description="Migration that runs after the former version is gone.")
    config_maps: Mapping[str, str] | None = Field(
        None,
        max_length=MOST_CONFIG_MAPS,
        description="Digest of each ConfigMap that the templates reference. The pods of the version use "
        "copies of them. An empty digest means that the ConfigMap is optional and did not exist.",
    )


class ServiceVersionStatus(Model):
    active_from: datetime | None = Field(None, description="Last time the version became active.")
    active_until: datetime | None = Field(None, description="Last time the version ceased to be active.")
    released: bool | None = Field(None, description="Whether a release of the version has ever succeeded.")
    ended_because: Sentence = Field("", description="Why the version ceased to be active.")
    contracts: Mapping[str, str] = Field(
        {}, max_length=100, description="SHA-256 digest of each contract that the version served to its gate."
    )
    retired: Sentence = Field("", description="Why the version can't become active again. Empty if it can.")


NAME_ENDS_WITH_HASH = (
    "self.metadata.name == self.spec.service + '-' + self.spec.hash",
    "A ServiceVersion is named after its service and hash: name it <service>-<hash>.",
)
