"""pyproject.toml gets to know a service, whatever form its tables and lists have; comments and order stay.

Each change is made twice, of the text and of what it holds: a text that then reads as anything else is refused.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from functools import partial
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, InlineTable, Table

from ..errors import ConfigurationError

Made = Callable[[Mapping[str, Any]], Any]
Change = Callable[[MutableMapping[str, Any], Made], None]

LAYERS = ("bootstrap", "entrypoints", "adapters", "application", "domain")
_BLANK_LINES = re.compile(r"\n{3,}")
_WHAT_IT_IS = re.compile(r"[\w.\-\[\],]+")


def changed(file: str, text: str, *changes: Change) -> str:
    """``text`` with the changes, one after the other.

    Raises:
        ConfigurationError: it is no TOML, has something else where a table is needed, or could not be changed.
    """
    for change in changes:
        text = _changed(file, text, change)
    return text


def _changed(file: str, text: str, change: Change) -> str:
    wanted = tomllib.loads(text)
    try:
        change(wanted, dict)
    except TypeError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    for made in (_table, _inline):  # below dotted keys there is no table with a head of its own
        document = tomlkit.parse(text)
        try:
            change(document, made)
            after = tomlkit.dumps(document)
            for written in (_BLANK_LINES.sub("\n\n", after).rstrip() + "\n", after):
                if tomllib.loads(written) == wanted:
                    return written
        except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, ValueError, AttributeError):
            continue
    raise ConfigurationError(
        f"{file} has a form that can't be extended: write its tables with heads, as [tool.slipway]"
    )


def adding(additions: Mapping[str, Any]) -> list[Change]:
    """Tables get the keys that they lack, and lists the items; what is there stays."""
    parts = [{key: value} for key, value in additions.items() if key != "tool"]
    parts += [{"tool": {key: value}} for key, value in additions.get("tool", {}).items()]
    return [partial(_add, part) for part in parts]


def layering(service: str, others: Sequence[str]) -> Change:
    """import-linter's rules know the service, where there are some for several packages: it gets layers of its own, and
    stands wherever all the others stand.
    """

    def change(document: MutableMapping[str, Any], made: Made) -> None:
        rules = document.get("tool", {}).get("importlinter", {})
        if "root_packages" not in rules:
            return
        rules["root_packages"].append(service)
        contracts = rules.setdefault("contracts", [])
        for contract in contracts:
            for field in ("modules", "source_modules", "forbidden_modules"):
                _stand_beside(contract.get(field, []), service, others)
        contracts.append(_item(contracts, _layers(service), made))

    return change


def _add(additions: Mapping[str, Any], table: MutableMapping[str, Any], made: Made, above: str = "") -> None:
    for key, value in additions.items():
        there: Any = table.get(key)
        if there is None:
            table[key] = _item(table, value, made) if isinstance(value, Mapping) else value
        elif isinstance(value, Mapping):
            _require(dict, there, f"{above}{key} is no table")
            _add(value, there, made, f"{above}{key}.")
        elif isinstance(value, list):
            _require(list, there, f"{above}{key} is no list")
            known = {_what_it_is(one) for one in there}
            there.extend(one for one in value if _what_it_is(one) not in known)


def _require(kind: type, there: object, otherwise: str) -> None:
    if not isinstance(there, kind):
        raise TypeError(otherwise)


def _what_it_is(item: object) -> str:
    """Of a requirement without its version, of pytest's marker without its words."""
    found = _WHAT_IT_IS.match(str(item))
    return found[0] if found else str(item)


def _item(container: Any, value: Mapping[str, Any], made: Made) -> Any:
    """In what is written in one line there are no tables with heads."""
    if made is not dict and isinstance(container, MutableSequence) and not isinstance(container, AoT):
        return _inline(value)
    return _inline(value) if isinstance(container, InlineTable) else made(value)


def _table(value: Mapping[str, Any]) -> Table:
    table = tomlkit.table(is_super_table=bool(value) and all(isinstance(one, Mapping) for one in value.values()))
    for key, one in value.items():
        table.add(key, _table(one) if isinstance(one, Mapping) else one)
    if not table.is_super_table():
        table.add(tomlkit.nl())
    return table


def _inline(value: Mapping[str, Any]) -> InlineTable:
    table = tomlkit.inline_table()
    for key, one in value.items():
        table[key] = _inline(one) if isinstance(one, Mapping) else one
    return table


def _stand_beside(listed: MutableSequence[str], service: str, others: Sequence[str]) -> None:
    parts = [{one.removeprefix(other) for one in listed if one.partition(".")[0] == other} for other in others]
    for part in sorted(set.intersection(*parts) if parts else set()):
        listed.append(f"{service}{part}")


def _layers(service: str) -> dict[str, Any]:
    return {
        "name": f"In {service}, the domain knows nothing of the application, the application nothing of the adapters, "
        "and only bootstrap knows them all",
        "type": "layers",
        "layers": [f"{service}.{layer}" for layer in LAYERS],
    }
