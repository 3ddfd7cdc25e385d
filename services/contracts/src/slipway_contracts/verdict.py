"""The gate: may this version take the place of that one? One answer for the operator, a laptop and CI.

Pure, and light to import. Who asks it fetches the documents; what can't be read is handed in as its error.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from .bundle import Contracts
from .changes import changed, so_before
from .consumes import Declared
from .errors import ContractsError, UnreadableContracts
from .findings import Finding, Severity, breaking, listed
from .readers import unreadable_events
from .reliance import unmet_of
from .retirement import VERSION_DROPPED, Usage
from .schema import Undecided

Shown = Contracts | UnreadableContracts  # what a version promises, or why nobody can tell
MAX_MESSAGE = 500  # characters; what the record of a gate keeps
UNREADABLE, NOT_COMPARED = "contracts-unreadable", "active-unreadable"
NO_SUCH_SERVICE = "consumer-service-unknown"


class Result(StrEnum):
    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"  # something could not be decided: a person should look


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``message``: for people, at most MAX_MESSAGE characters."""

    result: Result
    findings: Sequence[Finding]
    message: str

    @property
    def ok(self) -> bool:
        """Nothing breaks."""
        return not breaking(self.findings)

    @property
    def inconclusive(self) -> bool:
        return any(one.undecided for one in self.findings)


def judge(
    active: Shown | None,
    candidate: Shown,
    others: Mapping[str, Shown],
    usage: Mapping[str, float] | None,
    *,
    counted: str = "",
    allow_breaking: bool = False,
) -> Verdict:
    """Compares with the active version, and asks those who rely on this service and those it relies on.

    Args:
        active: None for a first version. One that can't be read holds up no fix: nothing is compared, and that is told.
        candidate: what shall become active. One that can't be read fails, whatever is allowed.
        others: the active versions of the other services, by the name that people know them by.
        usage: requests in the last window by major version (``v1``; for gRPC the package, ``inventory.v1``).
            None, or a version without a number: nobody knows whether it is used.
        counted: what ``usage`` rests on, such as "3 pods have counted for 26 h".
        allow_breaking: what breaks or can't be decided is told, and passes.
    """
    try:
        return _judged(active, candidate, others, Usage(usage or {}, counted), allow_breaking=allow_breaking)
    except MemoryError:
        return verdict_of([_not_compared("it takes more memory than there is")], allow_breaking=allow_breaking)


def _judged(
    active: Shown | None, candidate: Shown, others: Mapping[str, Shown], usage: Usage, *, allow_breaking: bool
) -> Verdict:
    new = _read(candidate)
    if isinstance(new, UnreadableContracts):
        return verdict_of([_unreadable(new)])
    former = _read(active) if active else None
    read = {name: _read(one) for name, one in others.items()}
    known = [one for one in read.values() if isinstance(one, Contracts)]
    try:
        changes, former = _changes(former, new, [*known, new], usage)
    except UnreadableContracts as error:
        return verdict_of([_unreadable(error)])
    found = [*changes, *listed(list(_needs(former, new, read)))]
    unchanged = isinstance(former, Contracts) and former.promises() == new.promises()
    if not unchanged:  # where nothing changes, nobody can be hurt
        found += [_unknown(name, one) for name, one in read.items() if isinstance(one, UnreadableContracts)]
    if isinstance(former, UnreadableContracts):
        found.append(_nothing_to_compare_with(former))
    return verdict_of(found, allow_breaking=allow_breaking, compared=former is not None, unchanged=unchanged)


def _read(shown: Shown) -> Shown:
    """All documents are opened here, where it is known whose they are."""
    if not isinstance(shown, Contracts):
        return shown
    try:
        shown.parse()
    except ContractsError as error:
        return UnreadableContracts(str(error))
    return shown


def _changes(
    active: Shown | None, candidate: Contracts, readers: Sequence[Contracts], usage: Usage
) -> tuple[list[Finding], Shown | None]:
    """What breaks those who rely on the candidate, and what it was compared with. Documents come from versions that
    nobody trusts yet: one that upsets the rules by itself is unreadable, whoever shows it.

    Raises:
        UnreadableContracts: the candidate's can't be compared
    """
    consumers = [each for one in readers for each in one.consumes]
    former = active if isinstance(active, Contracts) else None
    try:
        return list(changed(former, candidate, consumers, usage)), active
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001
        upset = _upset(error)
    try:
        alone = list(changed(None, candidate, consumers, usage))
    except Exception:  # noqa: BLE001
        raise upset from None
    if _upsets(candidate):
        raise upset
    if former and _upsets(former):
        return alone, upset
    return [*alone, _not_compared(upset)], active  # nobody can tell whose it is, so it takes a person


def _upsets(contracts: Contracts) -> bool:
    try:
        list(changed(contracts, contracts, [], Usage()))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001
        return True
    return False


def _upset(error: Exception) -> UnreadableContracts:
    fault = "" if isinstance(error, Undecided) else f"{type(error).__name__}: "  # of the rules, not of the document
    return UnreadableContracts(f"they can't be compared: {fault}{error}"[:300])


