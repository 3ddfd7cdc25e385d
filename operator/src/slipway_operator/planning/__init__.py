"""The heart of a release: ``plan(observed, desired, now)`` says which steps come next, and what to show.

It is pure and level-triggered: it derives everything from what a runtime observes and from a few facts kept in the
status, so an operator that was killed at any instruction goes on where the world stands.

``observed`` · ``desired`` · ``facts`` · ``steps`` (the words) → ``situation`` (one look at all of them) →
``decisions`` (which version shall be active; releases begin, end and fail) → ``stages`` (how far the release is),
``gating``, ``handover``, ``scaling`` (what that asks of each part) → ``planner`` (all steps in order) → ``conditions``
(phase, sentence, conditions) · ``status`` (facts to and from the status). docs/operator.md has the reasons.
"""

from .planner import Decision, plan

__all__ = ["Decision", "plan"]
