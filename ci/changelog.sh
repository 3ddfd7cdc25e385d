#!/usr/bin/env bash
# Writes the entry of a version in CHANGELOG.md to build/release/changelog.md. Usage: changelog.sh v1.2.3 | Unreleased
# A pre-release (v1.2.3-rc.1) without an entry has that of the version it comes before, or what is unreleased.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
VERSION=${1#v}
TARGET=$REPO/build/release/changelog.md
mkdir -p "$(dirname "$TARGET")"

entry() { awk -v wanted="## [$VERSION]" 'index($0, "## [") == 1 {on = index($0, wanted) == 1; next} on' "$REPO/CHANGELOG.md" >"$TARGET"; }
entry
# Right after a release nothing is unreleased: the newest version says what there is.
if [ "$VERSION" = Unreleased ] && grep -q '^## \[Unreleased\]' "$REPO/CHANGELOG.md" && ! grep -q '^- ' "$TARGET"; then
  VERSION=$(sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' "$REPO/CHANGELOG.md" | head -1)
  entry
fi
if [[ $VERSION = *-* ]]; then
  asked=$VERSION
  for VERSION in "$asked" "${asked%%-*}" Unreleased; do
    entry
    if grep -q '^- ' "$TARGET"; then break; fi
  done
  VERSION=$asked
fi
grep -q '^- ' "$TARGET" || die "CHANGELOG.md has no entry for $VERSION: write what changed under '## [$VERSION]'"
say "the entry of $VERSION is in ${TARGET#"$REPO"/}"
