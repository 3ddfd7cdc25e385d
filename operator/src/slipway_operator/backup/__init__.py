"""Backup and restore of what ``slipway up`` runs, and of services in a cluster: databases, offsets, releases and
secrets, in one folder each time.

``manifest`` (what a backup consists of; pure) · ``rows`` (how rows of tables are compared; pure) · ``folder`` (how it
gets into a folder as a whole, or not at all) · ``sealing`` (secrets under a passphrase) · ``shop`` (what runs here) ·
``databases`` (pg_dump, pg_restore and scratch databases) · ``creating``, ``verifying``, ``restoring`` (with
``progress``), ``gap`` · ``pod`` (one service of a cluster) · ``cli``, ``pod_cli``, ``telling``.
"""
