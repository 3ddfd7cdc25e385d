"""Backup and restore of what ``slipway up`` runs, and of services in a cluster: databases, offsets, releases and
secrets, in one folder each time.

``manifest`` (what a backup consists of; pure) · ``rows`` (how rows of tables are compared; pure) · ``folder`` (how it
gets into a folder as a whole, or not at all) · ``sealing`` (secrets under a passphrase) · ``shop`` (what runs here) ·
``databases`` (what is dumped, and restored beside; by ``connections`` and ``programs``) · ``creating``, ``verifying``,
``restoring`` (with ``progress``), ``gap`` · ``pod`` (one service of a cluster, whose database is restored in place by
``refilling``, with ``emptying`` and ``listing``, after ``trying``) · ``config`` · ``cli``, ``pod_cli``, ``telling``.
"""
