"""How an artifact of a registry is named: ``oci://host:port/team/orders-contracts:v1``, or by digest."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from .errors import UnreadableContracts

SCHEME = "oci://"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# The grammar of names and tags is that of the OCI distribution specification 1.1.
_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?")
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """``version``: a tag or a digest."""

    host: str
    name: str
    version: str

    @classmethod
    def of(cls, place: str) -> "Reference":
        """Raises UnreadableContracts with the form of a right one.

        >>> Reference.of("oci://registry.example:5000/shop/orders:v1").version
        'v1'
        """
        host, _, rest = place.removeprefix(SCHEME).partition("/")
        name, at, digest = rest.partition("@")
        named, _, tag = name.rpartition(":") if ":" in name else (name, "", "latest")
        version = digest if at else tag
        right = _is_host(host) and bool(_NAME.fullmatch(named)) and len(named) <= MAX_NAME
        if not right or not (DIGEST.fullmatch(version) if at else _TAG.fullmatch(version)):
            form = "oci://host/name:tag or oci://host/name@sha256:..., in small letters"
            raise UnreadableContracts(f"{place} is no address of an artifact: write {form}")
        return cls(host, named, version)

    @property
    def by_digest(self) -> bool:
        return DIGEST.fullmatch(self.version) is not None

    @property
    def base(self) -> str:
        """TLS, except where nobody can listen: on this machine."""
        return f"{'http' if is_loopback(self.host) else 'https'}://{self.host}/v2/{self.name}"

    def __str__(self) -> str:
        return f"{SCHEME}{self.host}/{self.name}{'@' if self.by_digest else ':'}{self.version}"


def _is_host(text: str) -> bool:
    if not _HOST.fullmatch(text):
        return False
    try:
        url = urlsplit(f"https://{text}")  # which knows what stands in brackets, and how large a port is
        return bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """With or without a port.

    >>> is_loopback("localhost:5000"), is_loopback("[::1]:5000"), is_loopback("127.0.0.1.example")
    (True, True, False)
    """
    name = re.sub(r":[0-9]+$", "", host).strip("[]")
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
