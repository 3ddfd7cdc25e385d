#!/usr/bin/env bash
# The images of the services, of the gateway, of the operator, of backups and of kubectl slipway. The tag is a hash of what they are
# made of: what did not change is neither built nor loaded. Usage:
#   images.sh build | load | tag          load: into the kind cluster, what charts run
#   images.sh load-databases              PostgreSQL's and Kafka's alone, where no registry has them
#   images.sh push REGISTRY               build and push what the registry lacks; build/images.txt gets the digests
#   images.sh pull REGISTRY               what was pushed, by these digests where they are known, to be loaded
#   images.sh release VERSION REGISTRY    push as VERSION; build/release gets digests and the parts of each (CycloneDX)
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
IN_CHARTS=(gateway operator backup) # and each service has one
for root in "$REPO"/services/*/src/*/bootstrap.py; do IN_CHARTS+=("$(basename "$(dirname "$root")")"); done
IMAGES=("${IN_CHARTS[@]}" kubectl-slipway)

# Names and contents of all that a build can copy.
sources() {
  cd "$REPO"
  find requirements.lock ci/wheels/uv.lock ci/wheels/packages.lock ci/versions.env .dockerignore services operator -type f \
    ! -path '*/__pycache__/*' ! -path '*.egg-info/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}

# What images lie on, where no registry has it: half an hour at the first time, in which sources may change. So their hash
# is taken afterwards.
bases() {
  [ "$("$REPO/ci/kind.sh" mode)" = airgap ] || return 0
  export DOCKER_BUILDKIT=0
  "$REPO/ci/airgap/build.sh"
  eval "$("$REPO/ci/airgap/build.sh" --names)"
}
KUBECTL_IMAGE=registry.k8s.io/kubectl:v$KUBERNETES_VERSION
name_them() { TAG=dev-$(sources | sha256sum | cut -c1-12); }

build() {
  local how base=(--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE")
  for name in "${IMAGES[@]}"; do
    docker image inspect "slipway/$name:$TAG" >/dev/null 2>&1 && continue
    if [ "$name" = gateway ]; then how=(-f "$REPO/services/gateway/Dockerfile")
    elif [ "$name" = operator ]; then how=(-f "$REPO/operator/Dockerfile")
    elif [ "$name" = backup ]; then how=(-f "$REPO/operator/backup.Dockerfile")
    elif [ "$name" = kubectl-slipway ]; then how=(-f "$REPO/operator/kubectl-slipway.Dockerfile" --build-arg "KUBECTL_IMAGE=$KUBECTL_IMAGE")
    else how=(-f "$REPO/services/Dockerfile" --build-arg "SERVICE=$name"); fi
    step "build slipway/$name:$TAG" docker build "${base[@]}" \
      --label "org.opencontainers.image.revision=$(git -C "$REPO" describe --always --dirty --abbrev=40 --match=- 2>/dev/null || echo unknown)" \
      -t "slipway/$name:$TAG" "${how[@]}" "$REPO"
  done
}

# One archive for all: layers that images share are carried once.
load() {
  local images=() missing=() there
  [ "${1:-}" = databases ] || for name in "${IN_CHARTS[@]}"; do images+=("slipway/$name:$TAG"); done
  if [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
    eval "$("$REPO/ci/airgap/build.sh" --names)"
    images+=("$POSTGRESQL_IMAGE" "$KAFKA_IMAGE")
  fi
  there=$(docker exec "$CLUSTER-control-plane" ctr -n k8s.io images ls -q)
  for image in "${images[@]}"; do grep -qx "docker.io/$image" <<< "$there" || missing+=("$image"); done
  [ ${#missing[@]} -eq 0 ] || step "load ${#missing[@]} images into the cluster" load_archive "${missing[@]}"
}
load_archive() { docker save "$@" | docker exec -i "$CLUSTER-control-plane" ctr -n k8s.io images import -; }

registry() {
  [ -n "${1:-}" ] || die "no registry. Name the one that images go to: REGISTRY=registry.example.org/shop"
  registry_login "$1" docker login
}

# there IMAGE: whether the registry has it; who does not answer has said nothing.
there() {
  local said
  said=$(docker pull -q "$1" 2>&1 >/dev/null) && return 0
  absent "$said" || die "$1: the registry did not tell whether it has it: $said"
  return 1
}
digest_of() {
  local name=${1%:*}
  docker image inspect -f '{{range .RepoDigests}}{{println .}}{{end}}' "$1" | grep -F "${name#docker.io/}@" | head -1 ||
    die "$1 has no digest, although it was pushed"
}

# What has these sources is there once, and is never written anew: two builds of the same are not the same bytes.
push() {
  local name image
  say "asking $1 what it has of these sources"
  for name in "${IMAGES[@]}"; do
    if there "$1/slipway/$name:$TAG"; then docker tag "$1/slipway/$name:$TAG" "slipway/$name:$TAG"; fi
  done
  build
  mkdir -p "$REPO/build"; : >"$REPO/build/images.txt"
  for name in "${IMAGES[@]}"; do
    image=$1/slipway/$name:$TAG
    if ! there "$image"; then
      docker tag "slipway/$name:$TAG" "$image"
      step "push $image" docker push -q "$image"
    fi
    echo "$TAG $(digest_of "$image")" >>"$REPO/build/images.txt"
  done
}

# What push said of these sources; an older file says nothing of them.
known() { sed -n "s|^$TAG \($2/slipway/$1@.*\)|\1|p" "$REPO/build/images.txt" 2>/dev/null | grep .; }

pull() {
  local name image
  for name in "${IMAGES[@]}"; do
    image=$(known "$name" "${1#docker.io/}" || echo "$1/slipway/$name:$TAG")
    step "pull $image" docker pull -q "$image"
    docker tag "$image" "slipway/$name:$TAG"
  done
}

# The images that were tested, under a second name: nothing is built for a release.
release() {
  local version=$1 target=$REPO/build/release name image
  mkdir -p "$target"; : >"$target/images.txt"
  for name in "${IMAGES[@]}"; do
    image=$2/slipway/$name:$version
    if there "$image"; then
      [ "$(docker image inspect -f '{{.Id}}' "$image")" = "$(docker image inspect -f '{{.Id}}' "slipway/$name:$TAG")" ] ||
        die "$image is released already, and is not what was tested here. A version is made once: name the next one"
    else
      docker tag "slipway/$name:$TAG" "$image"
      step "push $image" docker push -q "$image"
    fi
    digest_of "$image" >>"$target/images.txt"
    step "list the parts of $name" parts "$image" "$target/$name.cdx.json"
  done
}
# Asked inside of the image, which has no tool for it: Python reads its packages, dpkg those of the system.
parts() { docker run --rm -i --network none --entrypoint python "$1" - "$1" <"$REPO/ci/sbom.py" >"$2"; }

case ${1:-} in
  build) bases; name_them; build ;;
  load) bases; name_them; build; load ;;
  load-databases) bases; load databases ;;
  tag) name_them; echo "$TAG" ;;
  push) registry "${2:-}"; bases; name_them; push "$2" ;;
  pull) registry "${2:-}"; name_them; pull "$2" ;;
  release) version=$(to_release "${2:-}"); registry "${3:-}"; name_them; pull "$3"; release "$version" "$3" ;;
  *) sed -n '2,8p' "$0"; exit 2 ;;
esac
