"""Where a new project finds what Slipway publishes, and which versions fit this one: said here alone."""

import re

from .. import __version__

REGISTRY = "oci://registry.example.org/slipway/charts"  # nobody's: --registry names the real one
COMPONENT = "$CI_SERVER_FQDN/slipway/slipway/service"  # GitLab's name of the component, without its version
UV_VERSION = "0.13.9"  # of the images; the same as in ci/versions.env

_EARLY = {"a": "alpha", "b": "beta", "rc": "rc"}
# As charts, images and tags write this version: 1.2.3-rc.1 where Python has 1.2.3rc1 (PEP 440).
TAG = re.sub(r"(a|b|rc)(\d+)$", lambda found: f"-{_EARLY[found[1]]}.{found[2]}", __version__)
_NUMBERS = re.match(r"(\d+)\.(\d+)", __version__)
MAJOR, MINOR = (int(number) for number in _NUMBERS.groups()) if _NUMBERS else (0, 0)
PACKAGES = f">={__version__},<{MAJOR}.{MINOR + 1}"  # before 1.0 a minor may break what the last one promised
LIBRARY = TAG if "-" in TAG else f"{MAJOR}.{MINOR}.0"  # Helm's ranges take a pre-release where they begin with one
