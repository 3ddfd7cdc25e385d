#!/usr/bin/env bash
# uv of .venv, which takes packages from where the reader's pip takes them, and trusts the system's certificates.
# Usage: uv.sh ARGUMENTS...
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"

# What pip was told, by the environment or files of its own, uv is told as well, unless it was told otherwise.
while IFS='=' read -r name value; do
  [ -n "${!name:-}" ] || export "$name=$value"
done < <(.venv/bin/pip config list | .venv/bin/python ci/pip_settings.py)
[ -z "$(system_certificates)" ] || export UV_SYSTEM_CERTS=true
export UV_BUILD_CONSTRAINT=$REPO/ci/wheels/packages.lock # what builds packages is pinned too
exec .venv/bin/uv "$@"
