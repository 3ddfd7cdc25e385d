"""Routes with types: a handler's annotations say what comes in and goes out, and OpenAPI follows from them.

A handler may take ``body`` and ``query`` (models derived from ``Input``), ``session`` (one transaction,
committed when the handler returns) and the parts of the path; it returns a model, ``None`` (204) or a
Flask response.

>>> from slipway_chassis.http import Api, Input, Output
>>> class NewGreeting(Input):
...     name: str
>>> class Greeting(Output):
...     text: str
>>> api = Api("v1")
>>> @api.post("/v1/greetings", status=200)
... def greet(body: NewGreeting) -> Greeting:
...     return Greeting(text=f"Hello, {body.name}!")
>>> from slipway_chassis.service import service
>>> client = service("greeter", apis=[api]).build_app().test_client()
>>> client.post("/v1/greetings", json={"name": "Ada"}).get_json()
{'text': 'Hello, Ada!'}
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, TypeVar, get_type_hints

from flask import Flask, Response
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict

from ..auth.scopes import authenticate
from ..database import Database
from ..errors import ConfigurationError
from ..resources import Resources
from ..serialization import sent_json
from .body import Input, json_body, query_string
from .edge import current_request
from .idempotency import IdempotencyKey

USED = Counter("http_api_requests_total", "Requests by version of the API", ["version", "deprecated"])


class Output(BaseModel):
    """Base of a response's model."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. ``scopes`` None means: no token is asked for."""

    method: str
    rule: str
    handler: Callable[..., Any]
    status: int
    location: str | None
    scopes: frozenset[str] | None
    idempotent: bool
    errors: Mapping[int, str]
    body: type[Input] | None
    query: type[Input] | None
    result: type[BaseModel] | None
    wants_session: bool


