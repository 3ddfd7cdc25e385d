#!/usr/bin/env bash
# Installs or upgrades the platform on the kind cluster, or on that of KUBE_CONTEXT.
# Usage: deploy.sh [--fresh] [--managed] [HELM OPTIONS...]
#   --fresh   remove the namespace first, with all that an earlier release left in it
#   --managed the operator releases the services: charts/platform/ci/managed-values.yaml
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
NAMESPACE=${NAMESPACE:-shop}
CONTEXT=${KUBE_CONTEXT:-kind-$CLUSTER}

kubectl --context "$CONTEXT" get --raw /readyz >/dev/null 2>&1 || die "the cluster ${CONTEXT#kind-} does not answer. Create it first: make kind-up"
options=(--values "$REPO/charts/platform/ci/kind-values.yaml" --set "global.imageTag=$("$REPO/ci/images.sh" tag)")
# On kind without an image registry the databases' images are built here as well.
if [[ $CONTEXT = kind-* ]] && [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
  eval "$("$REPO/ci/airgap/build.sh" --names)"
  options+=(--set "dev-databases.postgresql.image=$POSTGRESQL_IMAGE" --set "dev-databases.kafka.image=$KAFKA_IMAGE")
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
managed=
if [ "${1:-}" = --managed ]; then
  shift
  managed=yes
  options+=(--values "$REPO/charts/platform/ci/managed-values.yaml")
  # Helm takes an object only when its definition is there, so those come first.
  step "definitions of the operator" kubectl --context "$CONTEXT" apply --server-side --force-conflicts -f "$REPO/k8s/crds"
fi
# What is installed is the package, as users get it, and nothing beside it.
step "package the platform's chart" helm package "$REPO/charts/platform" --destination "$REPO/build/charts"
chart=$REPO/build/charts/platform-$(sed -n 's/^version: //p' "$REPO/charts/platform/Chart.yaml").tgz
step "helm upgrade --install slipway" helm --kube-context "$CONTEXT" -n "$NAMESPACE" upgrade --install slipway \
  "$chart" "${options[@]}" --wait --wait-for-jobs --timeout 5m "$@"
# Helm 3 waits for no custom resource.
[ -z "$managed" ] || step "releases" kubectl --context "$CONTEXT" -n "$NAMESPACE" wait --for=condition=Ready microservices --all --timeout=10m
