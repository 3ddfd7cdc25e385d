"""For tests of services: `ask` (a running service over HTTP), `broker` (Kafka in memory)."""
