#!/bin/sh
# One Kafka for development, its data in /data. ADVERTISED is how clients reach it: host:port.
set -eu
if [ ! -f /data/log/meta.properties ]; then
  /opt/kafka/bin/kafka-storage.sh format --cluster-id="$(/opt/kafka/bin/kafka-storage.sh random-uuid)" -c /start/server.properties
fi
exec /opt/kafka/bin/kafka-server-start.sh /start/server.properties --override "advertised.listeners=PLAINTEXT://$ADVERTISED"
