"""Answers of other services over HTTP: read into what the shop knows, or the error they stand for."""

from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import ValidationError

from slipway_chassis.errors import UnusableAnswer
from slipway_chassis.http.client import Answer

from ..domain.session import Account
from ..errors import NotSignedIn, Refused
from .kinds import reader

T = TypeVar("T")


def bearer(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account.access_token}"}


def read(kind: type[T], found: object) -> T:
    """A value of the kind; fields that the shop does not know are passed over."""
    try:
        value: T = reader(kind).validate_python(found)
    except ValidationError as error:
        where = [".".join(str(step) for step in fault["loc"]) for fault in error.errors(include_input=False)]
        raise UnusableAnswer(f"no {kind.__name__}: {', '.join(where[:5])}") from None
    return value


def required(answer: Answer) -> Any:
    """The JSON of an answer that says yes; NotSignedIn, Refused or UnusableAnswer for one that does not."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return answer.json()
    if answer.status == HTTPStatus.UNAUTHORIZED:
        raise NotSignedIn("The session has ended.")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise UnusableAnswer(f"the answer has status {answer.status}")
    raise Refused(answer.status, _reason(answer))


def _reason(answer: Answer) -> str:
    """What a problem (RFC 9457) says, single faults included."""
    try:
        problem = answer.json()
    except UnusableAnswer:
        problem = None
    if not isinstance(problem, dict):
        return f"The answer was {answer.status}."
    listed = problem.get("errors")
    faults = [
        f"{str(fault.get('pointer', '')).strip('/')}: {fault.get('detail', '')}"
        for fault in (listed if isinstance(listed, list) else [])
        if isinstance(fault, dict)
    ]
    return ". ".join(faults) or str(problem.get("detail") or problem.get("title") or f"The answer was {answer.status}.")
