#!/usr/bin/env bash
# Runs the shop with docker compose. Usage: compose.sh up | down | COMMAND OF COMPOSE...
#   up     build the images, make secrets the first time, start everything and wait until it is healthy
#   down   stop it and remove its data
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
FOLDER=$REPO/.compose # not in build: secrets must live as long as the volumes they opened
export PORT=${PORT:-8080}

# The plugin, the old command, or the same built from its Go module.
compose() {
  if docker compose version >/dev/null 2>&1; then docker compose -p "${PROJECT:-slipway}" --env-file "$FOLDER/env" "$@"
  else
    "$REPO/ci/tools/install.sh" docker-compose
    "$("$REPO/ci/tools/install.sh" --path)/docker-compose" -p "${PROJECT:-slipway}" --env-file "$FOLDER/env" "$@"
  fi
}

random() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
fernet() { head -c 32 /dev/urandom | base64 | tr '+/' '-_'; }
secret() { [ -s "$FOLDER/secrets/$1" ] || { "${2:-random}" | tr -d '\n' >"$FOLDER/secrets/$1"; chmod 444 "$FOLDER/secrets/$1"; }; cat "$FOLDER/secrets/$1"; }

prepare() {
  mkdir -p "$FOLDER/secrets" "$FOLDER/settings"
  chmod 700 "$FOLDER"
  secret password >/dev/null
  {
    echo "TAG=$("$REPO/ci/images.sh" tag)"
    for service in users orders inventory; do echo "${service^^}_PASSWORD=$(secret $service-password)"; done
    echo "SIGNING_KEYS_SECRET=$(secret signing-keys fernet)"
    echo "SESSION_SECRET=$(secret session fernet)"
    if [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
      "$REPO/ci/airgap/build.sh" --names | grep -E '^(POSTGRESQL|KAFKA)_IMAGE='
    fi
  } >"$FOLDER/env"
  # The gateway's settings are the platform's; names of services have no release before them here.
  sed -e "s|{{ tpl .Values.global.auth.issuer . }}|http://127.0.0.1:$PORT|" -e 's|{{ .Release.Name }}-||' \
    "$REPO/charts/platform/values.yaml" >"$FOLDER/settings/gateway.yaml"
  cp "$REPO/charts/platform/files/inventory.binpb" "$FOLDER/settings/"
  chmod 755 "$FOLDER/settings" "$FOLDER/secrets"
}

cd "$REPO"
case ${1:-} in
  up)
    "$REPO/ci/images.sh" build
    prepare
    step "start the shop with compose" compose up --detach --wait --wait-timeout 540 --remove-orphans
    echo "the gateway is at http://127.0.0.1:$PORT; ci/compose.sh down stops everything and removes the data" ;;
  down)
    prepare
    step "stop the shop and remove its data" compose down --volumes --remove-orphans ;;
  '') sed -n '2,4p' "$0"; exit 2 ;;
  *) compose "$@" ;;
esac
