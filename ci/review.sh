#!/usr/bin/env bash
# An environment for one branch: the platform in a namespace of its own. Usage: review.sh up NAME [REGISTRY] | stop NAME
#   up     install or upgrade it with the images of this checkout, from REGISTRY if one is given. Where that asks who
#          pulls: PULL_USER and PULL_PASSWORD (default: GitLab's deploy token)
#          An Ingress makes it NAME.DOMAIN where REVIEW_BASE says https://DOMAIN. build/review.env gets its address, REVIEW_URL
#   stop   uninstall it and remove the namespace with its data
# KUBE_CONTEXT names the cluster (default: the kind cluster of `make kind-up`).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
CONTEXT=${KUBE_CONTEXT:-kind-$CLUSTER}

[ -n "${2:-}" ] || die "no name. Say which branch it is for: make review NAME=my-branch"
[[ $2 =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] || die "'$2' is no name for an environment: lower-case letters, digits and dashes, 63 at most"
name=$2
# What is long is cut, and told from others by a hash of the whole: a namespace's name has 63 characters at most.
[ ${#name} -le 42 ] || name=${name:0:33}-$(printf '%s' "$name" | sha256sum | cut -c1-8)
NAMESPACE=review-$name # a prefix of its own: stop can remove no other namespace

# The ingress controller ends TLS where the address says so, with a certificate of its own for *.DOMAIN.
URL=http://127.0.0.1:30080 HOST=
if [ -n "${REVIEW_BASE:-}" ]; then
  [[ $REVIEW_BASE =~ ^(https?)://([a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]+)?)$ ]] ||
    die "REVIEW_BASE is '$REVIEW_BASE', and names the domain of review environments: https://review.example.org"
  URL=${BASH_REMATCH[1]}://$name.${BASH_REMATCH[2]} HOST=$name.${BASH_REMATCH[2]%:*}
fi

PULL_USER=${PULL_USER:-${CI_DEPLOY_USER:-}} PULL_PASSWORD=${PULL_PASSWORD:-${CI_DEPLOY_PASSWORD:-}}

# Through pipes: what is on a command line is seen by all of the machine.
pull_secret() {
  kubectl --context "$CONTEXT" create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl --context "$CONTEXT" apply -f -
  USER=$PULL_USER PASSWORD=$PULL_PASSWORD python3 -c 'import json, os, sys
print(json.dumps({"auths": {sys.argv[1]: {"username": os.environ["USER"], "password": os.environ["PASSWORD"]}}}))' "${1%%/*}" |
    kubectl create secret generic registry --type kubernetes.io/dockerconfigjson --from-file .dockerconfigjson=/dev/stdin \
      --dry-run=client -o yaml | kubectl --context "$CONTEXT" -n "$NAMESPACE" apply -f -
}

case $1 in
  up)
    "$REPO/ci/tools/install.sh" helm kubectl
    options=(--set gateway.service.type=ClusterIP --set gateway.service.nodePort=null)
    [ -z "$HOST" ] || options+=(--set "global.auth.issuer=$URL" --set gateway.gateway.listen.trustedHops=1
      --set gateway.ingress.enabled=true --set "gateway.ingress.hostnames[0]=$HOST")
    if [ -n "${3:-}" ]; then
      options+=(--set "global.imageRegistry=$3")
      [ -z "$PULL_USER" ] || { step "secret to pull with" pull_secret "$3"; options+=(--set "global.imagePullSecrets[0].name=registry"); }
    fi
    NAMESPACE=$NAMESPACE KUBE_CONTEXT=$CONTEXT "$REPO/ci/deploy.sh" "${options[@]}"
    mkdir -p "$REPO/build"
    echo "REVIEW_URL=$URL" >"$REPO/build/review.env"
    if [ -n "$HOST" ]; then echo "look at it at $URL"
    else echo "look at it at $URL: kubectl --context $CONTEXT -n $NAMESPACE port-forward service/slipway-gateway 30080:80"; fi ;;
  stop)
    "$REPO/ci/tools/install.sh" helm kubectl
    step "uninstall slipway from $NAMESPACE" helm --kube-context "$CONTEXT" -n "$NAMESPACE" uninstall slipway --ignore-not-found --wait
    step "remove the namespace $NAMESPACE" kubectl --context "$CONTEXT" delete namespace "$NAMESPACE" --ignore-not-found --timeout=120s ;;
  *) sed -n '2,7p' "$0"; exit 2 ;;
esac
