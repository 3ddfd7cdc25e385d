#!/usr/bin/env bash
# Builds the images of the services, of the gateway and of the operator, and brings them into the kind cluster. Usage: images.sh build | load | tag
# The tag is a hash of what the images are made of: what did not change is neither built nor loaded.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
IMAGES=(gateway operator) # each service has one, the gateway and the operator
for project in "$REPO"/services/*/pyproject.toml; do
  service=$(basename "$(dirname "$project")")
  [ "$service" = chassis ] || IMAGES+=("$service")
done

# Names and contents of all that a build can copy.
sources() {
  cd "$REPO"
  find requirements.lock ci/versions.env .dockerignore services operator -type f \
    ! -path '*/__pycache__/*' ! -path '*.egg-info/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}
TAG=dev-$(sources | sha256sum | cut -c1-12)

build() {
  local base=()
  if [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
    export DOCKER_BUILDKIT=0
    "$REPO/ci/airgap/build.sh" # the base image, where it is missing
    eval "$("$REPO/ci/airgap/build.sh" --names)"
    base=(--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE")
  fi
  for name in "${IMAGES[@]}"; do
    docker image inspect "slipway/$name:$TAG" >/dev/null 2>&1 && continue
    if [ "$name" = gateway ]; then how=(-f "$REPO/operator/gateway.Dockerfile")
    elif [ "$name" = operator ]; then how=(-f "$REPO/operator/Dockerfile")
    else how=(-f "$REPO/services/Dockerfile" --build-arg "SERVICE=$name"); fi
    step "build slipway/$name:$TAG" docker build "${base[@]}" --build-arg "UV_VERSION=$UV_VERSION" \
      -t "slipway/$name:$TAG" "${how[@]}" "$REPO"
  done
}

# One archive for all: layers that images share are carried once.
load() {
  local images=() missing=() there
  for name in "${IMAGES[@]}"; do images+=("slipway/$name:$TAG"); done
  if [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
    eval "$("$REPO/ci/airgap/build.sh" --names)"
    images+=("$POSTGRESQL_IMAGE" "$KAFKA_IMAGE")
  fi
  there=$(docker exec "$CLUSTER-control-plane" ctr -n k8s.io images ls -q)
  for image in "${images[@]}"; do grep -qx "docker.io/$image" <<< "$there" || missing+=("$image"); done
  [ ${#missing[@]} -eq 0 ] || step "load ${#missing[@]} images into the cluster" load_archive "${missing[@]}"
}
load_archive() { docker save "$@" | docker exec -i "$CLUSTER-control-plane" ctr -n k8s.io images import -; }

case ${1:-} in
  build) build ;;
  load) build; load ;;
  tag) echo "$TAG" ;;
  *) sed -n '2,3p' "$0"; exit 2 ;;
esac
