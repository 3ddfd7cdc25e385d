"""For tests of services: ``plugin`` (pytest fixtures: PostgreSQL, Kafka, issuer), ``issuer`` (tokens),
``broker`` (Kafka in memory), ``clock`` (time that a test moves), ``ask`` (a running service over HTTP).
"""
