"""What comes in from outside: ``http`` (the JSON API), ``pages`` (the shop), ``accounts`` (sign-in, sign-up),
``live`` (server-sent events); behind them ``visit`` (the session of a request) and ``parts``.

``slipway run storefront http`` starts it.
"""
