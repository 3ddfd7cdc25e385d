# shellcheck shell=bash
# Shared by the scripts under ci/: where caches live, and how progress and failure are told.
# Source it; it changes no directory and runs nothing.
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=versions.env
. "$REPO/ci/versions.env"
CACHE=${SLIPWAY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/slipway}
LOGS=$CACHE/logs
export CLUSTER=${KIND_CLUSTER:-slipway}
mkdir -p "$LOGS"

say() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# to_release VERSION: prints it without its v, as images and charts are named: 1.2.3, or before it 1.2.3-alpha.1, -beta.1, -rc.1.
to_release() {
  local n='(0|[1-9][0-9]*)' # as semver has it: no zero before others
  [[ ${1:-} =~ ^v?($n\.$n\.$n(-(alpha|beta|rc)\.$n)?)$ ]] ||
    die "'${1:-}' is no version to release. Name one: VERSION=v1.2.3, or before it VERSION=v1.2.3-rc.1"
  printf '%s\n' "${BASH_REMATCH[1]}"
}

# python_version VERSION: the same as Python writes it, 1.2.3rc1 (PEP 440).
python_version() { sed -E 's/-alpha\./a/; s/-beta\./b/; s/-rc\./rc/' <<< "$1"; }

# began: where this branch left main; on main itself, the commit before; nothing in a clone of one commit.
began() {
  local found
  found=$(git -C "$REPO" merge-base HEAD origin/main 2>/dev/null || true)
  if [ -z "$found" ] || [ "$found" = "$(git -C "$REPO" rev-parse HEAD)" ]; then
    found=$(git -C "$REPO" rev-parse --verify --quiet HEAD~1 || true)
  fi
  printf '%s\n' "$found"
}

# need COMMAND CURE: stops with the cure when a command is missing.
need() { command -v "$1" >/dev/null 2>&1 || die "'$1' was not found. $2"; }

# system_certificates: prints the file of the authorities that this system trusts; a company's own is among them, which is
# in no list that a tool brings along. Nothing where there is no such file.
system_certificates() {
  local file
  for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    if [ -s "$file" ]; then printf '%s\n' "$file"; return; fi
  done
}

# debian_packages WHY PACKAGE...: installs them where this is Debian and we are root; else stops and names them.
debian_packages() {
  local why=$1; shift
  { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } ||
    die "missing $why: $*. Install it as root (Debian: apt-get install $*)."
  # One at a time: apt does not wait for another one that reads the lists.
  step "install $*" flock "$CACHE/apt.lock" bash -c "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $*"
}

# at_hand COMMIT: prints a name that git knows it by here. A clone may be shallow, and the commit lie behind its end.
at_hand() {
  local known depth=()
  for known in "$1" "origin/$1"; do
    if git -C "$REPO" cat-file -e "$known^{commit}" 2>/dev/null; then printf '%s\n' "$known"; return; fi
  done
  [ "$(git -C "$REPO" rev-parse --is-shallow-repository)" = false ] || depth=(--depth=1)
  git -C "$REPO" fetch -q "${depth[@]}" origin "$1" 2>/dev/null ||
    die "there is no commit $1 here or at origin, and nothing to compare with. Name another: AGAINST=COMMIT"
  git -C "$REPO" rev-parse FETCH_HEAD
}

# compared_with [COMMIT]: prints what to compare with; without one, or with GitLab's zeros for none, where this branch began.
compared_with() {
  local against=${1:-}
  [ -n "${against//0/}" ] || against=$(began)
  [ -z "$against" ] || at_hand "$against"
}

# registry_login REGISTRY PROGRAM...: where somebody says who we are there, else nothing. REGISTRY_USER and
# REGISTRY_PASSWORD say it; GitLab's own registry has variables of that kind.
registry_login() {
  local host=${1%%/*} user=${REGISTRY_USER:-} password=${REGISTRY_PASSWORD:-}; shift
  if [ -z "$user" ] && [ "$host" = "${CI_REGISTRY:-}" ]; then user=${CI_REGISTRY_USER:-} password=${CI_REGISTRY_PASSWORD:-}; fi
  [ -n "$user" ] || return 0
  printf '%s' "$password" | "$@" --username "$user" --password-stdin "$host" >/dev/null ||
    die "$host does not know $user with that password. Check REGISTRY_USER and REGISTRY_PASSWORD"
}

# absent WORDS: whether a registry says by these, through docker or helm, that it has no such thing. Who may not look ("denied:
# repository does not exist or may require 'docker login'") was told nothing, and neither was who did not reach it.
absent() {
  ! grep -qiE 'denied|unauthorized|forbidden' <<< "$1" &&
    grep -qE 'manifest unknown|name unknown|manifest for .* not found|^Error.*: not found$' <<< "$1"
}

# step WHAT COMMAND...: runs a command with its output in a log, shows what is done and how long it
# took, a dot every 15 s so that a long step is seen to be alive, and the end of the log on failure.
step() {
  local what=$1 log start pid slept=0 status=0; shift
  log=$LOGS/$(printf '%s' "$what" | tr -c 'a-zA-Z0-9.\n' '-').log
  start=$(date +%s)
  printf '  %-46s ' "$what" >&2
  ( set -euo pipefail; "$@" ) >"$log" 2>&1 &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2; slept=$((slept + 1))
    [ $((slept % 75)) -eq 0 ] && printf '.' >&2
  done
  wait "$pid" || status=$?
  if [ "$status" -ne 0 ]; then
    printf 'failed after %s s\n' "$(($(date +%s) - start))" >&2
    tail -n 25 "$log" | sed 's/^/    /' >&2
    die "$what: exit $status. The whole log: $log"
  fi
  printf '%s s\n' "$(($(date +%s) - start))" >&2
}
