"""Values, types, limits and places of schemas as words in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from .canonical import canonical
from .schema import Gap

LONGEST_VALUE = 100
TYPES = {
    "string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "null": "null",
    "array": "a list", "object": "an object",
}  # fmt: skip
_UNITS = {"Length": " characters", "Items": " items", "Properties": " properties", "imum": ""}


def shortened(value: Any) -> str:
    """A value in a sentence."""
    if isinstance(value, list):
        return _cut(", ".join(map(shortened, value))) or "none"
    if isinstance(value, Mapping) and value.keys() == {"type"}:
        return kinds(value["type"])
    return _cut(value if isinstance(value, str) and value else canonical(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def phrase(value: Any, absent: str) -> str:
    """``absent`` where no value is given."""
    return absent if value is None or value == [] else shortened(value)


def kinds(names: Any, besides: Sequence[str] = ()) -> str:
    """Types as JSON Schema has them, in words; without those that are in ``besides`` as well.

    >>> kinds(["number", "string"], besides=["integer"])
    'a number that is not whole or text'
    """
    listed = [names] if isinstance(names, str) else list(names)
    left = [one for one in listed if one not in besides]
    if set(TYPES) - {"integer"} <= set(left):
        return "any value"
    words = [TYPES.get(one, one) for one in left or listed]
    if "number" in left and "integer" in besides:
        words[left.index("number")] = "a number that is not whole"
    return " or ".join(words)


def limit(path: Sequence[str | int], *, before: Any, after: Any) -> str:
    """By the keyword at the end of ``path``: minimum, maxLength, minItems and so on.

    >>> limit(["maxLength"], before=None, after=5)
    'may have 5 characters at most (was: any number of them)'
    """
    keyword = str(path[-1])
    unit = next(words for end, words in _UNITS.items() if keyword.endswith(end))
    edge = "at least" if keyword.startswith("min") else "at most"
    verb = "be" if not unit else "have"
    former = f"(was: {before}{unit})" if before is not None else f"(was: any {'number of them' if unit else 'number'})"
    if after is None:
        return f"may {verb} any number{' of' if unit else ''}{unit} (was: {edge} {before})"
    must = "must" if keyword.startswith("min") else "may"
    return f"{must} {verb} {after}{unit} {edge} {former}"


def reason(gap: Gap) -> str:
    """Why nobody can tell."""
    if isinstance(gap.wide, str) and gap.narrow is None:
        return gap.wide
    keyword = gap.path[-1] if gap.path else "it"
    return f"{keyword} is {phrase(gap.narrow, 'not said')} on one side and {phrase(gap.wide, 'not said')} on the other"


def for_people(path: Sequence[str | int]) -> str:
    """A path into a schema as one into its data.

    >>> for_people(("properties", "items", "items", "properties", "sku", "maxLength"))
    ': items[].sku'
    >>> for_people(("properties", "sizes", "additionalProperties", "type"))
    ': sizes.<key>'
    """
    text, tokens = "", list(path)
    if tokens[-1:] == ["additionalProperties"]:
        tokens.pop()
    while tokens:
        token = tokens.pop(0)
        if token in {"properties", "dependentRequired"} and tokens:
            text += f".{tokens.pop(0)}"
        elif token == "prefixItems" and tokens:  # noqa: S105 # no password
            text += f"[{tokens.pop(0)}]"
        elif token == "items":  # noqa: S105
            text += "[]"
        elif token in {"additionalProperties", "patternProperties"}:
            text += ".<key>"
            tokens = tokens[1:] if token == "patternProperties" else tokens  # noqa: S105
    text = f"<item>{text[2:]}" if text.startswith("[]") else text.removeprefix(".")
    return f": {text}" if text else ""
