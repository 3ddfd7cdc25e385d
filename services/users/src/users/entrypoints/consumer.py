"""The consumer process: other services' events to this service's database."""

from slipway_chassis.config import load
from slipway_chassis.workers import WorkerSettings, run_consumer

from ..bootstrap import CONSUMED_TOPICS, prepare, reactions


def main() -> None:
    prepare()
    run_consumer("users", load(WorkerSettings), topics=CONSUMED_TOPICS, reactions=reactions())


if __name__ == "__main__":
    main()
