"""How often a password may be tried: soon enough for people who mistype, and too slow for guessing.

Whoever guesses waits, and nobody else: the narrow limit is of an address as one client's network tries it. A wide one,
for guesses from many networks, is passed by devices on which the user has signed in before.

>>> [limit.free_attempts for limit in limits("ada@example.org", "192.0.2.7", known_device=True)]
[5]
>>> [pause(failed, free=5).total_seconds() for failed in (4, 5, 6, 7, 100)]
[0.0, 2.0, 4.0, 8.0, 900.0]
"""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=15)
IPV6_NETWORK = 64  # who has IPv6 has so much at least


@dataclass(frozen=True, slots=True)
class Limit:
    """``subject`` is whose attempts are counted together; a success forgets them all where they are ``of_one_owner``,
    and half of them where others may be among them.
    """

    subject: str
    free_attempts: int
    of_one_owner: bool = False


def limits(email: str, client: str, *, known_device: bool) -> list[Limit]:
    """``client`` is an IP address, or whatever stands for one. All of them must hold."""
    network = network_of(client)
    narrow = Limit(f"{email} from {network}", 5, of_one_owner=True)
    return [narrow] if known_device else [narrow, Limit(email, 50)]


def network_of(client: str) -> str:
    """What one client may take addresses from.

    >>> network_of("2001:db8::7"), network_of("192.0.2.7"), network_of("pod")
    ('2001:db8::', '192.0.2.7', 'pod')
    """
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:  # noqa: PLR2004 # of the protocol
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_NETWORK), strict=False).network_address)


def pause(failed: int, *, free: int) -> timedelta:
    """How long the next attempt has to wait after the last one."""
    if failed < free:
        return timedelta(0)
    return min(FIRST_PAUSE * (1 << min(failed - free, 20)), LONGEST_PAUSE)
