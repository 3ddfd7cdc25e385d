"""Contracts of other repositories: what their services promise and rely on, as folders, by URL, by git, or as artifacts
of a registry.

A folder is a service's contracts, or holds those of several: ``orders/index.json``, ``orders/contracts/index.json`` or
``services/orders/contracts/index.json``. A URL is one service's: where its ``index.json`` lies, such as ``/contracts``
of an admin port. ``oci://host/name:tag`` is one service's as well: see ``oci_artifact``. A repository has them where
``slipway-contracts check`` looks in one: see ``remote_repository``.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from .bounded_read import read_within
from .bundle import INDEX, MAX_FILE_BYTES, Contracts
from .config import RegistryLogin
from .errors import RegistryError, UnreadableContracts
from .oci_artifact import pulled
from .oci_reference import SCHEME, Reference
from .remote_repository import at_remote, is_repository
from .tree import FOLDER, reading
from .watched import Watch, pool_of

SECONDS = 30.0  # for all files of one service
ANSWER_SECONDS = 10.0
NOBODY = RegistryLogin()


def others_of(
    places: Iterable[str], login: RegistryLogin = NOBODY, *, seconds: float = SECONDS
) -> dict[str, Contracts]:
    """By service; ``login``: to a registry of artifacts; ``seconds``: for all files of a URL. Raises
    UnreadableContracts where nothing is there, or two places hold one service.
    """
    listed = list(places)
    _require_one_host(listed, login)
    found: dict[str, Contracts] = {}
    for place in listed:
        for contracts in _at(place, login, seconds):
            if contracts.service in found:
                raise UnreadableContracts(f"{place} has contracts of {contracts.service} as an earlier place has")
            found[contracts.service] = contracts
    return found


def _require_one_host(places: Iterable[str], login: RegistryLogin) -> None:
    """Nobody is told the password of another one."""
    hosts = sorted({Reference.of(place).host for place in places if place.startswith(SCHEME)})
    if login and not login.host and len(hosts) > 1:
        raise RegistryError(f"{' and '.join(hosts[:3])} are named, and one login: set REGISTRY_HOST to whose it is")


def _at(place: str, login: RegistryLogin, seconds: float) -> list[Contracts]:
    if place.startswith(SCHEME):
        return [pulled(place, login)]
    if is_repository(place):
        return _by_git(place)
    return _by_url(place, seconds) if "://" in place else _in_folder(Path(place))


def _by_git(place: str) -> list[Contracts]:
    there = list(at_remote(place).values())
    if not there:
        raise UnreadableContracts(
            f"there are no contracts in {place}: no {FOLDER}/{INDEX}, services/*/{FOLDER}/{INDEX}"
        )
    for each in there:
        if isinstance(each, UnreadableContracts):
            raise UnreadableContracts(f"contracts in {place} can't be read: {each}")
    return [each for each in there if isinstance(each, Contracts)]


def _in_folder(folder: Path) -> list[Contracts]:
    forms = INDEX, f"*/{INDEX}", f"*/{FOLDER}/{INDEX}", f"services/*/{FOLDER}/{INDEX}"
    try:
        indexes = [index for form in forms for index in folder.glob(form)]
    except OSError as error:
        raise UnreadableContracts(f"{str(folder)[:200]} can't be read: {error.strerror}") from None
    if not indexes:
        raise UnreadableContracts(
            f"there are no contracts in {folder}: no {INDEX}, */{INDEX}, */{FOLDER}/{INDEX}, "
            f"services/*/{FOLDER}/{INDEX}"
        )
    return [Contracts.read(reading(each.parent), where=f"{each.parent}/") for each in sorted(indexes)]


def _by_url(url: str, seconds: float) -> list[Contracts]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UnreadableContracts(f"{url[:200]} is no address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UnreadableContracts(
            f"{url} is no address of contracts: name a folder, http(s)://host/path, "
            "oci://host/name:tag, or git+URL#COMMIT"
        )
    base = url.rstrip("/")
    # Who asks us to come back in an hour is told as the answer that it is.
    retries = urllib3.Retry(2, redirect=2, respect_retry_after_header=False)
    with Watch(seconds) as watch, pool_of(watch, seconds=min(ANSWER_SECONDS, seconds), retries=retries) as pool:
        return [Contracts.read(_fetching(pool, base, watch, seconds), where=f"{base}/")]


def _fetching(pool: urllib3.PoolManager, base: str, watch: Watch, seconds: float) -> Callable[[str], bytes]:
    def fetch(path: str) -> bytes:
        try:
            answer = pool.request("GET", f"{base}/{path}", preload_content=False)
            if answer.status != 200:  # noqa: PLR2004
                raise UnreadableContracts(f"{base}/{path} can't be read: the answer was {answer.status}")
            content = read_within(answer, most=MAX_FILE_BYTES + 1, seconds=watch.left)
        except (HTTPError, TimeoutError, ValueError) as error:  # ValueError: sent on to what is no address
            if watch.left <= 0:
                raise UnreadableContracts(f"{base} has not answered everything within {seconds:g} s") from None
            raise UnreadableContracts(f"{base}/{path} can't be read: {error}") from None
        answer.release_conn()
        return content

    return fetch
