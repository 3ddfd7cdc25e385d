#!/usr/bin/env bash
# Lets the version that waits have the requests, or goes back to one that had them.
# Usage: promote.sh promote|rollback SERVICE NAMESPACE [VERSION]
#   VERSION  hash or label: promoted if it is the one that waits; gone back to (default: the version before)
# KUBE_CONTEXT names the cluster (default: the current context of kubectl).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
case ${1:-} in promote|rollback) ;; *) sed -n '2,5p' "$0"; exit 2 ;; esac
[ -n "${2:-}" ] || die "no service. Say which: make $1 SERVICE=slipway-orders"
[ -n "${3:-}" ] || die "no namespace. Say which: make $1 SERVICE=$2 NAMESPACE=shop"
# None of them is an option, whoever started the job.
[[ $2 =~ ^[a-z0-9][a-z0-9.-]*$ ]] || die "'$2' is no name of a Microservice: lower-case letters, digits, dashes and dots"
[[ $3 =~ ^[a-z0-9][a-z0-9-]*$ ]] || die "'$3' is no name of a namespace: lower-case letters, digits and dashes"
[[ -z ${4:-} || $4 =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ ]] || die "'$4' is no version: its hash, or its label"
# The image kubectl-slipway has both. Elsewhere they are made of this checkout, which takes minutes.
if ! command -v kubectl-slipway >/dev/null || ! command -v kubectl >/dev/null; then
  make -s -C "$REPO" setup
  "$REPO/ci/tools/install.sh" kubectl
  PATH=$("$REPO/ci/tools/install.sh" --path):$REPO/.venv/bin:$PATH
fi
options=(--namespace "$3" --wait)
[ -z "${KUBE_CONTEXT:-}" ] || options+=(--context "$KUBE_CONTEXT")
if [ -n "${4:-}" ]; then
  [ "$1" = promote ] && options+=(--version "$4") || options+=(--to "$4")
fi
exec kubectl slipway "$1" "$2" "${options[@]}"
