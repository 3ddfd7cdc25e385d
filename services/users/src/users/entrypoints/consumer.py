"""The consumer process: other services' events to this service's database."""

from slipway_chassis.config import load_or_exit
from slipway_chassis.workers import WorkerSettings, run_consumer

from ..bootstrap import CONSUMED_TOPICS, prepare, reactions


def main() -> None:
    prepare()
    run_consumer("users", load_or_exit(WorkerSettings), topics=CONSUMED_TOPICS, reactions=reactions())


if __name__ == "__main__":
    main()
