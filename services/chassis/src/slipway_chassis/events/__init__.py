"""Domain events: from the business transaction to another service's database, none lost, none twice.

``stream`` (what is published and consumed, and its wire form) · ``outbox`` (events as rows of the
business transaction) · ``relay`` (outbox to Kafka) · ``inbox`` and ``consumer`` (Kafka to a handler,
once per event) · ``dead_letters`` (what can't be processed) · ``ports`` (the broker as this package
sees it) · ``kafka`` (the only module that knows a Kafka client) · ``tables`` (outbox and inbox).

The claim, in these words: at-least-once delivery, effectively-once effect per (group, event id).
"""
