#!/usr/bin/env bash
# Installs or upgrades the platform on the kind cluster. Usage: deploy.sh [--fresh] [HELM OPTIONS...]
#   --fresh   remove the namespace first, with all that an earlier release left in it
# For services that the operator releases: --values charts/platform/ci/managed-values.yaml
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
NAMESPACE=${NAMESPACE:-shop}
CONTEXT=kind-$CLUSTER

kubectl --context "$CONTEXT" get --raw /readyz >/dev/null 2>&1 || die "the cluster $CLUSTER does not answer. Create it first: make kind-up"
options=(--values "$REPO/charts/platform/ci/kind-values.yaml" --set "global.imageTag=$("$REPO/ci/images.sh" tag)")
if [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
  eval "$("$REPO/ci/airgap/build.sh" --names)"
  options+=(--set "postgresql.image=$POSTGRESQL_IMAGE" --set "kafka.image=$KAFKA_IMAGE")
fi
namespace() {
  kubectl --context "$CONTEXT" create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl --context "$CONTEXT" apply -f -
  # Everything we ship runs under the restricted Pod Security Standard; the cluster enforces it.
  kubectl --context "$CONTEXT" label namespace "$NAMESPACE" pod-security.kubernetes.io/enforce=restricted --overwrite
}
if [ "${1:-}" = --fresh ]; then
  shift
  step "remove the old namespace $NAMESPACE" kubectl --context "$CONTEXT" delete namespace "$NAMESPACE" --ignore-not-found --timeout=120s
fi
step "namespace $NAMESPACE" namespace
# Helm takes an object only when its definition is there, so those come first, whoever brings the operator.
step "definitions of the operator" kubectl --context "$CONTEXT" apply --server-side --force-conflicts -f "$REPO/k8s/crds"
step "helm upgrade --install slipway" helm --kube-context "$CONTEXT" -n "$NAMESPACE" upgrade --install slipway \
  "$REPO/charts/platform" "${options[@]}" --wait --wait-for-jobs --timeout 5m "$@"
