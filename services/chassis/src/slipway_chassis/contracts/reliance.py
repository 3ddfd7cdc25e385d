"""Does a service still give what another one declared to rely on?"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .bundle import Contracts
from .consumes import Calls, CallsGrpc, Declared, ReadsEvent
from .findings import Finding, Severity
from .openapi.description import Description, Operation, media_types
from .schema.gaps import Undecided
from .schema.opening import opened
from .schema.reading import Document


def unmet(declared: Declared, provider: Contracts) -> list[Finding]:
    """What the provider does not promise; both are named. Nothing: all is as declared."""
    keep = f"Keep it, or change {declared.consumer} first."
    return [replace(one, sentence=f"{one.sentence} {keep}") for one in _missing(declared, provider)]


def unmet_of(declared: Declared, provider: Contracts) -> list[Finding]:
    """The same for the one who relies on it and is about to be released."""
    first = f"Release {declared.service} first, or correct consumes of {declared.consumer}."
    return [replace(one, sentence=f"{one.sentence} {first}") for one in _missing(declared, provider)]


def _missing(declared: Declared, provider: Contracts) -> Iterator[Finding]:
    if isinstance(declared, ReadsEvent):
        return _event(declared, provider)
    if isinstance(declared, Calls):
        return _call(declared, provider)
    return _grpc(declared, provider)


def _finding(rule: str, declared: Declared, what: str, known: str) -> Finding:
    return Finding(
        rule=rule, place=str(declared), before=what, after=None, severity=Severity.BREAKING,
        sentence=f"{declared}, and {declared.service} {known}.",
    )  # fmt: skip


def _event(declared: ReadsEvent, provider: Contracts) -> Iterator[Finding]:
    schema = provider.events.get(declared.type)
    if schema is None:
        yield _finding("consumer-event-unknown", declared, declared.type, "writes no such event")
        return
    for name in declared.fields:
        if not has_field(schema, schema, name):
            yield _finding("consumer-field-unknown", declared, name, f"has no field {name} in it")


def _call(declared: Calls, provider: Contracts) -> Iterator[Finding]:
    for document in provider.openapis.values():
        for operation in Description(document).operations():
            if operation.key == declared.key:
                yield from _answer(declared, operation)
                return
    yield _finding("consumer-call-unknown", declared, f"{declared.method} {declared.path}", "has no such operation")


def _answer(declared: Calls, operation: Operation) -> Iterator[Finding]:
    """A field must be in a successful answer."""
    described = operation.description
    answers = operation.own.get("responses")
    bodies = [
        body.get("schema", True)
        for status, answer in (answers.items() if isinstance(answers, Mapping) else ())
        if str(status).startswith("2")
        for body in media_types(described.resolve(answer)).values()
    ]
    for name in declared.fields:
        if not any(has_field(described.document, body, name) for body in bodies):
            yield _finding("consumer-field-unknown", declared, name, f"has no field {name} in its answer")


def _grpc(declared: CallsGrpc, provider: Contracts) -> Iterator[Finding]:
    from .protobuf import method_names  # noqa: PLC0415 # most services have none

    if declared.method not in method_names(provider.descriptors):
        yield _finding("consumer-method-unknown", declared, declared.method, "has no such method")


def has_field(root: Any, schema: Any, name: str) -> bool:
    """Whether a path such as ``items[].sku`` is declared, in some alternative of the schema."""
    document, found = Document(root), [schema]
    for part in name.split("."):
        found = _inside(document, found, part.removesuffix("[]"))
        for _ in range(part.count("[]")):
            found = _items(document, found)
    return bool(found)


def _inside(document: Document, schemas: list[Any], name: str) -> list[Any]:
    return [inner for schema in schemas for flat in _flats(document, schema) for inner in flat.of(name)]


def _items(document: Document, schemas: list[Any]) -> list[Any]:
    return [
        flat.items
        for schema in schemas
        for flat in _flats(document, schema)
        if "array" in flat.types and flat.items is not False
    ]


def _flats(document: Document, schema: Any) -> Any:
    try:
        return opened(document, schema).alternatives
    except Undecided:
        return ()
