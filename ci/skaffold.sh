#!/usr/bin/env bash
# Calls skaffold for the kind cluster with what skaffold.yaml takes from the environment. Usage: skaffold.sh COMMAND...
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
[ $# -gt 0 ] || { sed -n '2p' "$0"; exit 2; }
"$REPO/ci/tools/install.sh" helm kubectl kind skaffold
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
cd "$REPO"

if [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
  eval "$("$REPO/ci/airgap/build.sh" --names)"
  export POSTGRESQL_IMAGE KAFKA_IMAGE
  case $1 in dev|run|debug|deploy) "$REPO/ci/images.sh" load-databases ;; esac # no node can pull them
fi
case $1 in dev|debug) set -- "$@" --watch-poll-interval=200 ;; esac # milliseconds that a saved file waits for others
case $1 in
  dev|run|debug|deploy|render) make -s -C "$REPO" charts ;; # skaffold looks for them only in the repository of each
esac
TAG=$("$REPO/ci/images.sh" tag)
export PYTHON_IMAGE TAG SKAFFOLD_UPDATE_CHECK=false SKAFFOLD_INTERACTIVE=false
mkdir -p build
case $1 in
  dev|run|debug|deploy|apply|verify|delete) # of this cluster alone: verify has no option for it
    KUBECONFIG=$REPO/build/kubeconfig-$CLUSTER
    export KUBECONFIG
    kind export kubeconfig -q --name "$CLUSTER" --kubeconfig "$KUBECONFIG" ;;
esac
if [ "$1" = verify ]; then # which images these are, only a build tells; what is built already costs nothing
  shift
  skaffold build "$@" --quiet --file-output build/skaffold.json >/dev/null
  set -- verify "$@" --build-artifacts build/skaffold.json
fi
exec skaffold "$@"
