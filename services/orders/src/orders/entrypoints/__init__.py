"""What comes in from outside: ``http`` (routes) and ``events`` (other services' events).

``slipway run orders PROCESS`` starts one of the processes: http, relay, consumer, worker, migrate.
"""
