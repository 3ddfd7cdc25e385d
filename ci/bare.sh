#!/usr/bin/env bash
# Runs a script on a bare machine: a root file system with Python, git and make and nothing else, in a fresh clone of what
# is committed here, as an ordinary user. What a reader would miss is missed here. Needs root on Debian.
# Usage: bare.sh [--as root] [SCRIPT]   (default: a shell)
#   --as root   the script's user; root may install packages
# Downloads of Python, Go and Node.js packages are kept from run to run; nothing that was built or installed is.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

USER_NAME=reader
if [ "${1:-}" = --as ]; then USER_NAME=$2; shift 2; fi
SCRIPT=${1:-exec bash}
{ [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; } || die "a bare machine is made from Debian's packages, as root"
command -v mmdebstrap >/dev/null || debian_packages "to make a root file system" mmdebstrap

PACKAGES=python3,git,make,ca-certificates
[ "$USER_NAME" = root ] || PACKAGES+=,python3-venv # who is not root has an administrator who installed it
ARCHIVE=$CACHE/bare/$DEBIAN_SUITE-$(printf '%s' "$PACKAGES" | sha256sum | cut -c1-12).tar
mkdir -p "$CACHE/bare"
if [ ! -e "$ARCHIVE" ]; then
  step "root file system of a bare machine" mmdebstrap --quiet --variant=minbase --include="$PACKAGES" "$DEBIAN_SUITE" "$ARCHIVE.new.tar"
  mv "$ARCHIVE.new.tar" "$ARCHIVE"
fi

# Of runs that were killed; who runs holds a lock.
for left in "$CACHE"/bare/root.*.lock; do
  [ ! -e "$left" ] || flock -n "$left" rm -rf --one-file-system "${left%.lock}" "$left" || true
done
ROOT=$(mktemp -d "$CACHE/bare/root.XXXXXX")
chmod 755 "$ROOT"
exec 7>"$ROOT.lock"
flock 7
# The mounts are the inner process's own and go with it; should one be left, nothing below is touched.
trap 'rm -rf --one-file-system "$ROOT" "$ROOT.lock"' EXIT
tar -xf "$ARCHIVE" -C "$ROOT" --exclude=./dev
HOME_INSIDE=/root
[ "$USER_NAME" = root ] || HOME_INSIDE=/home/$USER_NAME
[ "$USER_NAME" = root ] || chroot "$ROOT" useradd --create-home --uid 1000 --shell /bin/bash "$USER_NAME"

# How this machine reaches registries: its resolver, its authorities, its proxies and mirrors.
cp -L /etc/resolv.conf /etc/hosts "$ROOT/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$ROOT/etc/ssl/certs/"
for file in .npmrc .config/go/env .config/pip/pip.conf .m2/settings.xml; do
  if [ -e "$HOME/$file" ]; then install -D -m 644 "$HOME/$file" "$ROOT$HOME_INSIDE/$file"; fi
done
[ ! -e /etc/pip.conf ] || cp -L /etc/pip.conf "$ROOT/etc/"
environment=(HOME="$HOME_INSIDE" USER="$USER_NAME" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8)
for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY GOPROXY GONOSUMDB GOFLAGS GOSUMDB PIP_INDEX_URL CI; do
  if [ -n "${!name:-}" ]; then environment+=("$name=${!name}"); fi
done

git clone -q "$REPO" "$ROOT$HOME_INSIDE/slipway"
CACHES=(.cache/uv .cache/go-build .npm go/pkg/mod)
for folder in "${CACHES[@]}"; do mkdir -p "$CACHE/bare/downloads-$USER_NAME/$folder" "$ROOT$HOME_INSIDE/$folder"; done
chroot "$ROOT" chown -R "$USER_NAME" "$HOME_INSIDE"
chown -R "$(stat -c %u "$ROOT$HOME_INSIDE")" "$CACHE/bare/downloads-$USER_NAME"

inside() {
  local folder
  mkdir -p "$ROOT/dev"
  mount --rbind /dev "$ROOT/dev"
  mount -t proc proc "$ROOT/proc"
  mount --rbind /sys "$ROOT/sys"
  for folder in "${CACHES[@]}"; do mount --bind "$CACHE/bare/downloads-$USER_NAME/$folder" "$ROOT$HOME_INSIDE/$folder"; done
  exec chroot --userspec="$USER_NAME" "$ROOT" /usr/bin/env -i "${environment[@]}" bash -euc "cd $HOME_INSIDE/slipway && $SCRIPT"
}
export -f inside
export ROOT HOME_INSIDE CACHE SCRIPT USER_NAME
# Processes of its own, which end with the script, whatever it left running.
unshare --mount --pid --fork --kill-child bash -euc "$(declare -p CACHES environment); inside" 7>&- <&0 &
INSIDE=$!
trap 'kill "$INSIDE" 2>/dev/null; exit 143' TERM INT
wait "$INSIDE"
