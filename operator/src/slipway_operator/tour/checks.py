"""Lessons about a repository instead of a shop that runs: changes that somebody could make by mistake, and which checks
find them.
"""

import re
from pathlib import PurePosixPath

from pydantic import Field, field_validator, model_validator

from .judged import Judged
from .texts import Declared, Text

HARM = "missed"
MOST_CHANGES, MOST_EDITS = 10, 10
_TEST = r"(tests|docs/patterns)/[A-Za-z0-9_./-]{1,200}"
_PATH = r"^(services|tests)/[A-Za-z0-9_./-]{1,200}$"


class Edit(Declared):
    """``old`` becomes ``new`` wherever it is in ``file``, a path below the repository."""

    file: str = Field(pattern=_PATH)
    old: str = Field(min_length=1, max_length=1000)
    new: str = Field(max_length=1000)

    @field_validator("file")
    @classmethod
    def _inside(cls, file: str) -> str:
        return _below(file)


class Change(Declared):
    """``named``: what a check that finds it has to name: a test, or a service. ``exported``: the service whose
    contracts are written again, as its author would.
    """

    says: Text
    edits: tuple[Edit, ...] = Field(min_length=1, max_length=MOST_EDITS)
    named: str = Field(pattern=r"^[a-z][a-z0-9_]{0,100}$")
    exported: str = Field("", pattern=r"^$|^[a-z][a-z0-9_]{0,39}$")


class Check(Declared):
    """What is asked of each change: ``tests``, and whether the ``contracts`` of all services still fit."""

    tests: tuple[str, ...] = Field((), max_length=10)
    contracts: bool = False

    @field_validator("tests")
    @classmethod
    def _inside(cls, tests: tuple[str, ...]) -> tuple[str, ...]:
        for path in tests:
            if not re.fullmatch(_TEST, path):
                raise ValueError(f"{path} is no test of this repository: it lies in tests, or in docs/patterns")
            _below(path)
        return tests

    @model_validator(mode="after")
    def _asks(self) -> "Check":
        if not (self.tests or self.contracts):
            raise ValueError("a check has tests, or contracts = true, or both")
        return self


class Checks(Judged):
    """``real`` and ``naive`` are asked about the same changes. No change may be ``missed`` by the real one, and one has
    to be by the naive one; ``holds`` are further relations.
    """

    real: Check
    naive: Check
    change: tuple[Change, ...] = Field(min_length=1, max_length=MOST_CHANGES)

    @property
    def both(self) -> Check:
        """All that is asked by either."""
        tests = tuple(dict.fromkeys(self.real.tests + self.naive.tests))
        return Check(tests=tests, contracts=self.real.contracts or self.naive.contracts)


def _below(path: str) -> str:
    if ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path} leads out of the copy")
    return path
