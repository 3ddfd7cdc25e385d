"""``python -m slipway_operator``: the operator's process in a cluster."""

import asyncio
import sys

from slipway_chassis.config import load_or_exit
from slipway_chassis.telemetry.logs import configure_logs

from .errors import KubernetesError

try:
    from .runtimes.kubernetes.process.operator import run
    from .runtimes.kubernetes.process.settings import OperatorSettings
except ModuleNotFoundError as lacking:
    package = (lacking.name or "").partition(".")[0]
    sys.exit(f"error: the package {package} is missing: pip install 'slipway-operator[kubernetes]'")


def main() -> None:
    settings = load_or_exit(OperatorSettings)
    configure_logs("slipway-operator", process="operator", version=settings.service_version, level=settings.log_level)
    try:
        asyncio.run(run(settings))
    except* KubernetesError as errors:  # the parts of the process run together, and may fail together
        sys.exit(f"error: {'; '.join(str(error) for error in errors.exceptions)}")


if __name__ == "__main__":
    main()
