"""The chassis of a Slipway service.

Where to look: ``service`` (a service in one call) · ``config`` (environment to settings) · ``database``
(engine, transactions, migrations) · ``http`` · ``auth`` (tokens and scopes) · ``events`` (outbox, relay,
inbox, consumer, dead letters) · ``resilience`` (breaker, retry, bulkhead) · ``deadline`` · ``grpc`` ·
``telemetry`` (logs, metrics, traces, health) · ``processes`` (what ``slipway run`` starts) and ``lifecycle``
(how processes wait and stop) · ``embedded`` (PostgreSQL and Kafka as child processes) · ``testing`` · ``cli`` (the
``slipway`` command). What a service promises, as files: the package slipway_contracts.
"""

__version__ = "0.2.0"
