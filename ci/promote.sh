#!/usr/bin/env bash
# Lets the version that waits have the requests. Usage: promote.sh SERVICE NAMESPACE
# KUBE_CONTEXT names the cluster (default: the current context of kubectl).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
[ -n "${1:-}" ] || die "no service. Say which: make promote SERVICE=orders"
[ -n "${2:-}" ] || die "no namespace. Say which: make promote SERVICE=$1 NAMESPACE=shop"
PATH=$("$REPO/ci/tools/install.sh" --path):$REPO/.venv/bin:$PATH
"$REPO/ci/tools/install.sh" kubectl
options=(--namespace "$2")
[ -z "${KUBE_CONTEXT:-}" ] || options+=(--context "$KUBE_CONTEXT")
exec kubectl slipway promote "$1" "${options[@]}" --wait
