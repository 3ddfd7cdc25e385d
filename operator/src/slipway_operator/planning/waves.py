"""A ReleasePlan: what each of its services is told, derived anew from what the services show. Pure.

Nothing is promoted before every service has its version and, unless it depends on an unreleased one, has passed its
gates. Then the waves follow each other, and a wave has passed when the watch of each of its versions ended well. When
one version is held, all services return, the last wave first. An order is written to the plan's status before any
service can read it there, so an operator that is killed goes on with the same orders.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from ..spec.releaseplan import Order, PlannedService, PlanPhase, ReleasePlanSpec, ReleasePlanStatus, ServiceProgress
from ..spec.status import MicroserviceStatus
from .desired import PLAN_FAILED, PlanDirective
from .facts import Stage
from .version_ranges import fits, impossible


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One Microservice, as its spec and its status show it."""

    label: str  # spec.version
    version: str  # the hash of what the spec describes
    stable: str = ""  # the version that was accepted last
    active: str = ""
    waiting: bool = False  # the version passed its gates and waits for its promotion
    moving: bool = False  # a release is open
    held: str = ""  # why the version is held
    pinned: bool = False  # a person has named another version
    refused: str = ""  # why it can't go where it shall
    message: str = ""  # what it waits for
    taken_by: str = ""  # another plan that it belongs to

    @property
    def accepted(self) -> bool:
        return self.version == self.stable == self.active


def view_of(
    label: str,
    version: str,
    pinned: str | None,
    status: MicroserviceStatus,
    *,
    taken_by: str = "",
    observed: bool = True,
) -> ServiceView:
    """``observed``: the status is about the present spec; a hold of the time before may be over."""
    release, held = status.release, status.held_version
    # What an earlier plan sent back is free for this one.
    holds = observed and held is not None and held.version == version and held.reason != PLAN_FAILED
    waiting = release is not None and release.version == version and status.step == Stage.PROMOTING.title
    return ServiceView(
        label=label,
        version=version,
        stable=status.stable_version,
        active=status.active_version,
        waiting=waiting,
        moving=release is not None,
        held=(held.message or held.reason) if held and holds else "",
        pinned=pinned is not None and pinned != version,
        refused=status.blocked_by if _refused(version, status) else "",
        message=status.blocked_by,
        taken_by=taken_by,
    )


def _refused(version: str, status: MicroserviceStatus) -> bool:
    """It can't go where it shall: the version it is sent back to is not kept, or has failed to come up."""
    held = status.held_version
    return status.phase == "Blocked" or (status.phase == "Failed" and held is not None and held.version != version)


@dataclass(frozen=True, slots=True)
class Outlook:
    phase: PlanPhase
    services: tuple[ServiceProgress, ...] = ()
    wave: str = ""
    blocked_by: str = ""
    failure: str = ""
    started: datetime | None = None
    ended: datetime | None = None


def refusal(spec: ReleasePlanSpec) -> str:
    """Why this plan can never be carried out; empty: it may be."""
    earlier: set[str] = set()
    for wave in spec.waves:
        for service in wave.services:
            if impossible(service.version):
                return f"no version of {service.name} can be in the range '{service.version}': write another one"
            late = [name for name in service.depends_on if name not in earlier]
            if late:
                return (
                    f"{service.name} depends on {late[0]}, which no earlier wave releases: the two would wait for "
                    f"each other. Move {late[0]} to a wave before '{wave.name}'"
                )
        earlier |= {service.name for service in wave.services}
    return ""


def coordinate(
    spec: ReleasePlanSpec, former: ReleasePlanStatus, services: Mapping[str, ServiceView], now: datetime
) -> Outlook:
    why = refusal(spec)
    if why:
        return Outlook("Blocked", blocked_by=why)
    if former.ended:
        return Outlook(
            former.phase, former.services, former.wave, former.blocked_by, former.failure, former.started, former.ended
        )
    look = _Look(spec, {each.name: each for each in former.services}, services)
    failure = former.failure or look.failure()
    outlook = look.returning(failure, now) if failure else look.forward(now)
    return replace(outlook, started=former.started or now)


