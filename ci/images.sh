#!/usr/bin/env bash
# Builds the services' images and brings them into the kind cluster. Usage: images.sh build | load | tag
# The tag is a hash of what the images are made of: what did not change is neither built nor loaded.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
SERVICES=()
for project in "$REPO"/services/*/pyproject.toml; do
  service=$(basename "$(dirname "$project")")
  [ "$service" = chassis ] || SERVICES+=("$service")
done

sources() { cd "$REPO" && cat requirements.lock ci/versions.env services/Dockerfile && find services -name '*.py' -o -name '*.toml' -o -name '*.xml' -o -name '*.yaml' -o -name '*.tmpl' | LC_ALL=C sort | xargs cat; }
TAG=dev-$(sources | sha256sum | cut -c1-12)

build() {
  local base=()
  if [ "$("$REPO/ci/kind.sh" mode)" = airgap ]; then
    export DOCKER_BUILDKIT=0
    "$REPO/ci/airgap/build.sh" # the base image, where it is missing
    eval "$("$REPO/ci/airgap/build.sh" --names)"
    base=(--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE")
  fi
  for service in "${SERVICES[@]}"; do
    docker image inspect "slipway/$service:$TAG" >/dev/null 2>&1 && continue
    step "build slipway/$service:$TAG" docker build "${base[@]}" --build-arg "UV_VERSION=$UV_VERSION" \
      --build-arg "SERVICE=$service" -t "slipway/$service:$TAG" -f "$REPO/services/Dockerfile" "$REPO"
  done
}

# One archive for all: layers that images share are carried once.
load() {
  local images=() missing=() there
  for service in "${SERVICES[@]}"; do images+=("slipway/$service:$TAG"); done
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
