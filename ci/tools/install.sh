#!/usr/bin/env bash
# Builds the pinned tools from their Go modules (two from npm), so that any machine that reaches a module proxy
# has the same ones; Go and Node.js come from a wheel where the machine lacks them (toolchain.sh). Usage: install.sh [--path] [TOOL...]   (default: the tools of the Makefile)
#   --path   print the folder that holds them and stop; the folder's name changes with the pins
# A tool that is there already costs nothing; an interrupted build is taken up again.
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

BIN=$CACHE/tools/bin-$(sha256sum "$REPO/ci/versions.env" | cut -c1-8)
[ "${1:-}" != --path ] || { printf '%s\n' "$BIN"; exit 0; }
[ $# -gt 0 ] || set -- helm kubeconform kind kubectl skaffold
export GOFLAGS="-buildvcs=false -mod=mod" GOTOOLCHAIN=local CGO_ENABLED=0
export GOGC=400 # a compiler lives for a second or two: seldom collecting saves a quarter of its time

# A module that builds as it is published: published MODULE@VERSION PACKAGE [LDFLAGS]
published() { GOBIN=$OUT go install -trimpath -ldflags "-s -w ${*:3}" "$2@${1#*@}"; }

# A module whose go.mod has replace or exclude lines can't be built with package@version: Go ignores
# those lines of a dependency. So a module of our own repeats them.
# own_module MODULE VERSION
own_module() {
  mkdir -p "$WORK"; cd "$WORK"; rm -f ./*
  printf 'module slipway.dev/tools\ngo 1.24.0\nrequire %s v%s\n' "$1" "$2" > go.mod
  go list -m -f '{{.GoMod}}' "$1@v$2" | xargs cat > upstream.mod
}
build() { go build -trimpath -ldflags "$1" -o "$OUT/" "$2"; }
import_only() { { printf '//go:build tools\npackage tools\nimport (\n'; printf ' _ "%s"\n' "$@"; echo ')'; } > tools.go; go mod tidy -e; }

# Without these helm would take every cluster it can't ask for Kubernetes 1.20.
helm_defaults() {
  local package minor=${KUBERNETES_VERSION#1.}
  for package in chartutil lint/rules; do
    printf -- '-X helm.sh/helm/v3/pkg/%s.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/%s.k8sVersionMinor=%s ' $package $package "${minor%.*}"
  done
}

# Helm 4 beside Helm 3: the charts have to work with both.
build_helm4() {
  published "helm.sh/helm/v4@v$HELM4_VERSION" helm.sh/helm/v4/cmd/helm \
    -X "helm.sh/helm/v4/internal/version.version=v$HELM4_VERSION"
  mv "$OUT/helm" "$OUT/helm4"
}

build_skaffold() {
  own_module github.com/GoogleContainerTools/skaffold/v2 "$SKAFFOLD_VERSION"
  awk '/^(replace|exclude) \(/{p=1} p{print} /^\)/{p=0}' upstream.mod >> go.mod
  grep -E '^(replace|exclude) [^(]' upstream.mod >> go.mod || true
  import_only github.com/GoogleContainerTools/skaffold/v2/cmd/skaffold
  build "-s -w -X github.com/GoogleContainerTools/skaffold/v2/pkg/skaffold/version.version=v$SKAFFOLD_VERSION" \
    github.com/GoogleContainerTools/skaffold/v2/cmd/skaffold
}

build_docker_compose() {
  own_module github.com/docker/compose/v2 "$DOCKER_COMPOSE_VERSION"
  awk '/^(replace|exclude) \(/{p=1} p{print} /^\)/{p=0}' upstream.mod >> go.mod
  grep -E '^(replace|exclude) [^(]' upstream.mod >> go.mod || true
  import_only github.com/docker/compose/v2/cmd
  go build -trimpath -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=v$DOCKER_COMPOSE_VERSION" \
    -o "$OUT/docker-compose" github.com/docker/compose/v2/cmd
}

# A program from npm with a lock of its own, which has hashes and no addresses.
from_npm() {
  local node; node=$("$REPO/ci/tools/toolchain.sh" node)
  cp "$REPO/ci/tools/$1"/package*.json "$OUT/"
  NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$(system_certificates)} PATH=$node:$PATH npm ci --prefix "$OUT" --ignore-scripts --no-audit --no-fund
  # shellcheck disable=SC2016 # expanded when the tool is called
  printf '#!/bin/sh\nPATH="%s:$PATH" exec "%s" "$@"\n' "$node" "$OUT/node_modules/.bin/$1" >"$OUT/$1"
  chmod +x "$OUT/$1"
}

# With the manifests that its module carries beside it.
build_argo_rollouts() {
  local module=github.com/argoproj/argo-rollouts
  own_module "$module" "$ARGO_ROLLOUTS_VERSION"
  awk '/^(replace|exclude) \(/{p=1} p{print} /^\)/{p=0}' upstream.mod >> go.mod
  grep -E '^(replace|exclude) [^(]' upstream.mod >> go.mod || true
  import_only $module/cmd/rollouts-controller
  go build -trimpath -ldflags "-s -w" -o "$OUT/argo-rollouts" $module/cmd/rollouts-controller
  cp -f "$(go list -m -f '{{.Dir}}' "$module")/manifests/install.yaml" "$OUT/argo-rollouts.yaml"
  chmod u+w "$OUT/argo-rollouts.yaml"
}

# With the definitions of its kinds beside it.
build_cert_manager() {
  local module=github.com/cert-manager/cert-manager
  own_module "$module" "$CERT_MANAGER_VERSION"
  cp "$REPO/ci/tools/cert-manager/main.go" .
  go mod tidy
  go build -trimpath -ldflags "-s -w" -o "$OUT/cert-manager" .
  mkdir -p "$OUT/crds"
  cp -f "$(go list -m -f '{{.Dir}}' "$module")"/deploy/crds/cert-manager.io_*.yaml "$OUT/crds/"
  chmod -R u+w "$OUT/crds"
}

# build_prometheus prometheus|promtool [BUILD-TAG]: targets are found by files and in Kubernetes (promtool finds none), so the
# discovery of forty clouds is left out. The module has no built pages: its API answers, and / does not.
build_prometheus() {
  local module=github.com/prometheus/prometheus
  own_module "$module" "$PROMETHEUS_VERSION"
  awk '/^(replace|exclude) \(/{p=1} p{print} /^\)/{p=0}' upstream.mod >> go.mod
  grep -E '^(replace|exclude) [^(]' upstream.mod >> go.mod || true
  import_only "$module/cmd/$1"
  go build -trimpath -tags "remove_all_sd,${2:-}" -ldflags "-s -w -X github.com/prometheus/common/version.Version=$PROMETHEUS_VERSION" -o "$OUT/$1" "$module/cmd/$1"
}

# Its receivers for Kafka ask for a former module of sarama by a replace line.
build_jaeger() {
  own_module github.com/jaegertracing/jaeger "$JAEGER_VERSION"
  grep -E '^replace [^(]' upstream.mod >> go.mod
  import_only github.com/jaegertracing/jaeger/cmd/jaeger
  go build -trimpath -ldflags "-s -w" -o "$OUT/jaeger" github.com/jaegertracing/jaeger/cmd/jaeger
}

# Debian has it built (of the series before), which tests of releases are content with; elsewhere minutes are spent.
build_registry() {
  if command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
    mkdir -p "$WORK"; cd "$WORK"; rm -f ./*.deb
    apt-get download -q docker-registry || { apt-get update -qq; apt-get download -q docker-registry; }
    dpkg -x docker-registry_*.deb "$OUT/package"
    ln -sf package/usr/bin/docker-registry "$OUT/registry"
  else
    published "github.com/distribution/distribution/v3@v$REGISTRY_VERSION" github.com/distribution/distribution/v3/cmd/registry
  fi
}

build_etcd() {
  own_module go.etcd.io/etcd/server/v3 "$ETCD_VERSION"
  cat > main.go <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
  go mod tidy; go build -trimpath -ldflags "-s -w" -o "$OUT/etcd" .
}

# Kubernetes replaces its staging modules by paths inside its own repository; published, the same
# code is k8s.io/<module>@v0.<minor>.<patch>.
build_kubernetes() {
  local v=k8s.io/component-base/version minor=${KUBERNETES_VERSION#1.}
  WORK=$CACHE/tools/work/kubernetes
  mkdir -p "${WORK%/*}"
  exec 8>"$WORK.lock"; ! command -v flock >/dev/null || flock 8 # seven tools are built there
  if [ ! -e "$WORK/.ready-$KUBERNETES_VERSION" ]; then
    own_module k8s.io/kubernetes "$KUBERNETES_VERSION"
    grep -oE '^\s*k8s.io/[a-z0-9-]+ => ' upstream.mod | awk '{print $1}' | sort -u | while read -r m; do
      go mod edit -replace="$m=$m@v0.$minor"
    done
    import_only k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kube-proxy,kubelet,kubeadm,kubectl}
    touch "$WORK/.ready-$KUBERNETES_VERSION"
  fi
  cd "$WORK"
  build "-s -w -X $v.gitVersion=v$KUBERNETES_VERSION -X $v.gitMajor=1 -X $v.gitMinor=${minor%.*} -X $v.gitTreeState=clean -X $v.gitCommit=0000000000000000000000000000000000000000 -X $v.buildDate=2026-01-01T00:00:00Z" \
    "k8s.io/kubernetes/cmd/$1"
}

# tool NAME: "version command..." of each tool this script can build
recipe() {
  case $1 in
    helm) echo "$HELM_VERSION published helm.sh/helm/v3@v$HELM_VERSION helm.sh/helm/v3/cmd/helm $(helm_defaults)" ;;
    helm4) echo "$HELM4_VERSION build_helm4" ;;
    kubeconform) echo "$KUBECONFORM_VERSION published github.com/yannh/kubeconform@v$KUBECONFORM_VERSION github.com/yannh/kubeconform/cmd/kubeconform" ;;
    kind) echo "$KIND_VERSION published sigs.k8s.io/kind@v$KIND_VERSION sigs.k8s.io/kind" ;;
    coredns) echo "$COREDNS_VERSION published github.com/coredns/coredns@v$COREDNS_VERSION github.com/coredns/coredns" ;;
    local-path-provisioner) echo "$LOCAL_PATH_PROVISIONER_VERSION published github.com/rancher/local-path-provisioner@v$LOCAL_PATH_PROVISIONER_VERSION github.com/rancher/local-path-provisioner" ;;
    metrics-server) echo "$METRICS_SERVER_VERSION published sigs.k8s.io/metrics-server@v$METRICS_SERVER_VERSION sigs.k8s.io/metrics-server/cmd/metrics-server" ;;
    kube-router) echo "$KUBE_ROUTER_VERSION published github.com/cloudnativelabs/kube-router/v2@v$KUBE_ROUTER_VERSION github.com/cloudnativelabs/kube-router/v2/cmd/kube-router" ;;
    buf|gitlab-ci-local) echo "$(sed -n "s/.*\"$1\": \"\(.*\)\".*/\1/p; s|.*\"@bufbuild/$1\": \"\(.*\)\".*|\1|p" "$REPO/ci/tools/$1/package.json" | head -1) from_npm $1" ;;
    docker-compose) echo "$DOCKER_COMPOSE_VERSION build_docker_compose" ;;
    cert-manager) echo "$CERT_MANAGER_VERSION build_cert_manager" ;;
    argo-rollouts) echo "$ARGO_ROLLOUTS_VERSION build_argo_rollouts" ;;
    skaffold) echo "$SKAFFOLD_VERSION build_skaffold" ;;
    promtool) echo "$PROMETHEUS_VERSION build_prometheus promtool" ;;
    prometheus) echo "$PROMETHEUS_VERSION build_prometheus prometheus enable_kubernetes_sd" ;;
    alertmanager) echo "$ALERTMANAGER_VERSION published github.com/prometheus/alertmanager@v$ALERTMANAGER_VERSION github.com/prometheus/alertmanager/cmd/alertmanager" ;;
    victoria-logs) echo "$VICTORIA_LOGS_VERSION published github.com/VictoriaMetrics/VictoriaLogs@v$VICTORIA_LOGS_VERSION github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs" ;;
    jaeger) echo "$JAEGER_VERSION build_jaeger" ;;
    oasdiff) echo "$OASDIFF_VERSION published github.com/oasdiff/oasdiff@v$OASDIFF_VERSION github.com/oasdiff/oasdiff" ;;
    krew) echo "$KREW_VERSION published sigs.k8s.io/krew@v$KREW_VERSION sigs.k8s.io/krew/cmd/krew" ;;
    registry) echo "$REGISTRY_VERSION build_registry" ;;
    etcd) echo "$ETCD_VERSION build_etcd" ;;
    kubectl|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|kubelet|kubeadm) echo "$KUBERNETES_VERSION build_kubernetes $1" ;;
    *) die "no recipe for the tool '$1'" ;;
  esac
}

mkdir -p "$BIN"
for tool in "$@"; do
  read -r version command <<< "$(recipe "$tool")"
  [ -n "$version" ] || exit 1
  OUT=$CACHE/tools/$tool-$version-$(printf '%s' "$command" | sha256sum | cut -c1-6) WORK=$CACHE/tools/work/$tool
  mkdir -p "${OUT%/*}"
  exec 9>"$OUT.lock"; ! command -v flock >/dev/null || flock 9 # two may want a tool at the same time: one builds it
  if [ ! -x "$OUT/$tool" ]; then
    [[ $command = from_npm* ]] || PATH=$("$REPO/ci/tools/toolchain.sh" go):$PATH
    mkdir -p "$OUT"
    # shellcheck disable=SC2086 # a recipe is words
    step "build $tool $version" $command
  fi
  exec 9>&-
  ln -sfn "$OUT/$tool" "$BIN/$tool"
done
