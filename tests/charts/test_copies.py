"""What two charts need is in a library: no template has lines of another one."""

import re
from collections import defaultdict

import pytest

from support.charts import CHARTS

pytestmark = pytest.mark.charts
LINES = 8
# Where the values come from differs between a library and a chart.
CONTEXT = re.compile(r"\$(ctx|values)?(?=[. ])|\.Values")


def statements(text):
    lines = [" ".join(CONTEXT.sub("", line).split()) for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("{{- end")]


def copies(templates):
    """Pairs of names whose texts share LINES statements in a row."""
    found = defaultdict(set)
    for name, text in templates.items():
        said = statements(text)
        for start in range(len(said) - LINES + 1):
            found[tuple(said[start : start + LINES])].add(name)
    return sorted({tuple(sorted(names)) for names in found.values() if len(names) > 1})


def test_no_template_is_a_copy():
    templates = {
        str(path.relative_to(CHARTS)): path.read_text()
        for path in CHARTS.glob("*/templates/*")
        if path.name != "NOTES.txt"  # each says its own next command, in the same words
    }
    assert len(templates) > len(list(CHARTS.iterdir()))
    assert copies(templates) == []


def test_a_copy_would_be_found():
    lines = [f"key{number}: {{{{ .Values.of{number} }}}}" for number in range(LINES)]
    other = [line.replace(".Values", "$ctx.Values") for line in lines]
    assert copies({"a": "\n".join(["x", *lines]), "b": "\n".join(["", *other])}) == [("a", "b")]
    assert copies({"a": "\n".join(lines), "b": "\n".join(other[1:])}) == []
