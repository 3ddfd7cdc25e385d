"""Who a caller is, by the names of its certificate; apart from what calls, which needs to read none."""

import functools
from collections.abc import Iterable

from cryptography import x509


@functools.lru_cache(maxsize=256)
def names_of(certificate: bytes) -> tuple[str, ...]:
    """The names of a peer's certificate (DER): those of DNS, and URIs (SPIFFE); of none or an unreadable one, none."""
    try:
        found = x509.load_der_x509_certificate(certificate).extensions
        alternatives = found.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return ()
    kinds = (x509.DNSName, x509.UniformResourceIdentifier)
    return tuple(str(each.value) for each in alternatives if isinstance(each, kinds))


def refusal(names: Iterable[str], callers: frozenset[str]) -> str:
    """Why who has a certificate with these names may not call; empty where they may."""
    names = sorted(set(names))
    if not callers or callers.intersection(names):
        return ""
    shown = ", ".join(names)[:500] or "no name"
    return f"The certificate of the caller says {shown}, which is not among TLS_CALLERS."
