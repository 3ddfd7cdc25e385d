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
                "A version is a record and can't be changed: change the Microservice, and a new version is made.",
            )
        )
    )

    service: Name = Field(description="The Microservice it belongs to.")
    hash: Hash = Field(description="The hash of what is recorded here.")
    revision: int = Field(ge=1, description="Counts the versions of the service.")
    label: str = Field(min_length=1, max_length=63, description="What people call it.")
    components: Mapping[str, PodTemplate] = Field(
        min_length=1, max_length=len(COMPONENTS), description="Pod template of each component."
    )
    ports: tuple[ServicePort, ...] = Field(min_length=1, max_length=10, description="Ports of the Service.")
    group: str = Field("", max_length=249, description="Consumer group.")
    expand: PodTemplate | None = Field(None, description="Migration before the version starts.")
    contract: PodTemplate | None = Field(None, description="Migration after the former version is gone.")
    config_maps: Mapping[str, str] | None = Field(
        None,
        max_length=MOST_CONFIG_MAPS,
        description="Digest of each ConfigMap that the templates name; the version's pods use copies of them. "
        "Empty: it is optional, and did not exist.",
    )


class ServiceVersionStatus(Model):
    active_from: datetime | None = Field(None, description="When it last became active.")
    active_until: datetime | None = Field(None, description="When it last stopped being active.")
    ended_because: Sentence = Field("", description="Why it stopped being active.")
    contracts: Mapping[str, str] = Field(
        {}, max_length=100, description="SHA-256 of each contract that the version showed when its gate asked."
    )
    retired: Sentence = Field("", description="Why it can't become active any more; empty: it can.")


NAME_ENDS_WITH_HASH = (
    "self.metadata.name == self.spec.service + '-' + self.spec.hash",
    "A ServiceVersion is named after its service and hash: name it <service>-<hash>.",
)
