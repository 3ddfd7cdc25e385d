#!/usr/bin/env bash
# Asks OSV (https://osv.dev) for known vulnerabilities of every locked package, as pip-audit does; ends with 1 where there is
# one, and where nobody could be asked. Usage: vulnerabilities.sh [--osv-url URL] [--ignore-vuln ID]...
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"

audit=build/pip-audit
if ! cmp -s ci/wheels/pip-audit.lock "$audit/lock"; then
  .venv/bin/python -m venv --clear "$audit"
  ci/uv.sh pip install -q --python "$audit/bin/python" --require-hashes -r ci/wheels/pip-audit.lock
  cp ci/wheels/pip-audit.lock "$audit/lock"
fi
said=$audit/said
for lock in requirements.lock ci/wheels/*.lock; do
  say "$lock"
  # Strict: what can't be asked about is a failure, else a service that is away would look like no vulnerability.
  if ! "$audit/bin/pip-audit" --strict --vulnerability-service osv --progress-spinner off --disable-pip --require-hashes \
      -r "$lock" "$@" 2>"$said"; then
    ! grep -q '^Traceback' "$said" || die "OSV could not be asked, so nothing is known: $(tail -n 1 "$said")"
    cat "$said" >&2
    exit 1
  fi
  cat "$said" >&2
done
