#!/usr/bin/env bash
# Writes what a kind cluster knows about a failure to a folder. Usage: diagnose.sh FOLDER
# It never fails: it runs after a job that did. Values of Secrets are not among what it writes.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
FOLDER=${1:?a folder}/cluster
mkdir -p "$FOLDER"
kube() { timeout 60 kubectl --context "kind-$CLUSTER" "$@"; }

kube get all,endpointslices,persistentvolumeclaims -A -o wide >"$FOLDER/objects.txt" 2>&1
kube get microservices,serviceversions -A -o yaml >"$FOLDER/releases.yaml" 2>&1
kube get events -A --sort-by=.lastTimestamp >"$FOLDER/events.txt" 2>&1
kube describe pods -A >"$FOLDER/pods.txt" 2>&1
kube get pods -A --no-headers -o custom-columns=N:.metadata.namespace,P:.metadata.name 2>/dev/null |
  while read -r namespace pod; do
    kube -n "$namespace" logs "$pod" --all-containers --tail=500 --prefix </dev/null >"$FOLDER/$namespace.$pod.log" 2>&1
    kube -n "$namespace" logs "$pod" --all-containers --tail=500 --previous </dev/null >"$FOLDER/$namespace.$pod.previous.log" 2>/dev/null ||
      rm -f "$FOLDER/$namespace.$pod.previous.log"
  done
say "what the cluster $CLUSTER says is in $FOLDER"
exit 0
