"""Whether a version is what it must be, by all its components: those that serve requests and those that handle events.

One rule for all who ask: the stages, the deadlines, the conditions and ``kubectl slipway explain``.
"""

from collections.abc import Iterator

from .observed import REFUSED, Problem, VersionView
from .situation import Situation


def shortage(situation: Situation, view: VersionView) -> str:
    """What it lacks to be at full size, as a sentence; empty: nothing. Workers count from the moment they are asked
    for.
    """
    if not situation.enough(view.version):
        return pods_ready(view, situation.full_size)
    return next(_short_workers(view), "")


def trouble(situation: Situation, view: VersionView) -> Problem | None:
    """The first problem that waiting alone will not solve. With enough that are ready, a problem is of few; but what
    is refused (a consumer's template) will not come.
    """
    found = [each for each in view.problems if each.reason == REFUSED or not _excused(situation, view, each)]
    return min(found, key=lambda problem: problem.since, default=None)


def without_workers(view: VersionView) -> str:
    """Of some component that handles events nobody is ready, as a sentence."""
    short = (workers_ready(view, name, each.wanted) for name, each in view.workers.items() if _down(view, name))
    return next(short, "")


def pods_ready(view: VersionView, wanted: int) -> str:
    """Of components that serve."""
    return f"{view.endpoints} of {wanted} pods of {view.version} are ready{_said(view, set(view.workers), among=False)}"


def workers_ready(view: VersionView, component: str, wanted: int) -> str:
    said = _said(view, {component}, among=True)
    return f"{view.workers[component].ready} of {wanted} {component}s of {view.version} are ready{said}"


def _short_workers(view: VersionView) -> Iterator[str]:
    for name, each in view.workers.items():
        if each.ready < each.wanted:
            yield workers_ready(view, name, each.wanted)


def _down(view: VersionView, component: str) -> bool:
    workload = view.workers[component]
    return workload.wanted > 0 and not workload.ready


def _excused(situation: Situation, view: VersionView, problem: Problem) -> bool:
    worker = view.workers.get(problem.component)
    return worker.ready >= worker.wanted if worker else situation.enough(view.version)


def _said(view: VersionView, components: set[str], *, among: bool) -> str:
    found = [each for each in view.problems if (each.component in components) is among]
    return f": {min(found, key=lambda problem: problem.since).message}" if found else ""
