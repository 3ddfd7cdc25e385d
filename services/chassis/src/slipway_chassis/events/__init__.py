"""Domain events: from the business transaction to another service's database, none lost, none twice.

Sending: ``stream`` (what is published, and its wire form) · ``outbox`` (events as rows of the business
transaction) · ``wakeup`` (wakes relays) · ``relay`` and ``shards`` (outbox to Kafka).
Receiving: ``sources`` (what is consumed) · ``consumer``, ``deferral`` and ``inbox`` (Kafka to a handler,
once per event) · ``dead_letters`` and ``parking`` (what can't be processed) · ``replay`` (its way back).
Both: ``ports`` (the broker as this package sees it) · ``kafka`` (the only package that knows a Kafka
client) · ``tables`` and ``retention`` · ``asyncapi`` (the contract).

The claim, in these words: at-least-once delivery, effectively-once effect per (group, event id).
"""
