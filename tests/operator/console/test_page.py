"""The page's own files: two languages with the same words, no foreign asset, nothing that makes markup of text."""

import json
import re
from importlib import resources

import pytest

from slipway_operator.console.server import FILES
from slipway_operator.planning.facts import Stage
from slipway_operator.planning.observed import GateState

PAGE = resources.files("slipway_operator.console") / "page"
WORDS = json.loads((PAGE / "words.json").read_text())
TEXTS = {name: (PAGE / name).read_text() for name in ("index.html", "console.js", "parts.js", "console.css")}


def test_both_languages_have_the_same_words_and_places():
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    for key, text in WORDS["en"].items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", WORDS["zh"][key])), key


def test_every_word_that_is_asked_for_is_there():
    asked = set(re.findall(r'data-t(?:-label)?="([^"]+)"', TEXTS["index.html"]))
    for name in ("console.js", "parts.js"):
        asked |= set(re.findall(r'\bt\("([a-z.]+)"', TEXTS[name]))
    assert len(asked) > 50
    assert asked <= WORDS["en"].keys()


def test_stages_and_gates_have_words():
    assert {f"stage.{stage.title}" for stage in Stage} <= WORDS["zh"].keys()
    assert {f"gate.{state.value}" for state in GateState} <= WORDS["zh"].keys()


@pytest.mark.parametrize(
    "sign", ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", ".setHTML"]
)
def test_text_never_becomes_markup(sign):
    assert not any(sign in text for text in TEXTS.values())


def test_nothing_is_fetched_from_elsewhere():
    assert {each.name for each in PAGE.iterdir()} == {name for name, _ in FILES.values()}
    assert not any(
        re.search(r"(https?:)?//[a-z]", text)
        for name, text in TEXTS.items()
        if name != "parts.js"
        for text in [re.sub(r"^\s*//.*| // .*", "", text, flags=re.MULTILINE)]
    )
    assert " style=" not in TEXTS["index.html"]
    assert " on" not in re.sub(r">[^<]*<", "><", TEXTS["index.html"])
