#!/usr/bin/env bash
# Installs what a bare Debian machine lacks for `make test` and `make e2e`; says what it can't install.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

packages=()
want() { command -v "$1" >/dev/null 2>&1 || packages+=("$2"); }
want make make
want git git
want jq jq
want java default-jre-headless
want mvn maven
want npm npm
want rsync rsync
want chromium chromium
want chromedriver chromium-driver
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
if [ ${#packages[@]} -gt 0 ]; then
  { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; } || die "missing: ${packages[*]}. Install these packages."
  step "install ${packages[*]}" bash -c "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq ${packages[*]}"
fi
need python3 "Install Python 3.11 or newer."
need go "Install Go 1.24 or newer: the pinned tools are built from Go modules."
