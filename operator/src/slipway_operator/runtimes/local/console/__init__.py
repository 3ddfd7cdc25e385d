"""The console's facts on a laptop: files of releases, processes, databases, broker, logs, each a source of its own.

``serving`` puts them together for ``slipway up``; ``cli`` is ``slipway console``.
"""
