#!/usr/bin/env bash
# Brings up a Docker engine where none answers: Debian's docker.io, started here, data in its usual root.
# Idempotent. An engine that is there already is used as it is.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)

answers() { docker info >/dev/null 2>&1; }
# One that is named is started by somebody else, beside this job as a rule, and need not be there yet.
await_named() { for _ in $(seq 60); do ! answers || return 0; sleep 1; done; return 1; }

answers && exit 0
if [ -n "${DOCKER_HOST:-}" ] && command -v docker >/dev/null 2>&1; then
  await_named || die "no Docker engine answers at $DOCKER_HOST (DOCKER_HOST). Start it, or unset the variable"
  exit 0
fi
[ "$(id -u)" = 0 ] || die "no Docker engine answers, and starting one needs root. Start Docker, or run this as root."
if ! command -v dockerd >/dev/null 2>&1; then
  need apt-get "Install Docker for your system: https://docs.docker.com/engine/install"
  debian_packages "to build and run containers" docker.io
  if [ -n "${DOCKER_HOST:-}" ] && await_named; then exit 0; fi
  answers && exit 0 # a socket of the host's engine was there, and only the client was missing
fi
[ -z "${DOCKER_HOST:-}" ] || die "no Docker engine answers at $DOCKER_HOST (DOCKER_HOST). Start it, or unset the variable"

options=()
# Bit 24 is CAP_SYS_RESOURCE. Sandboxes without it fail every privileged container, so the runtime is
# wrapped by one that does not ask for it.
bounding=$(awk '/CapBnd/{print $2}' /proc/self/status)
if [ $(((16#$bounding >> 24) & 1)) -eq 0 ]; then
  command -v jq >/dev/null || debian_packages "to run containers without CAP_SYS_RESOURCE" jq
  options=(--add-runtime "slipway=$HERE/runc-without-sys-resource" --default-runtime slipway)
fi

# A pid file left by a killed engine stops the next one when its number was given to another process.
for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
  [ -f "$file" ] || continue
  name=$(cat "/proc/$(cat "$file")/comm" 2>/dev/null || true)
  case $name in dockerd|containerd) ;; *) rm -f "$file" ;; esac
done

start_engine() {
  # At usual priority, whoever starts it: containers have that of their engine.
  local back=$((-$(nice))); [ $back -le 0 ] || back=0
  setsid nohup nice -n "$back" dockerd "${options[@]}" >"$LOGS/dockerd.log" 2>&1 </dev/null &
  local engine=$!
  for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && return 0
    kill -0 "$engine" 2>/dev/null || break
    sleep 0.5
  done
  tail -n 15 "$LOGS/dockerd.log"
  return 1
}
step "start dockerd" start_engine
