from slipway_chassis.database import run_migrations

run_migrations()