def _needs(active: Shown | None, candidate: Contracts, others: Mapping[str, Shown]) -> Iterator[Finding]:
    """What the candidate reads and calls, and whether it is there."""
    before = active if isinstance(active, Contracts) else None
    relied_on = set(before.consumes) if before else set()
    for declared in candidate.consumes:
        if declared.service == candidate.service:
            continue  # asked as one of its consumers
        providers = [(name, one) for name, one in others.items() if _is(declared.service, name, one)]
        for name, provider in providers:
            if isinstance(provider, Contracts):
                yield from _of(name, partial(unmet_of, declared, provider))
            elif declared not in relied_on:
                yield _unknown_provider(declared, provider)
        if not providers and not declared.elsewhere:
            yield _no_such_service(declared, before=declared in relied_on, alone=before is None)
    for name, writer in [*others.items(), (candidate.service, candidate)]:
        if isinstance(writer, Contracts):
            yield from _of(name, partial(_unreadable_events, before, candidate, writer))


def _is(service: str, name: str, shown: Shown) -> bool:
    """Of one that can't be read only the name is known that people gave it, often with a release before it."""
    if isinstance(shown, Contracts):
        return shown.service == service
    return name == service or name.endswith(f"-{service}")


def _unreadable_events(active: Contracts | None, candidate: Contracts, writer: Contracts) -> Iterator[Finding]:
    """What was so before this change is told, and holds up no fix."""
    before = {one.place for one in unreadable_events(active, [writer])} if active else set()
    for one in unreadable_events(candidate, [writer]):
        yield so_before(one) if one.place in before else one


def _of(name: str, ask: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """A document of another service that upsets the rules is no fault of the candidate."""
    try:
        return list(ask())
    except Exception as error:  # noqa: BLE001
        return [_unknown(name, _upset(error))]


# --- from findings to one result and one message
def verdict_of(
    findings: Sequence[Finding], *, allow_breaking: bool = False, compared: bool = True, unchanged: bool = False
) -> Verdict:
    """One result and one message for all of them."""
    breaks = breaking(findings)
    undecided = [one for one in findings if one.undecided]
    nothing = [one for one in findings if one.rule == NOT_COMPARED]
    if any(one.rule == UNREADABLE for one in breaks):
        result, message = Result.FAILED, _sentences("", breaks)
    elif breaks:
        result = Result.PASSED if allow_breaking else Result.FAILED
        message = _sentences(f"{len(breaks)} changes break somebody.", breaks)
    elif undecided:
        result = Result.PASSED if allow_breaking else Result.INCONCLUSIVE
        message = _sentences(f"{len(undecided)} questions are open.", undecided)
    else:
        result, message = Result.PASSED, _compatible(len(findings), compared=compared, unchanged=unchanged)
        told = nothing or [one for one in findings if one.rule == VERSION_DROPPED]
        message = _sentences("", told) if told else message
    return Verdict(result=result, findings=findings, message=message)


def _compatible(count: int, *, compared: bool, unchanged: bool) -> str:
    if not compared:
        return "there was nothing to compare with"
    if unchanged or not count:
        return "nothing changed"
    return "1 compatible change" if count == 1 else f"{count} compatible changes"


def _sentences(count: str, findings: Sequence[Finding]) -> str:
    """The count first, where there are several; then as many whole sentences as there is room for."""
    said = [count] if count and len(findings) > 1 else []
    for one in findings:
        room = MAX_MESSAGE - len(" ".join([*said, ""]))
        if len(one.sentence) > room:
            if one is findings[0]:
                said.append(f"{one.sentence[: room - 1]}…")
            break
        said.append(one.sentence)
    return " ".join(said)


def _unreadable(error: UnreadableContracts) -> Finding:
    return Finding(
        rule=UNREADABLE, place="", before=None, after=None, severity=Severity.BREAKING,
        sentence=f"The contracts can't be read: {error}.",
    )  # fmt: skip


def _nothing_to_compare_with(error: UnreadableContracts) -> Finding:
    return Finding(
        rule=NOT_COMPARED, place="", before=None, after=None, severity=Severity.WARNING,
        sentence=f"There was nothing to compare with: {error}.",
    )  # fmt: skip


def _not_compared(why: object) -> Finding:
    return Finding(
        rule="contracts-undecided", place="", before=None, after=None, severity=Severity.WARNING, undecided=True,
        sentence=f"The two versions could not be compared: {why}. Make their documents smaller or plainer.",
    )  # fmt: skip


def _unknown(name: str, error: UnreadableContracts) -> Finding:
    return Finding(
        rule="consumer-unknown", place=name, before=None, after=None, severity=Severity.WARNING, undecided=True,
        sentence=f"What {name} relies on is unknown: {error}.",
    )  # fmt: skip


def _unknown_provider(declared: Declared, error: UnreadableContracts) -> Finding:
    return Finding(
        rule="provider-unknown", place=str(declared), before=None, after=None, severity=Severity.WARNING,
        undecided=True, sentence=f"{declared}, and whether that is there is unknown: {error}.",
    )  # fmt: skip


def _no_such_service(declared: Declared, *, before: bool, alone: bool) -> Finding:
    """Whoever is installed first can't wait for the others, and a fix does not wait for what it relied on before.
    ``alone``: no earlier version tells what that was.
    """
    told = " It relied on it before as well." if before else ""
    return Finding(
        rule=NO_SUCH_SERVICE, place=str(declared), before=declared.service, after=None,
        severity=Severity.WARNING, undecided=not (before or alone),
        sentence=f"{declared}, and no service {declared.service} is known here. Release or name it first, correct "
        f"consumes, or say there that it is elsewhere.{told}",
    )  # fmt: skip
