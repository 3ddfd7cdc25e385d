#!/usr/bin/env bash
# Pushes what `make lock UPGRADE=1` has changed as the branch `updates`, and has GitLab open a merge request for it, whose
# pipeline says whether it holds. Usage: updates.sh TARGET_BRANCH   UPDATES_TOKEN: a token that may push (write_repository)
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"
target=${1:?the branch that the merge request is for}

if git diff --quiet -- '*.lock'; then
  say "every package is the newest one that its requirement allows"
  exit 0
fi
[ -n "${UPDATES_TOKEN:-}" ] || die "UPDATES_TOKEN is not set, so nothing can be pushed. Set it to a project token with write_repository, masked and protected"
git switch -q -C updates
git -c user.name=updates -c user.email=updates@localhost commit -q -m "Lock the newest packages" -- '*.lock'
# By a helper: in an address the token would stand in the list of processes.
# shellcheck disable=SC2016 # expanded by the helper
git -c credential.helper= -c credential.helper='!f() { echo username=updates; echo "password=$UPDATES_TOKEN"; }; f' \
  push -q --force -o merge_request.create -o "merge_request.target=$target" -o merge_request.title="Lock the newest packages" \
  origin updates
say "pushed: the branch updates, with a merge request for $target"
