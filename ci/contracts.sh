#!/usr/bin/env bash
# Compares the services' contracts with those of an earlier commit, and with their consumers. Usage: contracts.sh [COMMIT]
# Default: where this branch left main; on main itself, the commit before.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"

against=$(compared_with "${1:-}")
if [ -z "$against" ]; then
  echo "contracts: this clone has one commit and nothing to compare with: comparing with itself" >&2
  against=.
fi
.venv/bin/slipway contracts check --against "$against"
