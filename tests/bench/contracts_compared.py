"""What oasdiff, buf and Apicurio Registry say of the cases of the table, beside these rules: the figures of
docs/contracts-compared.md.

Run by `make contracts-compared`, which builds or fetches them at the versions that the repository pins. A verdict is
right where the case expects it; "missed" is a break that was let pass, "false alarm" a refusal of what breaks nobody.
oasdiff's warnings count as undecided. buf and Apicurio have no third answer, so they may refuse what the case calls
undecided alone.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from apicurio_registry import verdicts

from slipway_contracts import LENIENT, STRICT, Kind, compare
from support import contracts_table as table
from support.repository import ROOT
from support.tools import tool

PAGE = ROOT / "docs" / "contracts-compared.md"
FIGURES = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)
HTTP = {"openapi", "parameter", "request", "answer"}
SECONDS = 60
SIDES = ("before", "after")
ERROR = 3  # the level of oasdiff
TOOLS = ("oasdiff", "buf", "apicurio")
DRAFT_7, DRAFT_2020 = "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"
NEWER_WORDS = re.compile(r'"(prefixItems|dependent(Required|Schemas)|unevaluated\w+|(min|max)Contains|\$dynamicRef)"')
Verdict = str  # breaking, safe, undecided; refused: the documents can't be read


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = [*_told(Path(folder)), *_told_of_events()]
    page = PAGE.read_text()
    PAGE.write_text(FIGURES.sub(lambda _: _tables(told), page))
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "contracts-compared.json").write_text(json.dumps(told, indent=2))
    sys.stdout.write(_tables(told))


def _told(folder: Path) -> Iterator[dict[str, str]]:
    for kind, case, role in table.rows():
        if kind in HTTP:
            documents = _documents(kind, role, case)
            name, theirs = "oasdiff", _oasdiff(documents, folder)
            findings = compare(*documents, Kind.OPENAPI)
        elif kind == "protobuf":
            described = [table.compiled(case[side], folder) for side in SIDES]
            name, theirs = "buf", _buf(described, folder)
            findings = compare(*described, Kind.PROTOBUF)
        else:
            continue
        yield {"kind": kind, "case": case["case"], "role": role, "source": case["source"], "expected": case[role],
               "tool": name, "theirs": theirs, "ours": table.deciding(findings)[0]}  # fmt: skip


def _told_of_events() -> Iterator[dict[str, str]]:
    """``alike``: it makes no difference to these rules whether undeclared properties may come; to Apicurio they may."""
    rows = [(case, role) for _, case, role in table.rows() if role in table.MODES]
    pairs = [[_with_components(case, side) for side in SIDES] for case, _ in rows]
    asked = [(table.MODES[role].value.upper(), *_dated(pair)) for (_, role), pair in zip(rows, pairs, strict=True)]
    for (case, role), pair, theirs in zip(rows, pairs, verdicts(asked), strict=True):
        before, after = pair
        found = [compare(before, after, Kind.EVENT, table.MODES[role], reading=one) for one in (LENIENT, STRICT)]
        own = [table.deciding(one)[0] for one in found]
        yield {"kind": "event", "case": case["case"], "role": role, "source": case["source"], "expected": case[role],
               "tool": "apicurio", "theirs": theirs, "ours": own[0], "alike": str(own[0] == own[1])}  # fmt: skip


def _dated(pair: list[Any]) -> list[Any]:
    """With the draft that both are written in: Apicurio takes schemas that name none for ones of draft 4."""
    draft = DRAFT_2020 if NEWER_WORDS.search(json.dumps(pair)) else DRAFT_7
    return [{"$schema": draft, **one} if isinstance(one, dict) else one for one in pair]


def _with_components(case: dict[str, Any], side: str) -> Any:
    schema, named = case[side], case.get(f"components_{side}", case.get("components"))
    return {**schema, "components": {"schemas": named}} if named and isinstance(schema, dict) else schema


def _documents(kind: str, role: str, case: dict[str, Any]) -> list[Any]:
    """A schema stands at a property, as most do: there oasdiff has more checks than for whole bodies."""
    if role not in table.ROLES:
        make: Callable[[Any], Any] = table.parameter if kind == "parameter" else table.openapi
        return [make(case[side]) for side in SIDES]
    named = [case.get(f"components_{side}", case.get("components")) for side in SIDES]
    return [table.with_schema(_at_property(case[side]), role, one) for side, one in zip(SIDES, named, strict=True)]


def _at_property(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, "required": ["a"]}


def _oasdiff(documents: list[Any], folder: Path) -> Verdict:
    """Its errors break; its warnings are what it leaves to people."""
    for name, one in zip(("old.json", "new.json"), documents, strict=True):
        (folder / name).write_text(json.dumps(one))
    done = _run(tool("oasdiff"), "breaking", folder / "old.json", folder / "new.json", "--format", "json")
    if done.returncode:
        return "refused"
    levels = {one["level"] for one in json.loads(done.stdout or "[]")}
    return "breaking" if ERROR in levels else "undecided" if levels else "safe"


def _buf(described: list[bytes], folder: Path) -> Verdict:
    for name, one in zip(("old.binpb", "new.binpb"), described, strict=True):
        (folder / name).write_bytes(one)
    rules = '{"version":"v2","breaking":{"use":["FILE"]}}'
    done = _run(
        tool("buf"), "breaking", folder / "new.binpb", "--against", folder / "old.binpb", "--config", rules,
        "--error-format", "json",
    )  # fmt: skip
    return {0: "safe", 100: "breaking"}.get(done.returncode, "refused")


def _run(*command: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, timeout=SECONDS)


def _judged(verdict: Verdict, expected: str) -> str:
    wanted = expected.split("|")
    if verdict in wanted or (verdict in {"breaking", "refused"} and wanted == ["undecided"]):
        return "right"
    if verdict == "refused":
        return "refused"
    if verdict == "safe":
        return "missed"
    return "undecided" if verdict == "undecided" else "false alarm"


def _tables(told: list[dict[str, str]]) -> str:
    lines = [line for name in TOOLS for line in _lines(name, [one for one in told if one["tool"] == name])]
    return "\n".join(
        [
            "| cases | of | judged by | right | missed | false alarms | undecided or refused |",
            "|---|---|---|---|---|---|---|",
            *lines,
            "",
        ]
    )


def _lines(name: str, told: list[dict[str, str]]) -> Iterator[str]:
    by_kind = {kind: [one for one in told if one["kind"] == kind] for kind in sorted({one["kind"] for one in told})}
    own = [one for one in told if name in one["source"].lower()]
    rows = {**by_kind, f"of these after {name}'s rules and threads": own}
    if name == "apicurio":
        alike = [one for one in told if one["alike"] == "True"]
        rows = {**by_kind, "of these where undeclared properties play no part": alike}
    for what, cases in rows.items():
        for who, key in (("these rules", "ours"), (name, "theirs")):
            count = Counter(_judged(one[key], one["expected"]) for one in cases)
            third = count["undecided"] + count["refused"]
            shown = (count["right"], count["missed"], count["false alarm"], third)
            yield f"| {what} | {len(cases)} | {who} | {' | '.join(map(str, shown))} |"


if __name__ == "__main__":
    main()
