"""The table of cases (tests/support/contracts_table.py says how they are written)."""

from collections import Counter

import pytest

from support.contracts_table import rows, wrong


@pytest.fixture(scope="module", name="answers")
def _answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proto")
    return [(kind, case["case"], role, wrong(kind, case, role, folder)) for kind, case, role in rows()]


def test_the_rules_are_right_about_all_cases(answers):
    all_, right = Counter(kind for kind, *_ in answers), Counter(kind for kind, *_, why in answers if not why)
    for kind in all_:
        print(f"{kind:10} right {right[kind]:4} of {all_[kind]:4}")
    print(f"{'all':10} right {right.total():4} of {all_.total():4}")
    mistakes = [f"{kind}, {role}: {name}: {why}" for kind, name, role, why in answers if why]
    assert not mistakes, "\n".join(["", *mistakes])


def test_every_case_has_a_name_of_its_own():
    names = Counter((kind, case["case"], role) for kind, case, role in rows())

    assert [name for name, count in names.items() if count > 1] == []