class Api:
    """The operations of one version. ``deprecated`` and ``sunset`` tell its callers when to move on, and
    ``successor`` where to (RFC 9745, RFC 8594); the metric http_api_requests_total tells whether they did.
    """

    def __init__(
        self,
        version: str = "v1",
        *,
        deprecated: date | None = None,
        sunset: date | None = None,
        successor: str | None = None,
    ) -> None:
        if sunset and not deprecated:
            raise ConfigurationError(f"{version} has a sunset date and no deprecated date: say since when it is")
        self.version = version
        self.deprecated = deprecated
        self.headers: dict[str, str] = {}
        if deprecated:
            self.headers["Deprecation"] = f"@{int(_midnight(deprecated).timestamp())}"
        if sunset:
            self.headers["Sunset"] = format_datetime(_midnight(sunset), usegmt=True)
        if successor:
            self.headers["Link"] = f'<{successor}>; rel="successor-version"'
        self.operations: list[Operation] = []

    def get(self, rule: str, **options: Any) -> Callable[[HandlerT], HandlerT]:
        """Registers a handler of GET; ``options`` as for ``route``."""
        return self.route("GET", rule, **options)

    def post(self, rule: str, *, status: int = 201, **options: Any) -> Callable[[HandlerT], HandlerT]:
        """Registers a handler of POST, which answers 201 unless told otherwise; ``options`` as for ``route``."""
        return self.route("POST", rule, status=status, **options)

    def put(self, rule: str, **options: Any) -> Callable[[HandlerT], HandlerT]:
        """Registers a handler of PUT; ``options`` as for ``route``."""
        return self.route("PUT", rule, **options)

    def patch(self, rule: str, **options: Any) -> Callable[[HandlerT], HandlerT]:
        """Registers a handler of PATCH; ``options`` as for ``route``."""
        return self.route("PATCH", rule, **options)

    def delete(self, rule: str, **options: Any) -> Callable[[HandlerT], HandlerT]:
        """Registers a handler of DELETE; ``options`` as for ``route``."""
        return self.route("DELETE", rule, **options)

    def route(
        self,
        method: str,
        rule: str,
        *,
        status: int = 200,
        location: str | None = None,
        scopes: Collection[str] | None = None,
        idempotent: bool = False,
        errors: Mapping[int, str] = {},
    ) -> Callable[[HandlerT], HandlerT]:
        """Registers a handler. ``location`` is the new resource's path, with fields of the result:
        ``/v1/orders/{id}``. ``idempotent`` honours Idempotency-Key. ``errors`` documents further statuses.
        """

        def register(handler: HandlerT) -> HandlerT:
            hints = get_type_hints(handler)
            result = hints.get("return")
            operation = Operation(
                method=method,
                rule=rule,
                handler=handler,
                status=status,
                location=location,
                scopes=None if scopes is None else frozenset([scopes] if isinstance(scopes, str) else scopes),
                idempotent=idempotent,
                errors=errors,
                body=hints.get("body"),
                query=hints.get("query"),
                result=result if inspect.isclass(result) and issubclass(result, BaseModel) else None,
                wants_session="session" in hints,
            )
            if idempotent and not operation.wants_session:
                raise ConfigurationError(
                    f"{method} {rule} is idempotent and takes no session: its answer must be stored in the "
                    "transaction of its effect. Add a parameter: session: Session"
                )
            self.operations.append(operation)
            return handler

        return register

    def serve(self, app: Flask, resources: Resources, documented: Callable[[Operation], Callable[..., Any]]) -> None:
        """Registers the operations. ``documented`` gives the function that carries an OpenAPI entry."""
        used = USED.labels(self.version, str(self.deprecated is not None).lower())
        for operation in self.operations:
            view = _view(operation, resources, used, self.headers)
            view.__wrapped__ = documented(operation)  # type: ignore[attr-defined] # where spectree looks
            endpoint = f"{self.version}.{operation.handler.__name__}"
            app.add_url_rule(operation.rule, endpoint, view, methods=[operation.method])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _view(operation: Operation, resources: Resources, used: Any, headers: Mapping[str, str]) -> Callable[..., Response]:
    """The Flask view. What does not change between requests is bound here."""
    answer = _in_transaction(operation, resources.database) if operation.wants_session else _plain(operation)
    rule, scopes, verifier, body, query = (
        operation.rule, operation.scopes, resources.verifier, operation.body, operation.query,
    )  # fmt: skip

    def view(**arguments: Any) -> Response:
        request = current_request()
        request.rule = rule
        used.inc()
        if scopes is not None:
            authorization = request.environ.get("HTTP_AUTHORIZATION", "")
            request.principal = authenticate(verifier, authorization, scopes)
        if body is not None:
            arguments["body"] = json_body(body)
        if query is not None:
            arguments["query"] = query_string(query)
        response = answer(arguments)
        if headers:
            response.headers.update(headers)
        return response

    return view


def _plain(operation: Operation) -> Callable[[dict[str, Any]], Response]:
    def answer(arguments: dict[str, Any]) -> Response:
        return _response(operation, operation.handler(**arguments))

    return answer


def _in_transaction(operation: Operation, database: Database | None) -> Callable[[dict[str, Any]], Response]:
    def answer(arguments: dict[str, Any]) -> Response:
        if database is None:
            raise ConfigurationError("this service has no database: pass package= or tables= to service()")
        key = IdempotencyKey.of_request() if operation.idempotent else None
        with database.transaction() as session:
            earlier = key.find(session) if key else None
            if earlier is not None:
                return earlier
            response = _response(operation, operation.handler(session=session, **arguments))
            if key:
                key.store(session, response)
        return response

    return answer


def _response(operation: Operation, result: object) -> Response:
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status=204)
    if not isinstance(result, BaseModel):
        raise TypeError(f"{operation.handler.__name__} returned {type(result).__name__}, not a model")
    response = Response(sent_json(result), operation.status, content_type="application/json")
    if operation.location:
        response.headers["Location"] = operation.location.format_map(_Fields(result))
    return response


class _Fields(dict[str, Any]):
    def __init__(self, model: BaseModel) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, name: str) -> Any:
        return getattr(self._model, name)