@dataclass(frozen=True, slots=True)
class _Look:
    spec: ReleasePlanSpec
    before: Mapping[str, ServiceProgress]
    views: Mapping[str, ServiceView]

    # --- what the services show
    def planned(self) -> Iterator[PlannedService]:
        return (service for wave in self.spec.waves for service in wave.services)

    def has_version(self, service: PlannedService) -> bool:
        view = self.views.get(service.name)
        return view is not None and fits(view.label, service.version) and not view.taken_by

    def done(self, service: PlannedService) -> bool:
        return self.has_version(service) and self.views[service.name].accepted

    def prepared(self, service: PlannedService) -> bool:
        """Ready for its promotion, promoted already, or not to be begun yet."""
        if self.done(service) or self.depends(service) or self.told_to_go(service):
            return True
        return self.has_version(service) and self.views[service.name].waiting

    def told_to_go(self, service: PlannedService) -> bool:
        """The order was about a version: another one, that came meanwhile, waits for its own."""
        before, view = self.before.get(service.name), self.views.get(service.name)
        return before is not None and before.order == "Go" and view is not None and before.version == view.version

    def depends(self, service: PlannedService) -> str:
        """A service that must be released before this one is begun."""
        open_ = {each.name for each in self.planned() if not self.done(each)}
        return next((name for name in service.depends_on if name in open_), "")

    # --- failing
    def failure(self) -> str:
        if self.spec.abort:
            return "it was aborted by a person"
        begun = any(map(_moved, self.before.values()))
        for service in self.planned():
            view = self.views.get(service.name)
            if view and view.held and self.has_version(service):
                return f"{service.name}: {view.held}"
            if view and view.pinned and self.told_to_go(service):
                return f"{service.name} was sent to another version by release.activeVersion"
            if begun and not self.has_version(service):
                return f"{self.expected(service)}, and others are released already"
        return ""

    def expected(self, service: PlannedService) -> str:
        view = self.views.get(service.name)
        if view is None:
            return f"there is no Microservice {service.name}"
        if view.taken_by:
            return f"{service.name} belongs to plan {view.taken_by} until that has ended"
        return f"{service.name} is at version {view.label}, and the plan wants {service.version}"

    # --- forward
    def forward(self, now: datetime) -> Outlook:
        missing = next((self.expected(each) for each in self.planned() if not self.has_version(each)), "")
        unprepared = next((each for each in self.planned() if not self.prepared(each)), None)
        wave = next((each for each in self.spec.waves if not all(map(self.done, each.services))), None)
        opens = wave is not None and not missing and not self.spec.paused
        opens = opens and all(map(self.prepared, wave.services if wave else ()))
        # Before the first promotion all must be ready; after it, only those whose turn it is.
        begun = any(self.told_to_go(each) and _moved(self.before[each.name]) for each in self.planned())
        opens = opens and (begun or unprepared is None)
        made = tuple(
            self.progress(service, self.order(service, opens=opens and each is wave))
            for each in self.spec.waves
            for service in each.services
        )
        name = wave.name if wave else ""
        if wave is None:
            return Outlook("Succeeded", made, ended=now)
        if missing:
            return Outlook("Pending", made, name, missing)
        if self.spec.paused:
            return Outlook("Paused", made, name, "paused is true: set it to false to go on")
        if not (begun or opens) and unprepared:
            return Outlook("Preparing", made, name, self.waits_for(unprepared))
        late = next(each for each in wave.services if not self.done(each))
        return Outlook("Releasing", made, name, self.waits_for(late))

    def order(self, service: PlannedService, *, opens: bool) -> Order:
        if self.done(service) or self.told_to_go(service):
            return "Go"
        if self.depends(service):
            return "Hold"
        return "Go" if opens else "Wait"

    def waits_for(self, service: PlannedService) -> str:
        view = self.views[service.name]
        return f"{service.name}: {view.message or 'its release has not begun'}"

    # --- back
    def returning(self, failure: str, now: datetime) -> Outlook:
        """The last wave first: who asks goes back before who is asked."""
        made: dict[str, ServiceProgress] = {}
        blocked, left = "", False
        for wave in reversed(self.spec.waves):
            may = not left
            for service in wave.services:
                # A version that gets no requests yet goes at once.
                order: Order = "Return" if may or not self.promoted(service) else "Go"
                made[service.name] = self.progress(service, order)
                view = self.views.get(service.name)
                if self.is_back(service):
                    continue
                blocked = f"{service.name}: {(view.refused or view.message) if view else ''}".rstrip(": ")
                left = left or not (view and view.refused)
        services = tuple(made[each.name] for each in self.planned())
        if left:
            return Outlook("Returning", services, self.wave_of(services), blocked, failure)
        return Outlook("Failed", services, "", blocked, failure, ended=now)

    def wave_of(self, services: tuple[ServiceProgress, ...]) -> str:
        returning = {each.name for each in services if each.order == "Return"}
        waves = [
            w.name for w in self.spec.waves if any(s.name in returning and not self.is_back(s) for s in w.services)
        ]
        return waves[-1] if waves else ""

    def promoted(self, service: PlannedService) -> bool:
        before = self.before.get(service.name)
        return before is not None and before.order == "Go"

    def is_back(self, service: PlannedService) -> bool:
        """There is nothing to go back to for a service that is gone, or that the plan was the first to release."""
        view, origin = self.views.get(service.name), self.origin(service)
        if view is None or not origin or view.taken_by or not self.has_version(service):
            return True
        if view.pinned:  # people go before plans: it is where they sent it
            return not view.moving
        return view.active == origin and view.stable == origin and not view.moving

    # --- what is written down
    def origin(self, service: PlannedService) -> str:
        """Where it goes back to: the version that was accepted when it first had a version of the plan."""
        before, view = self.before.get(service.name), self.views.get(service.name)
        if before and before.version:
            return before.came_from
        return (view.stable or view.active) if view else ""

    def progress(self, service: PlannedService, order: Order) -> ServiceProgress:
        view = self.views.get(service.name)
        if view is None or not self.has_version(service):
            before = self.before.get(service.name)
            came_from = before.came_from if before and before.version else ""
            version = before.version if before else ""
            return ServiceProgress(
                name=service.name, order=order, came_from=came_from, version=version, state="Expected",
                message=self.expected(service),
            )  # fmt: skip
        return ServiceProgress(
            name=service.name,
            order=order,
            came_from=self.origin(service),
            version=view.version,
            state=self.state(service, order),
            message=(view.refused or view.held or view.message)[:1024],
        )

    def state(self, service: PlannedService, order: Order) -> str:
        if order == "Return":
            return "Back" if self.is_back(service) else "Returning"
        if self.done(service):
            return "Released"
        if order == "Go":
            return "Releasing"
        depends = self.depends(service)
        if depends:
            return f"After {depends}"[:64]
        return "Prepared" if self.prepared(service) else "Preparing"


def _moved(told: ServiceProgress) -> bool:
    """Whether the plan has promoted it: a service that had its version before the plan, or its first one, tells nothing
    of that.
    """
    return told.order == "Go" and told.came_from not in {"", told.version}


def directive_of(
    plan: str, spec: ReleasePlanSpec, status: ReleasePlanStatus, *, service: str, label: str, version: str
) -> PlanDirective | None:
    """What this plan says to the version of one service; None: nothing."""
    planned = next((each for wave in spec.waves for each in wave.services if each.name == service), None)
    if planned is None or status.phase in {"Succeeded", "Blocked"} or not fits(label, planned.version):
        return None
    told = next((each for each in status.services if each.name == service), None)
    if told and told.version == version:
        because = status.failure if told.order == "Return" else told.state.lower()
        return PlanDirective(plan, told.order, told.came_from, because or status.blocked_by)
    if status.ended or status.failure or refusal(spec):
        return None
    # The plan has not seen this version yet.
    return PlanDirective(plan, "Hold" if planned.depends_on else "Wait", "", "the plan looks at it first")
