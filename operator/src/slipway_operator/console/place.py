"""What a runtime brings to the console: where it is, what can be looked at, asked and done there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .board import Source

Words = Mapping[str, str]
Question = Callable[[Words], Any]
"""Takes the query's words, returns data of ``model``; a ChassisError is its answer in one sentence."""
Action = Callable[[Words], str]
"""Takes the words of the body, does it, and returns what came of it; a ChassisError says why it was not done."""
Audit = Callable[[dict[str, Any]], None]
"""Gets each action that was asked for: who, what, and what came of it."""


@dataclass(frozen=True)
class Place:
    """``name`` is shown to people: a folder, or a cluster and its namespace."""

    name: str
    sources: Sequence[Source]
    questions: Mapping[str, Question] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)
    audit: Audit = lambda _: None
