#!/usr/bin/env bash
# The kind cluster of this project. Usage: kind.sh up | down | mode | name
#   up     stock kind where Docker can pull its node image; else the node image of ci/airgap
#   mode   print "stock" or "airgap"
# SLIPWAY_AIRGAP=always|never overrides the choice, KIND_CLUSTER the name (default: slipway), and KIND_GATEWAY_PORT
# the port of this machine that the gateway has (default: 30080; 0: any free one, for a second cluster).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
CONTEXT=kind-$CLUSTER
kube() { kubectl --context "$CONTEXT" "$@"; }

can_pull() { docker info >/dev/null 2>&1 && { docker image inspect "$1" >/dev/null 2>&1 || timeout 300 docker pull -q "$1" >/dev/null 2>&1; }; }
mode() {
  case ${SLIPWAY_AIRGAP:-auto} in
    always) echo airgap ;;
    never) echo stock ;;
    *) if can_pull "kindest/node:v$KIND_NODE_VERSION"; then echo stock; else echo airgap; fi ;;
  esac
}

healthy() { timeout 20 kubectl --context "$CONTEXT" get --raw /readyz >/dev/null 2>&1; }
# retry SECONDS COMMAND...: a fresh API server resets a connection now and then
retry() { local end=$((SECONDS + $1)); shift; until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 1; done; }
cluster_ready() {
  retry 120 kube -n kube-system rollout status deployment/coredns --timeout=60s
  retry 60 kube wait --for=condition=Ready node --all --timeout=60s
}

network_policies() {
  retry 60 kube apply -f "$REPO/ci/airgap/kube-router.yaml"
  kube -n kube-system rollout status daemonset/kube-router --timeout=120s
}

create() {
  sed "s/hostPort: 30080/hostPort: ${KIND_GATEWAY_PORT:-30080}/" "$2" |
    kind create cluster --name "$CLUSTER" --image "$1" --config - --wait 180s
}

metrics_api() {
  local address
  retry 60 kube apply -f "$REPO/ci/airgap/metrics-server.yaml"
  kube -n kube-system rollout status deployment/metrics-server --timeout=120s
  address=$(kube -n kube-system get service metrics-server -o "jsonpath={.spec.clusterIP}")
  retry 60 docker exec "$CLUSTER-control-plane" curl -skf "https://$address/readyz"
  kube apply -f "$REPO/ci/airgap/metrics-apiservice.yaml"
  retry 60 kube top nodes
}

up() {
  local chosen node config
  chosen=$(mode)
  if [ "$chosen" = airgap ]; then
    say "no kind node image can be pulled here: building one from packages (ci/airgap)"
    "$REPO/ci/airgap/build.sh"
    eval "$("$REPO/ci/airgap/build.sh" --names)"
    node=$NODE_IMAGE config=$REPO/k8s/kind/airgap.yaml
  else
    node=kindest/node:v$KIND_NODE_VERSION config=$REPO/k8s/kind/dev.yaml
  fi
  "$REPO/ci/tools/install.sh" kind kubectl helm
  if kind get clusters 2>/dev/null | grep -qx "$CLUSTER"; then
    if healthy; then say "  the cluster $CLUSTER is running"; return; fi
    step "remove the broken cluster $CLUSTER" kind delete cluster --name "$CLUSTER"
  fi
  step "create the cluster $CLUSTER" create "$node" "$config"
  step "wait for its DNS" cluster_ready
  [ "$chosen" = stock ] || step "enforce NetworkPolicies" network_policies
  [ "$chosen" = stock ] || step "install the metrics API" metrics_api
}

down() { step "delete the cluster $CLUSTER" kind delete cluster --name "$CLUSTER"; }

case ${1:-} in
  up) up ;;
  down) down ;;
  mode) mode ;;
  name) echo "$CLUSTER" ;;
  *) sed -n '2,6p' "$0"; exit 2 ;;
esac
