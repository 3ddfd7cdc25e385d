"""What comes in from outside: ``grpc`` (the API), ``events`` (other services' events) and ``timers``.

``slipway run inventory PROCESS`` starts one of the processes: grpc, relay, consumer, worker, migrate.
"""
