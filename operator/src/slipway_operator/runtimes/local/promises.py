"""The contract gate on one machine: what the code of a version promises, exported by that code itself.

The rules are those of the operator and of CI (docs/contracts.md). What other services declared to rely on stands in the
pyproject.toml beside their packages.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from slipway_chassis.contracts import Contracts, Declared, judge
from slipway_chassis.contracts.consumes import consumes_of, declared_of
from slipway_chassis.contracts.findings import breaking
from slipway_chassis.errors import ChassisError

from ...errors import LocalRuntimeError
from ...planning.observed import GateState
from .versions import Version, source_of

EXPORT_SECONDS = 60
SAID_AT_MOST = 2

Result = tuple[GateState, str]


class Exports:
    """The contracts of the versions of one release, exported side by side and ahead of the question: an export takes
    a process and a second or two, in which the candidate's own processes start.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._attempt = -1
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="export")
        self._begun: dict[str, Future[Contracts]] = {}

    def begin(self, attempt: int, versions: Sequence[Version]) -> None:
        """Once in each attempt, however often it is called: files may have been mended before the next one."""
        if attempt != self._attempt:
            self._attempt, self._begun = attempt, {}
        for version in versions:
            if version.hash not in self._begun:
                self._begun[version.hash] = self._pool.submit(exported, self._service, version)

    def of(self, version: Version) -> Contracts:
        """Waits for it. Raises what ``exported`` raises."""
        begun = self._begun.get(version.hash)
        return begun.result() if begun else exported(self._service, version)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def compared(exports: Exports, active: Version | None, candidate: Version, others: Sequence[str]) -> Result:
    """``others``: the names of the services that may rely on this one."""
    try:
        new = exports.of(candidate)
        old = exports.of(active) if active and active.hash != candidate.hash else None
        verdict = judge(old, new, list(_declared(others)), None)
    except LocalRuntimeError as error:
        return GateState.FAILED, str(error)
    except ChassisError as error:
        return GateState.FAILED, f"the contracts can't be read: {error}"
    breaks = breaking(verdict.findings)
    if breaks:
        more = f" And {len(breaks) - SAID_AT_MOST} more." if len(breaks) > SAID_AT_MOST else ""
        return GateState.FAILED, " ".join(each.sentence for each in breaks[:SAID_AT_MOST]) + more
    if verdict.inconclusive:
        return GateState.INCONCLUSIVE, next(each.sentence for each in verdict.findings if each.undecided)
    return GateState.PASSED, f"{len(verdict.findings)} changes, none breaks anybody" if verdict.findings else ""


def exported(service: str, version: Version) -> Contracts:
    """Runs the version's own code, in a process of its own, which connects to nothing."""
    project = _project(service)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "slipway_chassis", "contracts", "export", service, "--to", folder]
        if version.source:
            command = ["/usr/bin/env", f"PYTHONPATH={version.source}", *command]
        try:
            done = subprocess.run(
                [*command, *(["--project", str(project)] if project else [])],
                capture_output=True, text=True, check=False, timeout=EXPORT_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LocalRuntimeError(f"{version.label} did not tell its contracts within {EXPORT_SECONDS} s") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise LocalRuntimeError(
                f"{version.label} can't tell its contracts: {said[-1] if said else 'no reason given'}"
            )
        return Contracts.read(lambda path: (Path(folder) / path).read_bytes())


def _declared(services: Sequence[str]) -> Iterator[Declared]:
    for service in services:
        project = _project(service)
        if project:
            yield from declared_of(service, consumes_of(project))


def _project(service: str) -> Path | None:
    """The pyproject.toml that the package of a service belongs to: src/<service>/ or <service>/ lies beside it."""
    try:
        package = source_of(service, None)
    except LocalRuntimeError:
        return None
    found = (parent / "pyproject.toml" for parent in list(package.parents)[:2])
    return next((each for each in found if each.is_file()), None)
