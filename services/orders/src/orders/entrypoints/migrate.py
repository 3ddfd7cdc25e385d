"""The migration Job: brings the schema to this version and ends."""

from slipway_chassis.config import load
from slipway_chassis.workers import MigrateSettings, run_migrate


def main() -> None:
    run_migrate("orders", load(MigrateSettings))


if __name__ == "__main__":
    main()
