"""Input from outside: JSON bodies and query strings as validated pydantic models, or a problem."""

from collections.abc import Mapping
from functools import cache
from typing import Self, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from werkzeug.exceptions import ClientDisconnected

from .problems import Problem


class Input(BaseModel):
    """Base of a request's model: unknown fields are refused, text is stripped, types are not guessed."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=True, frozen=True)

    @model_validator(mode="after")
    def _no_nul(self) -> Self:
        """PostgreSQL can't store the character, so it is refused here, as the fault it is."""
        if _has_nul(self.__dict__):
            raise ValueError("text must not contain the character NUL")
        return self


def _has_nul(value: object) -> bool:
    """In text, or in what lists and objects hold; models in it were asked when they were made."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, Mapping):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list | tuple | set | frozenset) and any(_has_nul(each) for each in value)


ModelT = TypeVar("ModelT", bound=Input)


def json_body(model: type[ModelT]) -> ModelT:
    """Reads the request's JSON body, or answers 415 (not JSON), 400 (malformed) or 422 (wrong fields)."""
    if not request.is_json:
        raise Problem(415, "Send the body as application/json.")
    try:
        return model.model_validate_json(request.get_data())
    except ClientDisconnected:
        raise Problem(408, "The body did not arrive in time.") from None
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise Problem(400, "The body is not valid JSON.") from None
        raise _problem(error, "body") from None


def query_string(model: type[ModelT]) -> ModelT:
    """Reads the query string; numbers arrive as text there, hence lax types.

    A field that is a list takes all values of its name, as the contract says; another one that is given twice is
    refused, since callers and proxies would not agree which value counts.
    """
    lists = _lists_of(model)
    given = {name: values if name in lists or len(values) > 1 else values[0] for name, values in request.args.lists()}
    try:
        return model.model_validate(given, strict=False)
    except ValidationError as error:
        raise _problem(error, "query string") from None


@cache
def _lists_of(model: type[Input]) -> frozenset[str]:
    """Names of the fields that may be lists, by the schema that the contract is made of."""
    properties = model.model_json_schema().get("properties", {})
    return frozenset(
        name
        for name, schema in properties.items()
        if any(each.get("type") == "array" for each in (schema, *schema.get("anyOf", [])))
    )


def _problem(error: ValidationError, source: str) -> Problem:
    errors = [
        {"pointer": "/" + "/".join(str(part) for part in fault["loc"]), "detail": fault["msg"]}
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    return Problem(422, f"The {source} does not fit: {len(errors)} error(s).", errors=errors[:20])
