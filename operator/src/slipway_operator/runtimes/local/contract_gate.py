"""The contract gate on one machine: what the code of a version promises, exported by that code itself.

The verdict is that of the operator and of CI (docs/contracts.md). What other services declared to rely on stands in the
pyproject.toml beside their packages.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from slipway_contracts import Contracts, Declared, ReadsEvent, Shown, judge
from slipway_contracts.bundle import CONSUMES, pretty
from slipway_contracts.consumes import consumes_of, declared_of
from slipway_contracts.errors import ContractsError, DeclarationError, UnreadableContracts
from slipway_contracts.readers import read_types

from ...errors import LocalRuntimeError
from ...planning.observed import GateState
from .versions import Version, source_of

EXPORT_SECONDS = 60

Result = tuple[GateState, str]
Versioned = tuple[str, Version]  # the name of a service and one of its versions


class Exports:
    """The contracts of the versions of one release, exported side by side and ahead of the question: an export takes
    a process and a second or two, in which the candidate's own processes start.
    """

    def __init__(self) -> None:
        self._attempt = -1
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="export")
        self._begun: dict[tuple[str, str], Future[Shown]] = {}

    def has_begun(self, attempt: int) -> bool:
        return attempt == self._attempt

    def begin(self, attempt: int, wanted: Sequence[Versioned]) -> None:
        """Once in each attempt, however often it is called: files may have been mended before the next one."""
        if not self.has_begun(attempt):
            self._attempt, self._begun = attempt, {}
        for service, version in wanted:
            if (service, version.hash) not in self._begun:
                self._begun[service, version.hash] = self._pool.submit(exported, service, version)

    def of(self, service: str, version: Version) -> Shown:
        """Waits for it."""
        begun = self._begun.get((service, version.hash))
        return begun.result() if begun else exported(service, version)

    @staticmethod
    def declared(service: str) -> Shown:
        """What the pyproject.toml beside its package says that it relies on, and nothing else."""
        return _declaring(service)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def wanted(service: str, versions: Sequence[Version], others: Mapping[str, Version]) -> list[Versioned]:
    """What ``compared`` will ask for: versions of the service itself, and of those it relies on."""
    return [*((service, each) for each in versions), *((name, others[name]) for name in _providers(service, others))]


def compared(
    exports: Exports,
    service: str,
    active: Version | None,
    candidate: Version,
    others: Mapping[str, Version],
    *,
    allow_breaking: bool = False,
) -> Result:
    """``others``: the versions of the other services. Nobody counts calls here."""
    old = exports.of(service, active) if active and active.hash != candidate.hash else None
    new = exports.of(service, candidate)
    whole = others.keys() if _reads_more_than_it_says(new) else _relied_on(new) & others.keys()
    # Of the rest their declaration is enough: whether they rely on this service.
    shown = {name: exports.of(name, each) if name in whole else exports.declared(name) for name, each in others.items()}
    verdict = judge(old, new, shown, None, allow_breaking=allow_breaking)
    return GateState(verdict.result.value), verdict.message


def _relied_on(shown: Shown) -> set[str]:
    return {declared.service for declared in _declared(shown)}


def _reads_more_than_it_says(shown: Shown) -> bool:
    """Then it is not known whose events they are."""
    said = {one.type for one in _declared(shown) if isinstance(one, ReadsEvent)}
    return isinstance(shown, Contracts) and bool(read_types(shown) - said)


def _declared(shown: Shown) -> Sequence[Declared]:
    try:
        return shown.consumes if isinstance(shown, Contracts) else ()
    except ContractsError:  # the judge says what is wrong with it
        return ()


def _providers(service: str, others: Mapping[str, Version]) -> set[str]:
    try:
        return {declared.service for declared in declared_of(service, _consumes(service))} & others.keys()
    except DeclarationError:
        return set()  # the candidate's own export says what is wrong


def _declaring(service: str) -> Shown:
    try:
        return Contracts(service, {CONSUMES: pretty(_consumes(service))})
    except DeclarationError as error:
        return UnreadableContracts(str(error))


def _consumes(service: str) -> Mapping[str, object]:
    project = _project(service)
    return consumes_of(project) if project else {}


def exported(service: str, version: Version) -> Shown:
    """Runs the version's own code, in a process of its own, which connects to nothing."""
    try:
        return _exported(service, version)
    except UnreadableContracts as error:
        return error


def _exported(service: str, version: Version) -> Contracts:
    if version.command:
        raise UnreadableContracts(f"{version.label} has a command of its own, which tells no contracts")
    project = _project(version.module or service)
    with tempfile.TemporaryDirectory() as folder:
        module = version.module or service
        command = [sys.executable, "-m", "slipway_chassis", "contracts", "export", module, "--to", folder]
        if version.source:
            command = ["/usr/bin/env", f"PYTHONPATH={version.source}", *command]
        try:
            done = subprocess.run(
                [*command, *(["--project", str(project)] if project else [])],
                capture_output=True, text=True, check=False, timeout=EXPORT_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UnreadableContracts(f"{version.label} did not tell its contracts within {EXPORT_SECONDS} s") from None
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise UnreadableContracts(
                f"{version.label} can't tell its contracts: {said[-1] if said else 'no reason given'}"
            )
        return Contracts.read(lambda path: (Path(folder) / path).read_bytes())


def _project(service: str) -> Path | None:
    """The pyproject.toml that the package of a service belongs to: src/<service>/ or <service>/ lies beside it."""
    try:
        package = source_of(service, None)
    except LocalRuntimeError:
        return None
    found = (parent / "pyproject.toml" for parent in list(package.parents)[:2])
    return next((each for each in found if each.is_file()), None)
