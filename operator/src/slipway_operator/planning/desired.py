"""What people want, taken from the spec once, so that planning needs no parsing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ..spec.fields import SERVING
from ..spec.gates import Gate
from ..spec.hashing import former_fingerprint, hash_of, spec_fingerprint, version_hash
from ..spec.microservice import MicroserviceSpec, Suspend
from ..spec.releaseplan import Order
from ..spec.strategy import PromotionWindow


@dataclass(frozen=True, slots=True)
class GateSpec:
    name: str
    after_promotion: bool = False
    dry_run: bool = False
    timeout: timedelta = timedelta(seconds=300)
    interval: timedelta = timedelta(seconds=15)


PLAN_FAILED = "PlanFailed"  # why a version is held that a plan sent back


@dataclass(frozen=True, slots=True)
class PlanDirective:
    """What a ReleasePlan says to the version that this service shall get."""

    plan: str
    order: Order
    came_from: str = ""  # the version that was active when the plan began
    because: str = ""  # why it waits, or goes back

    @property
    def open(self) -> bool:
        """The plan may still send this service back: nothing that a way back needs may go."""
        return self.order != "Return"


@dataclass(frozen=True, slots=True)
class Desired:
    version: str  # the hash of what the spec describes
    fingerprint: str
    former_fingerprint: str = ""  # of the same, as earlier releases of the operator stored it
    generation: int = 1
    replicas: int = 1
    workers: Mapping[str, int] = field(default_factory=dict)
    rolling: bool = False
    auto_promote: bool = True
    preview_replicas: int = 1
    scale_down_delay: timedelta = timedelta(seconds=30)
    progress_deadline: timedelta = timedelta(seconds=300)
    window: PromotionWindow | None = None
    exclusive: bool = True
    asks_brokers: bool = False  # who is in the consumer group
    gates: tuple[GateSpec, ...] = ()
    watch: timedelta = timedelta(seconds=30)
    expand: bool = False
    contract: bool = False
    migration_deadline: timedelta = timedelta(seconds=1800)
    history: int = 5
    promote: str | None = None
    promoted_as: str = ""  # release.promote, as it was written
    pinned: str | None = None  # release.activeVersion
    unreleased: str | None = None  # release.allowUnreleased
    paused: bool = False
    suspend: Suspend = "None"
    directive: PlanDirective | None = None

    @property
    def back_to(self) -> str | None:
        """The version that shall be active whatever the spec describes. People go before plans."""
        returns = self.directive.came_from if self.directive and not self.directive.open else ""
        return self.pinned or returns or None


def desired_of(spec: MicroserviceSpec, generation: int, directive: PlanDirective | None = None) -> Desired:
    strategy, release = spec.strategy, spec.release
    return Desired(
        version=version_hash(spec),
        fingerprint=spec_fingerprint(spec),
        former_fingerprint=former_fingerprint(spec),
        generation=generation,
        replicas=spec.replicas,
        workers={
            name: 1 if each.replicas is None else each.replicas
            for name, each in spec.components.items()
            if name not in SERVING
        },
        rolling=strategy.type == "Rolling",
        auto_promote=strategy.auto_promote,
        preview_replicas=strategy.preview_replicas,
        scale_down_delay=timedelta(seconds=strategy.scale_down_delay_seconds),
        progress_deadline=timedelta(seconds=strategy.progress_deadline_seconds),
        window=strategy.promotion_window,
        exclusive=spec.events is None or spec.events.handover == "Exclusive",
        asks_brokers=spec.events is not None and spec.events.bootstrap_servers is not None,
        gates=tuple(_gate_spec(gate) for gate in spec.gates),
        watch=timedelta(seconds=spec.watch_seconds),
        expand=spec.migrations.expand is not None,
        contract=spec.migrations.contract is not None,
        migration_deadline=timedelta(seconds=spec.migrations.deadline_seconds),
        history=spec.history,
        promote=hash_of(release.promote) if release.promote else None,
        promoted_as=release.promote or "",
        unreleased=hash_of(release.allow_unreleased) if release.allow_unreleased else None,
        pinned=hash_of(release.active_version) if release.active_version else None,
        paused=release.paused,
        suspend=spec.suspend,
        directive=directive,
    )


def _gate_spec(gate: Gate) -> GateSpec:
    return GateSpec(
        name=gate.name,
        after_promotion=gate.phase == "afterPromotion",
        dry_run=gate.dry_run,
        timeout=timedelta(seconds=gate.timeout_seconds),
        interval=timedelta(seconds=gate.interval_seconds),
    )
