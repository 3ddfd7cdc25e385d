"""The chassis of a Slipway service.

Where to look: ``config`` (environment to settings), ``database`` (engine, transactions, migrations),
``http`` (Flask application, problems, health, gunicorn), ``events`` (outbox, relay, inbox, consumer,
dead letters), ``telemetry`` (logs, metrics), ``lifecycle`` (waiting and stopping), ``embedded``
(PostgreSQL and Kafka as child processes, for laptops and tests), ``cli`` (the ``slipway`` command).
"""

__version__ = "0.1.0"
