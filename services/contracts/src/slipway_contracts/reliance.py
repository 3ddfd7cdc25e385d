"""Does a service still give what another one declared to rely on?"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .bundle import Contracts
from .consumes import Calls, CallsGrpc, Declared, ReadsEvent
from .findings import Finding, Severity
from .openapi.description import Description, Operation
from .openapi.media_types import media_types
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
        yield from _field(declared, name, [(schema, schema)], "it")


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
        body
        for status, answer in (answers.items() if isinstance(answers, Mapping) else ())
        if str(status).startswith("2")
        for body in _bodies(described, answer)
    ]
    for name in declared.fields:
        yield from _field(declared, name, [(described.document, body) for body in bodies], "its answer")


def _bodies(described: Description, answer: Any) -> list[Any]:
    """Their schemas; of an answer that can't be followed its reference, which can't be opened either."""
    try:
        bodies = media_types(described.resolve(answer)).values()
        return [body.get("schema", body.get("itemSchema", True)) for body in bodies]
    except Undecided:
        return [answer]


def _field(declared: Declared, name: str, schemas: list[tuple[Any, Any]], where: str) -> Iterator[Finding]:
    """``schemas``, each with its document: the field must be in one of them."""
    unread = ""
    for root, schema in schemas:
        try:
            if has_field(root, schema, name):
                return
        except Undecided as why:
            unread = str(why)
    if not unread:
        yield _finding("consumer-field-unknown", declared, name, f"has no field {name} in {where}")
        return
    yield Finding(
        rule="consumer-field-undecided", place=str(declared), before=name, after=None, severity=Severity.WARNING,
        sentence=f"{declared}, and whether {name} is in {where} can't be judged: {unread}.", undecided=True,
    )  # fmt: skip


def _grpc(declared: CallsGrpc, provider: Contracts) -> Iterator[Finding]:
    from .protobuf import method_names  # noqa: PLC0415 # most services have none

    if declared.method not in method_names(provider.descriptors):
        yield _finding("consumer-method-unknown", declared, declared.method, "has no such method")


def has_field(root: Any, schema: Any, name: str) -> bool:
    """Whether a path such as ``items[].sku`` is declared, in some alternative of the schema. Raises Undecided."""
    document, found = Document(root), [schema]
    for part in name.split("."):
        found = _inside(document, found, part.removesuffix("[]"))
        for _ in range(part.count("[]")):
            found = _items(document, found)
    return bool(found)


def _inside(document: Document, schemas: list[Any], name: str) -> list[Any]:
    return [inner for schema in schemas for flat in opened(document, schema).alternatives for inner in flat.of(name)]


def _items(document: Document, schemas: list[Any]) -> list[Any]:
    return [
        flat.items
        for schema in schemas
        for flat in opened(document, schema).alternatives
        if "array" in flat.types and flat.items is not False
    ]
