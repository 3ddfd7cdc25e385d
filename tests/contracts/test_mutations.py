"""Each rule is needed: without its findings at least one case of the table is judged wrongly. And each finding of the
table says in a sentence what a person needs.
"""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

import slipway_contracts as contracts
from slipway_contracts.schema import Code
from slipway_contracts.schema.gaps import NOTICES
from slipway_contracts.wording import WORDS, Direction
from support.contracts_table import deciding, found, rows

SOURCES = Path(contracts.__file__).parent
RULE = re.compile(r"[a-z]+(-[a-z0-9]+)+")
SAYING = {"say", "_breaking", "_changed", "_finding", "_gone", "_named", "_reserved"}
# A oneof or a package goes with all that it holds, which other rules say.
BESIDE_OTHERS = {"oneof-no-delete", "package-no-delete", "file-same-package"}
# Rules about more than two documents, which have tests of their own, and those that only say what is fine.
ELSEWHERE = re.compile(r"(consumer|provider|contracts|active|event|service|version|protobuf)-.*|further-findings")


@pytest.fixture(scope="module", name="judged")
def _judged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proto")
    return [(case, role, found(kind, case, role, folder)) for kind, case, role in rows()]


def needed(judged):
    """By rule the cases that are judged wrongly without it."""
    cases = defaultdict(set)
    for case, role, findings in judged:
        for rule in {one.rule for one in findings}:
            without = [one for one in findings if one.rule != rule]
            if deciding(without)[0] not in case[role].split("|"):
                cases[rule].add(case["case"])
    return cases


def said_rules():
    """The names in the sources that findings may have, of those that are no schemas'."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                given = [one.value for one in node.keywords if one.arg == "rule"]
                given += [*node.args] if name in SAYING else []
                for one in given:
                    yield from (
                        part.value
                        for part in ast.walk(one)
                        if isinstance(part, ast.Constant) and isinstance(part.value, str) and RULE.fullmatch(part.value)
                    )


def test_no_rule_can_be_switched_off(judged):
    without, known = needed(judged), {one.rule for _, _, findings in judged for one in findings}
    decides = {one.rule for _, _, findings in judged for one in findings if one.undecided or one.severity == "breaking"}

    unseen = {one for one in said_rules() if one not in known | BESIDE_OTHERS and not ELSEWHERE.fullmatch(one)}
    assert not unseen, "no case has these rules"
    assert not {one for one in decides - without.keys() - BESIDE_OTHERS if not ELSEWHERE.fullmatch(one)}, (
        "no case needs these rules"
    )


def test_no_question_about_schemas_can_be_switched_off(judged):
    without = needed(judged)

    decided = [code for code in Code if code not in NOTICES | {Code.UNDECIDED, Code.PATTERN_UNDECIDED, Code.UNDECLARED}]
    wanted = {f"{code}-{direction}" for code in decided for direction in Direction}
    assert not {one for one in wanted if not any(rule.endswith(f"-{one}") for rule in without)}


def test_each_code_has_words():
    assert WORDS.keys() == set(Code)


MEANINGLESS = re.compile(r"(was|is|only|of|accepts|be|:) (nothing\b|\[\])|LENIENT|STRICT|: \* |\bnothing,")


def test_sentences_have_place_and_cure_and_no_words_of_the_rules(judged):
    wrong = {
        one.sentence
        for _, _, findings in judged
        for one in findings
        if MEANINGLESS.search(one.sentence) or not one.sentence.endswith(".") or "  " in one.sentence
    }
    assert not wrong, "\n".join(sorted(wrong)[:20])
