#!/usr/bin/env bash
# The image that jobs run in. Its tag is a hash of what it is made of. Usage:
#   ci_image.sh tag
#   ci_image.sh push REGISTRY     builds and pushes it if the registry lacks it, and tells what to set CI_IMAGE to
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
FILES=(Dockerfile lib.sh prerequisites.sh versions.env)

tag() { (cd "$REPO/ci" && sha256sum "${FILES[@]}") | sha256sum | cut -c1-12; }

push() {
  local image=$1/slipway/ci:$2 said
  if said=$(docker pull -q "$image" 2>&1 >/dev/null); then
    say "the registry has it"
  else
    absent "$said" || die "$image: the registry did not tell whether it has it: $said"
    step "build $image" docker build -t "$image" "$REPO/ci"
    step "push $image" docker push -q "$image"
  fi
  echo "CI_IMAGE: $(docker image inspect -f '{{range .RepoDigests}}{{println .}}{{end}}' "$image" | grep -F "${1#docker.io/}/slipway/ci@" | head -1)"
}

case ${1:-} in
  tag) tag ;;
  push)
    [ -n "${2:-}" ] || die "no registry. Name the one that the image goes to: REGISTRY=registry.example.org/shop"
    registry_login "$2" docker login
    push "$2" "$(tag)" ;;
  *) sed -n '2,5p' "$0"; exit 2 ;;
esac
