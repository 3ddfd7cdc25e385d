#!/usr/bin/env bash
# Writes kafka-jars.lock from kafka-pom.xml: what a Kafka broker consists of, by coordinates and SHA-256. Needs Maven,
# which whoever runs a broker does not need. Usage: kafka-jars.sh
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need mvn "Install Maven (Debian: apt-get install maven): it finds out what Kafka depends on."
cd "$REPO/services/chassis/src/slipway_chassis/embedded"

jars=$(mktemp -d)
trap 'rm -rf "$jars"' EXIT
step "resolve kafka-pom.xml" mvn -q -B -f kafka-pom.xml org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
  -DincludeScope=runtime -Dmdep.useRepositoryLayout=true -DoutputDirectory="$jars"
{
  echo "# What kafka-pom.xml resolves to: group:artifact:version SHA-256. Written by ci/kafka-jars.sh"
  # group/of/it/artifact/version/artifact-version.jar
  (cd "$jars" && find . -name '*.jar' | LC_ALL=C sort | while read -r jar; do
    version=$(dirname "$jar"); artifact=$(dirname "$version"); group=$(dirname "$artifact")
    printf '%s:%s:%s %s\n' "$(tr / . <<<"${group#./}")" "${artifact##*/}" "${version##*/}" "$(sha256sum "$jar" | cut -d' ' -f1)"
  done)
} >kafka-jars.lock
