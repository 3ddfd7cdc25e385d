"""JSON as it is sent, and its JSON Schema: both by the aliases of fields, and what is always sent is required.

>>> from dataclasses import dataclass
>>> @dataclass(frozen=True)
... class ParcelSent:
...     parcel_id: int
...     note: str = ""
>>> from pydantic import TypeAdapter
>>> TypeAdapter(ParcelSent).json_schema(mode="serialization", schema_generator=SentSchema)["required"]
['parcel_id', 'note']
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema


class SentSchema(GenerateJsonSchema):
    """A field with a default is in all that is sent; pydantic calls it optional. As input it may be left out."""

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 # pydantic's own
        if self.mode != "serialization" or field["type"] == "typed-dict-field":
            return super().field_is_required(field, total)
        return field.get("serialization_exclude_if") is None


def sent_json(model: BaseModel) -> str:
    """The model as JSON, under the names that its schema has."""
    return model.model_dump_json(by_alias=True)
