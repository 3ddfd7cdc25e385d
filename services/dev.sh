#!/bin/sh
# What the dev image runs: dev.sh PROCESS. Sources are copied to where `skaffold dev` puts what was edited.
set -eu
cp -r /sources /tmp/sources
export PYTHONPATH=/tmp/sources
if [ "${1:-http}" = migrate ]; then exec slipway run "$SERVICE" migrate; fi
if [ -n "${DEBUGPY:-}" ]; then
  exec python -m debugpy --listen 0.0.0.0:5678 -m slipway_chassis run "$SERVICE" "${1:-http}"
fi
exec watchfiles --filter python --sigint-timeout 3 "slipway run $SERVICE ${1:-http}" /tmp/sources
