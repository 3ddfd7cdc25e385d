#!/usr/bin/env bash
# Writes the entry of a version in CHANGELOG.md to build/release/changelog.md. Usage: changelog.sh v1.2.3 | Unreleased
# Unreleased may be empty, as it is right after a release.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
VERSION=${1#v}
TARGET=$REPO/build/release/changelog.md
mkdir -p "$(dirname "$TARGET")"

awk -v wanted="## [$VERSION]" 'index($0, "## [") == 1 {on = index($0, wanted) == 1; next} on' "$REPO/CHANGELOG.md" >"$TARGET"
grep -q '^- ' "$TARGET" || [ "$VERSION" = Unreleased ] || die "CHANGELOG.md has no entry for $VERSION: write what changed under '## [$VERSION]'"
say "the entry of $VERSION is in ${TARGET#"$REPO"/}"
