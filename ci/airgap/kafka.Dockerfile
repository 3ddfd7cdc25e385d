# Kafka for development clusters where the official image can't be had: the same jars as on the laptop,
# at the paths the official image has.
ARG JAVA_IMAGE
FROM ${JAVA_IMAGE}
COPY libs/ /opt/kafka/libs/
COPY kafka-log4j2.yaml /opt/kafka/config/log4j2.yaml
COPY bin/ /opt/kafka/bin/
RUN chmod 755 /opt/kafka/bin/* && groupadd -g 1000 appuser && useradd -u 1000 -g 1000 -M appuser
USER 1000:1000
