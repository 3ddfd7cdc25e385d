"""The README of each chart has all its values, each with its words, and is what `make generate` makes."""

import runpy

import pytest

from slipway_chassis.scaffold.chart_readme import comments, rows
from support.charts import ALONE, CHARTS, SERVICES
from support.repository import ROOT

MAKING = runpy.run_path(str(ROOT / "ci" / "chart_readmes.py"))
pytestmark = pytest.mark.charts


@pytest.mark.parametrize("chart", [*SERVICES, *ALONE, "platform"])
def test_every_value_is_in_it_and_has_words(chart):
    assert (CHARTS / chart / "README.md").read_text() == MAKING["readme"](chart), "run: make generate"
    assert [key for key, _, words in rows(MAKING["read"](chart)) if not words] == []


def test_a_service_has_the_librarys_values_under_its_own():
    defaults = {key: default for key, default, _ in rows(MAKING["read"]("storefront"))}
    assert defaults["relay.enabled"] == "`false`"
    assert defaults["relay.replicas"] == "`2`"
    assert defaults["image.repository"] == '`"slipway/storefront"`'


def test_words_are_the_comment_on_the_line():
    values = 'a: "#" # one\nb:\n  c: {d: 1} # two\n  e: [] #no\n# above\nf: # three\n- g\n'
    assert comments(values) == {"a": "one", "b.c": "two", "f": "three"}
