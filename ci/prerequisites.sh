#!/usr/bin/env bash
# What only the system has, and tests use: installed where this is Debian and we are root, else named in one sentence with
# what is skipped without it. All else brings itself along: make setup, ci/tools.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

packages=() skipped=()
want() { command -v "$1" >/dev/null 2>&1 || { packages+=("$2"); skipped+=("$3"); }; }
want make make "everything"
want git git "everything"
want rsync rsync "jobs of the pipeline that are run here"
want curl curl "docs/adopt.md, followed as it is written"
PATH=$PATH:/usr/sbin want pgbouncer pgbouncer "a pooler before PostgreSQL"
want chromium chromium "pages in a browser"
want chromedriver chromium-driver "pages in a browser"
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  debian_packages "for the tests" "${packages[@]}"
else
  say "missing: ${packages[*]}; without them these tests are skipped: $(printf '%s\n' "${skipped[@]}" | sort -u | paste -sd, | sed 's/,/, /g'). On Debian: sudo apt-get install ${packages[*]}"
fi
