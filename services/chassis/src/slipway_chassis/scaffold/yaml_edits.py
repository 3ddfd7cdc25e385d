"""The gateway's file and GitLab's get to know a service. Comments stay, and the form as far as it can be told."""

import io
from collections.abc import Iterator, MutableMapping, MutableSequence
from difflib import SequenceMatcher
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from ..errors import ConfigurationError

IN_A_RELEASE = "{{ .Release.Name }}-"


def with_route(file: str, text: str, service: str) -> str:
    """The service as an upstream, and its path, open to all: before the first route that would take it from it.

    Raises:
        ConfigurationError: the file has no upstreams and routes, or knows the service already.
    """
    written, document = _parsed(file, text)
    gateway = _gateway(document)
    upstreams, routes = _of(gateway, "upstreams"), _of(gateway, "routes")
    if not isinstance(upstreams, MutableMapping) or not isinstance(routes, MutableSequence):
        raise ConfigurationError(f"{file} has no gateway.upstreams and gateway.routes: it is no file of the gateway")
    path = f"/v1/{service}"
    if service in upstreams or any(path in (_of(one, "prefix"), _of(one, "path")) for one in routes):
        raise ConfigurationError(f"{file} has an upstream {service} or a route {path} already")
    before = _dumped(written, document)
    in_release = any(str(_of(one, "address")).startswith(IN_A_RELEASE) for one in upstreams.values())
    upstreams[service] = _in_one_line(address=f"{IN_A_RELEASE if in_release else ''}{service}", port=80)
    place = next((at for at, one in enumerate(routes) if _of(one, "prefix") in ("/", "/v1")), len(routes))
    routes.insert(place, _in_one_line(prefix=path, upstream=service, public=True))
    return _inserted(text, before, _dumped(written, document))


def with_include(file: str, text: str, include: str) -> str:
    """GitLab's file with one more entry of ``include``, which is given as YAML.

    Raises:
        ConfigurationError: the file is no YAML, or no map.
    """
    written, document = _parsed(file, text)
    if document is None:
        return text + include
    if not isinstance(document, MutableMapping):
        raise ConfigurationError(f"{file} is no pipeline: it holds no map")
    before = _dumped(written, document)
    there = document.get("include", [])
    listed = there if isinstance(there, MutableSequence) else [there]
    listed.extend(YAML().load(include)["include"])
    document["include"] = listed
    return _inserted(text, before, _dumped(written, document))


def _parsed(file: str, text: str) -> tuple[YAML, Any]:
    written = YAML()
    written.preserve_quotes = True
    written.width = 10_000  # lines stay as long as they are
    written.representer.add_representer(type(None), _null)
    try:
        mapping, sequence, offset = _indentation(YAML().compose(text), text.splitlines())
        written.indent(mapping=mapping, sequence=sequence, offset=offset)
        return written, written.load(text)
    except YAMLError as error:
        raise ConfigurationError(f"{file} is no YAML: {error}") from error


def _indentation(root: Any, lines: list[str]) -> tuple[int, int, int]:
    """Columns from a key to the keys below it, to the items of its list, and to their dashes: of the first of each."""
    mappings: list[int] = []
    lists: list[tuple[int, int]] = []
    for key, value in _pairs(root):
        column, first = key.start_mark.column, value.value[0]
        if isinstance(value, MappingNode):
            mappings.append(first[0].start_mark.column - column)
        else:
            item = first.start_mark
            lists.append((item.column - column, lines[item.line].rfind("-", 0, item.column) - column))
    return (mappings or [2])[0], *(lists or [(2, 0)])[0]


def _pairs(node: Any) -> Iterator[tuple[Any, Any]]:
    """Keys with what is below them in lines of its own, from above to below."""
    for one in node.value if isinstance(node, MappingNode | SequenceNode) and not node.flow_style else ():
        key, value = one if isinstance(node, MappingNode) else (None, one)
        if key is not None and not isinstance(value, ScalarNode) and not value.flow_style and value.value:
            yield key, value
        yield from _pairs(value)


def _null(representer: Any, _value: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _dumped(written: YAML, document: Any) -> str:
    stream = io.StringIO()
    written.dump(document, stream)
    return stream.getvalue()


def _inserted(text: str, before: str, after: str) -> str:
    """``text`` with the lines by which ``after`` differs from ``before``: so that what would be written in another form
    stays as it is. Where that does not hold the same: ``after``.
    """
    lines, old, new = (one.splitlines(keepends=True) for one in (text, before, after))
    parts = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    if len(lines) != len(old) or any(tag not in {"equal", "insert"} for tag, *_ in parts):
        return after
    made = "".join("".join(lines[i:j] if tag == "equal" else new[k:m]) for tag, i, j, k, m in parts)
    safe = YAML(typ="safe", pure=True)
    try:
        return made if safe.load(made) == safe.load(after) else after
    except YAMLError:
        return after


def _gateway(document: object) -> object:
    """Settings of the gateway: its own, values of its chart, or of a chart around that."""
    found = _of(document, "gateway")
    inner = _of(found, "gateway")
    return found if inner is None else inner


def _of(part: object, key: str) -> Any:
    return part.get(key) if isinstance(part, MutableMapping) else None


def _in_one_line(**values: Any) -> CommentedMap:
    made = CommentedMap(**values)
    made.fa.set_flow_style()
    return made
