"""What all models share. Keys are written in camelCase, as Kubernetes does."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "slipway.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SERVING = ("http", "grpc")
# A worker is consumer and relay in one process.
CONSUMING = ("consumer", "worker")
RELAYING = ("relay", "worker")
WORKERS = ("consumer", "relay", "worker")
COMPONENTS = SERVING + WORKERS

# A label of a Service is at most 63 characters; the version's hash and the component follow the name.
LONGEST_NAME = 40
HASH = r"^[0-9a-f]{8}$"
# The hash alone, or the name of the ServiceVersion, which ends with it.
VERSION_REFERENCE = r"^([a-z]([a-z0-9-]{0,38}[a-z0-9])?-)?[0-9a-f]{8}$"
DAY_SECONDS = 86400

Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", max_length=LONGEST_NAME)]
Hash = Annotated[str, Field(pattern=HASH, max_length=8)]
VersionReference = Annotated[str, Field(pattern=VERSION_REFERENCE, max_length=LONGEST_NAME + 9)]
Seconds = Annotated[int, Field(ge=0, le=DAY_SECONDS)]
Port = Annotated[int, Field(ge=1, le=65535)]


def cut(longest: int) -> BeforeValidator:
    """Words for people are cut where they are too long: none keeps facts from being written or read."""
    return BeforeValidator(lambda said: said[:longest] if isinstance(said, str) else said)


Sentence = Annotated[str, cut(1024), Field(max_length=1024)]


class Model(BaseModel):
    """Unknown keys are ignored: a newer API server may send more than this release knows."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class OpenModel(Model):
    """A part of Kubernetes' own types: only what is read here is declared, and the rest is kept."""

    model_config = ConfigDict(
        extra="allow", alias_generator=None, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}
    )


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL expressions that must hold, each with the sentence that a person reads when it does not."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def keyed_by(key: str) -> dict[str, Any]:
    """A list whose items are told apart by a key, so that two managers can own different items."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
