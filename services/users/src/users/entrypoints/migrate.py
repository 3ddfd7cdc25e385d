"""The migration Job: brings the schema to this version and ends."""

from slipway_chassis.config import load_or_exit
from slipway_chassis.workers import MigrateSettings, run_migrate


def main() -> None:
    run_migrate("users", load_or_exit(MigrateSettings))


if __name__ == "__main__":
    main()
