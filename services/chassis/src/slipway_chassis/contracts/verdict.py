"""The gate: may this version take the place of that one? One answer for the operator, a laptop and CI.

Pure, and light to import. Who asks it fetches the documents; what can't be read is handed in as its error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ChassisError, UnreadableContracts
from .bundle import Contracts
from .changes import changed
from .consumes import Declared
from .findings import Finding, Severity, breaking
from .readers import unreadable_events
from .reliance import unmet

Shown = Contracts | UnreadableContracts  # what a version promises, or why nobody can tell
MAX_MESSAGE = 500  # characters; what the record of a gate keeps
UNREADABLE = "contracts-unreadable"


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
    allow_breaking: bool = False,
    all_known: bool = False,
) -> Verdict:
    """Compares with the active version, and asks those who rely on this service and those it relies on.

    Args:
        active: None for a first version. One that can't be read holds up no fix: it counts as None.
        candidate: what shall become active. One that can't be read fails, whatever is allowed.
        others: the active versions of the other services, by the name that people know them by.
        usage: requests in the last window by major version (``v1``; for gRPC the package, ``inventory.v1``).
            None, or a version without a number: nobody knows whether it is used.
        allow_breaking: what breaks or can't be decided is told, and passes.
        all_known: ``others`` are all that there are, so that a provider that is not among them does not exist.
    """
    former, new = _read(active) if active else None, _read(candidate)
    if isinstance(new, UnreadableContracts):
        return _verdict([_unreadable(new)])
    compared_with = former if isinstance(former, Contracts) else None
    read = {name: _read(one) for name, one in others.items()}
    try:
        found = list(_findings(compared_with, new, read, usage, all_known=all_known))
    except Exception as error:  # noqa: BLE001
        # Documents come from versions that nobody trusts yet; whatever they do to the rules is the candidate's failure.
        why = f"they can't be compared: {type(error).__name__}: {error}"
        return _verdict([_unreadable(UnreadableContracts(why[:300]))])
    if isinstance(former, UnreadableContracts):
        found.append(_nothing_to_compare_with(former))
    return _verdict(found, allow_breaking=allow_breaking, compared=compared_with is not None)


def _read(shown: Shown) -> Shown:
    """All documents are opened here, where it is known whose they are."""
    if not isinstance(shown, Contracts):
        return shown
    try:
        shown.parse()
    except ChassisError as error:
        return UnreadableContracts(str(error))
    return shown


def _findings(
    active: Contracts | None,
    candidate: Contracts,
    others: Mapping[str, Shown],
    usage: Mapping[str, float] | None,
    *,
    all_known: bool,
) -> Iterator[Finding]:
    readable = {name: one for name, one in others.items() if isinstance(one, Contracts)}
    yield from changed(active, candidate, [each for one in readable.values() for each in one.consumes], usage)
    yield from unreadable_events(candidate, readable.values())
    services = {one.service for one in readable.values()} | {candidate.service}
    for declared in candidate.consumes:
        for provider in readable.values():
            if provider.service == declared.service:
                yield from unmet(declared, provider)
        if all_known and declared.service not in services:
            yield _no_such_service(declared)
    if active is None or active.promises() != candidate.promises():  # where nothing changes, nobody can be hurt
        yield from (_unknown(name, one) for name, one in others.items() if isinstance(one, UnreadableContracts))


# --- from findings to one result and one message
def _verdict(findings: Sequence[Finding], *, allow_breaking: bool = False, compared: bool = True) -> Verdict:
    breaks = breaking(findings)
    undecided = [one for one in findings if one.undecided]
    if any(one.rule == UNREADABLE for one in breaks):
        return Verdict(result=Result.FAILED, findings=findings, message=_sentences("", breaks))
    if breaks:
        result = Result.PASSED if allow_breaking else Result.FAILED
        message = _sentences(f"{len(breaks)} changes break somebody.", breaks)
    elif undecided:
        result = Result.PASSED if allow_breaking else Result.INCONCLUSIVE
        message = _sentences(f"{len(undecided)} questions are open.", undecided)
    else:
        result = Result.PASSED
        count = "1 compatible change" if len(findings) == 1 else f"{len(findings)} compatible changes"
        message = (count if findings else "nothing changed") if compared else "there was nothing to compare with"
    return Verdict(result=result, findings=findings, message=message)


def _sentences(count: str, findings: Sequence[Finding]) -> str:
    """The count first, where there are several; then as many whole sentences as there is room for."""
    said = [count] if count and len(findings) > 1 else []
    for one in findings:
        if len(" ".join([*said, one.sentence])) > MAX_MESSAGE:
            break
        said.append(one.sentence)
    return " ".join(said) if said else findings[0].sentence[: MAX_MESSAGE - 1] + "…"


def _unreadable(error: UnreadableContracts) -> Finding:
    return Finding(
        rule=UNREADABLE, place="", before=None, after=None, severity=Severity.BREAKING,
        sentence=f"The contracts can't be read: {error}.",
    )  # fmt: skip


def _nothing_to_compare_with(error: UnreadableContracts) -> Finding:
    return Finding(
        rule="active-unreadable", place="", before=None, after=None, severity=Severity.WARNING,
        sentence=f"The contracts of the active version can't be read, and nothing was compared: {error}.",
    )  # fmt: skip


def _unknown(name: str, error: UnreadableContracts) -> Finding:
    return Finding(
        rule="consumer-unknown", place=name, before=None, after=None, severity=Severity.WARNING, undecided=True,
        sentence=f"What {name} relies on is unknown: {error}.",
    )  # fmt: skip


def _no_such_service(declared: Declared) -> Finding:
    return Finding(
        rule="consumer-service-unknown", place=str(declared), before=declared.service, after=None,
        severity=Severity.BREAKING,
        sentence=f"{declared}, and there is no service {declared.service}. Correct its consumes.",
    )  # fmt: skip
