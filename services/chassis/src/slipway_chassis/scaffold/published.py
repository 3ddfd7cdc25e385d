"""Where a new project finds what Slipway publishes, and which versions fit this one: said here alone."""

import re

from .. import __version__

REGISTRY = "oci://registry.example.org/slipway/charts"  # nobody's: --registry names the real one
COMPONENT = "$CI_SERVER_FQDN/slipway/slipway/service"  # GitLab's name of the component, without its version
UV_VERSION = "0.13.9"  # of the images; the same as in ci/versions.env

_NUMBERS = re.match(r"(\d+)\.(\d+)", __version__)
MAJOR, MINOR = (int(number) for number in _NUMBERS.groups()) if _NUMBERS else (0, 0)
PACKAGES = f">={__version__},<{MAJOR}.{MINOR + 1}"  # before 1.0 a minor may break what the last one promised
LIBRARY = f"{MAJOR}.{MINOR}.0"
