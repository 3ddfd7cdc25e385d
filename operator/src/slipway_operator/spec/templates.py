"""Pod templates as charts render them. What is not declared here is kept as it came."""

from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field

from .fields import OpenModel, rules

_OPEN = {"x-kubernetes-preserve-unknown-fields": True}


class ContainerPort(OpenModel):
    name: str | None = Field(None, max_length=15, description="Name by which a port of the Service finds it.")


class Container(OpenModel):
    model_config = ConfigDict(
        json_schema_extra=_OPEN
        | rules(
            (
                "self.image.matches('.+(:[^/:@]+|@sha256:[0-9a-f]{64})$')",
                "The image of an untagged reference can change: set image:tag or image@sha256:digest.",
            ),
            (
                "!self.image.endsWith(':latest')",
                "The image of the tag latest changes with every push: set the tag or the digest of one build.",
            ),
        )
    )

    name: str = Field(max_length=63, description="Name of the container.")
    image: str = Field(max_length=500, description="Container image with a tag or a digest. It is part of the version.")
    ports: tuple[ContainerPort, ...] | None = Field(
        None, max_length=100, description="Ports of the container. Those that the Service exposes need a name."
    )


class PodSpec(OpenModel):
    containers: tuple[Container, ...] = Field(
        min_length=1,
        max_length=10,
        description="Containers of the pod. All fields of a Kubernetes container are allowed.",
    )


class TemplateMetadata(OpenModel):
    labels: Mapping[str, str] | None = Field(None, description="Labels of the pods.")
    annotations: Mapping[str, str] | None = Field(None, description="Annotations of the pods.")


class PodTemplate(OpenModel):
    metadata: TemplateMetadata | None = Field(None, description="Labels and annotations of the pods.")
    spec: PodSpec = Field(description="Specification of the pod, as in a Deployment.")

    def as_given(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude_unset=True)
