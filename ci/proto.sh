#!/usr/bin/env bash
# Lints the protobuf files and compares them with an earlier commit. Usage: proto.sh [COMMIT]
# Default: where this branch left main; on main itself, the commit before.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"
"$REPO/ci/tools/install.sh" buf
buf=$("$REPO/ci/tools/install.sh" --path)/buf
"$buf" lint

against=$(compared_with "${1:-}")
if [ -z "$against" ]; then
  echo "protobuf: this clone has one commit and nothing to compare with; name one: make proto AGAINST=COMMIT" >&2
else
  git cat-file -e "$against:buf.yaml" 2>/dev/null || die "$against has no protobuf files to compare with. Name another commit: make proto AGAINST=COMMIT"
  earlier=$(mktemp -d)
  trap 'rm -rf "$earlier"' EXIT
  git archive "$against" buf.yaml services/inventory/proto services/inventory/proto_vendor | tar -x -C "$earlier"
  "$buf" breaking --against "$earlier"
fi
