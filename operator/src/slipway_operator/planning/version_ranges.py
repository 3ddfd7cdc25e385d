"""Version ranges of a ReleasePlan: ``1.4.2`` is that version alone, ``>=1.4, <2`` is a range as in PEP 440."""

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

_COMPARED = re.compile(r"^[<>=!~]")
# Between two bounds there is one of these, written behind the lower one, if there is anything at all.
_A_LITTLE_MORE = ("", ".1", ".0.1", ".0.0.1", ".0.0.0.1")


def fits(label: str, wanted: str) -> bool:
    """A version that is no number (``dev-1a2b``) is in no range; it can be wanted by its name."""
    if not _COMPARED.match(wanted):
        return label == wanted
    specifiers = _specifiers(wanted)
    try:
        return specifiers is not None and specifiers.contains(Version(label), prereleases=True)
    except InvalidVersion:
        return False


def impossible(wanted: str) -> bool:
    """Whether no version can be in this range: ``>=2, <1``."""
    if not _COMPARED.match(wanted):
        return False
    specifiers = _specifiers(wanted)
    if specifiers is None:
        return True
    bounds = ["0", "99999", *(each.version.removesuffix(".*") for each in specifiers)]
    bounds += [Version(bound).base_version for bound in bounds]
    return not any(fits(bound + more, wanted) for bound in bounds for more in _A_LITTLE_MORE)


def _specifiers(wanted: str) -> SpecifierSet | None:
    parts = re.sub(r"([<>=!~]) ", r"\1", wanted.replace(",", " ")).split()
    try:
        return SpecifierSet(",".join(parts))
    except InvalidSpecifier:
        return None
