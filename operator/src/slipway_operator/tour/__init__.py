"""``slipway tour``: a pattern at work, taken away by a release, the same again, and put back by a rollback.

``lesson``, ``relations``, ``measuring`` and ``table`` are pure; ``customers``, ``load``, ``faults``, ``shop`` and
``running`` act on a running ``slipway up``. It knows the laptop's runtime alone, and is in no image.
"""
