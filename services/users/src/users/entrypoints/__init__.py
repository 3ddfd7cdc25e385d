"""What comes in from outside: ``http`` (routes), ``oauth`` (sign-in and tokens), ``events`` (other
services' events), ``timers`` and ``cli``.

``slipway run users PROCESS`` starts one of the processes: http, relay, consumer, worker, migrate.
"""
