"""What comes in from outside: ``http`` (routes) and ``events`` (other services' events).

``slipway run users PROCESS`` starts one of the processes: http, relay, consumer, migrate.
"""
