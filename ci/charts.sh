#!/usr/bin/env bash
# Packages the charts of a version and pushes them as OCI artifacts. Usage: charts.sh release VERSION [REGISTRY]
# Each has a package of its own: libraries, for charts of other repositories; databases for development; gateway, operator
# and services; and the platform, which holds all of these. A package holds what it depends on, of the same version. Images
# are those of `images.sh release` in the same registry. Without REGISTRY nothing is pushed: build/release/charts has them.
# CHART_SIGNING_KEYRING (a file of secret keys, as `gpg --export-secret-keys [--armor]` writes it) and CHART_SIGNING_KEY (a name in
# it; CHART_SIGNING_PASSPHRASE: a file, where the key has one): packages are signed, and signatures pushed with them.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PATH=$("$REPO/ci/tools/install.sh" --path):$PATH
CHARTS=(base service dev-databases gateway operator)
for root in "$REPO"/services/*/src/*/bootstrap.py; do CHARTS+=("$(basename "$(dirname "$root")")"); done
CHARTS+=(platform) # last: it takes the others as they are then, with what they depend on

# What changed, as Artifact Hub reads it: one JSON text for each point of the changelog.
changes() {
  "$REPO/ci/changelog.sh" "$1" >/dev/null 2>&1 || return 0
  awk '/^- /{if (point) print point; point = substr($0, 3); next} /^  /{if (point) point = point " " substr($0, 3); next}
    {if (point) print point; point = ""} END {if (point) print point}' "$REPO/build/release/changelog.md" |
    python3 -c 'import json, sys; [print("    -", json.dumps(line.rstrip("\n"), ensure_ascii=False)) for line in sys.stdin]'
}

write_changes() {
  CHANGED=$1 awk 'old && /^    - /{next} {old = 0; print} /artifacthub.io\/changes:/{print ENVIRON["CHANGED"]; old = 1}' "$2" >"$2.new"
  mv "$2.new" "$2"
}

# Versions and registry are written into a copy: the checkout stays as it was tagged.
stage() {
  local work=$1 version=$2 registry=$3 chart changed
  changed=$(changes "$version")
  cp -r "$REPO/charts" "$work/charts"
  rm -rf "$work"/charts/*/charts "$work"/charts/*/Chart.lock
  for chart in "${CHARTS[@]}"; do
    sed -i -E "s/^version: .*/version: $version/; s/^appVersion: .*/appVersion: \"$version\"/" "$work/charts/$chart/Chart.yaml"
    [ -z "$changed" ] || write_changes "$changed" "$work/charts/$chart/Chart.yaml"
    # Dependencies are the folders beside it, which have this version now.
    sed -i -E "/^dependencies:/,\$s/(version:) *[^,}]+/\1 $version/" "$work/charts/$chart/Chart.yaml"
  done
  [ -z "$registry" ] || sed -i -E "s|^( +repository:) slipway/|\1 $registry/slipway/|" "$work"/charts/*/values.yaml
  for chart in "${CHARTS[@]}"; do helm dependency update "$work/charts/$chart"; done
}

# With a keyring each package gets a signature beside it (.prov), which `helm verify` and `helm install --verify` check.
signing() {
  [ -n "${CHART_SIGNING_KEYRING:-}" ] || return 0
  [ -n "${CHART_SIGNING_KEY:-}" ] || die "CHART_SIGNING_KEYRING is set, and nobody says which key of it signs. Set CHART_SIGNING_KEY to its name"
  local keyring=$CHART_SIGNING_KEYRING
  if grep -q '^-----BEGIN PGP' "$keyring"; then # a variable of a pipeline can hold nothing but text
    need gpg "Install it (Debian: apt-get install gpg): CHART_SIGNING_KEYRING is armored, and helm reads it as bytes."
    keyring=$1/keyring.gpg
    gpg --dearmor <"$CHART_SIGNING_KEYRING" >"$keyring"
  fi
  printf '%s\n' --sign --key "$CHART_SIGNING_KEY" --keyring "$keyring"
  [ -z "${CHART_SIGNING_PASSPHRASE:-}" ] || printf '%s\n' --passphrase-file "$CHART_SIGNING_PASSPHRASE"
}

# unpack PACKAGE FOLDER: with the packages inside of it, and without what two packages of the same differ in
unpack() {
  local inner
  mkdir -p "$2"
  tar -xzf "$1" -C "$2"
  find "$2" -name Chart.lock -delete # has the time at which it was made
  find "$2" -name '*.tgz' | while read -r inner; do unpack "$inner" "${inner%.tgz}"; rm "$inner"; done
}

# there CHART VERSION ADDRESS: whether the registry has it, and as it was packaged now. A version is made once.
there() {
  local said
  rm -rf "$work"/{there,theirs,ours}; mkdir "$work/there"
  if ! said=$(helm pull "${plain[@]}" "$3" --version "$2" --destination "$work/there" ${sign:+--prov} 2>&1); then
    absent "$said" || die "$3: the registry did not tell whether it has version $2: $said"
    return 1
  fi
  unpack "$work/there/$1-$2.tgz" "$work/theirs"; unpack "$target/$1-$2.tgz" "$work/ours"
  diff -rq "$work/theirs" "$work/ours" >&2 || die "chart $1 $2 is released already, and is not this one. A version is made once: name the next one"
}

release() {
  local version registry=${2:-} target=$REPO/build/release/charts chart plain=()
  version=$(to_release "$1")
  [[ $registry != 127.0.0.1:* ]] || plain=(--plain-http)
  work=$(mktemp -d); trap 'rm -rf "$work"' EXIT # not local: the trap runs after this function
  sign=$(signing "$work"); [ -z "$sign" ] || mapfile -t sign <<< "$sign"
  [ -z "$registry" ] || registry_login "$registry" helm registry login "${plain[@]}"
  rm -rf "$target"; mkdir -p "$target"
  step "write version $version into the charts" stage "$work" "$version" "$registry"
  for chart in "${CHARTS[@]}"; do
    step "package $chart $version" helm package "$work/charts/$chart" --destination "$target" ${sign:+"${sign[@]}"}
    if [ -n "$registry" ] && there "$chart" "$version" "oci://$registry/charts/$chart"; then
      cp "$work"/there/* "$target/" # an earlier try of this release has pushed it
      say "  $chart $version is in the registry already"
      continue
    fi
    [ -z "$registry" ] || step "push $chart $version" helm push "${plain[@]}" "$target/$chart-$version.tgz" "oci://$registry/charts"
  done
  (cd "$target" && sha256sum -- *.tgz >SHA256SUMS)
}

case ${1:-} in
  release) release "${2:-}" "${3:-}" ;;
  *) sed -n '2,8p' "$0"; exit 2 ;;
esac
