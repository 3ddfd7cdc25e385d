"""The relay process: this service's outbox to Kafka."""

from slipway_chassis.config import load_or_exit
from slipway_chassis.workers import WorkerSettings, run_relay

from ..bootstrap import STREAMS


def main() -> None:
    run_relay("orders", load_or_exit(WorkerSettings), list(STREAMS.values()))


if __name__ == "__main__":
    main()
