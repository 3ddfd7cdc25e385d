#!/usr/bin/env bash
# The Python packages of a version, and kubectl slipway as one file. Usage:
#   packages.sh build [VERSION]            to build/packages; without VERSION with that of the checkout
#   packages.sh release VERSION [INDEX]    and uploads the packages to INDEX, an address as GitLab's .../packages/pypi;
#                                          without it nothing is uploaded. UV_PUBLISH_USERNAME and UV_PUBLISH_PASSWORD
#                                          (or UV_PUBLISH_TOKEN) say who we are
# ARCHIVE_URL, where people will find kubectl-slipway.tar.gz of this version, is for slipway.yaml: krew's manifest.
# Two builds of a commit are the same, byte for byte: what is released already is compared with what is built now.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"
PACKAGES=(services/contracts services/chassis services/gateway operator cli)
TARGET=$REPO/build/packages

# Versions and the licence are written into a copy: the checkout stays as it was tagged.
stage() {
  local work=$1 version=$2 package least=${2%.*}.0
  [[ $version =~ ^[0-9.]+$ ]] || least=$version # a pre-release of 1.2.0 comes before 1.2.0
  tar -c --exclude='__pycache__' --exclude='*.egg-info' "${PACKAGES[@]}" | tar -x -C "$work"
  for package in "${PACKAGES[@]}"; do
    cp LICENSE "$work/$package/"
    sed -i -E "s/^version = .*/version = \"$version\"/; s/(\"slipway-[a-z]+(\[[a-z,]+\])?~=)[0-9.]+/\1$least/g" \
      "$work/$package/pyproject.toml"
  done
  sed -i -E "s/^__version__ = .*/__version__ = \"$version\"/" "$work/services/chassis/src/slipway_chassis/__init__.py"
}

wheels() {
  local package
  for package in "${PACKAGES[@]}"; do
    ci/uv.sh build -q --wheel --require-hashes --out-dir "$TARGET" "$1/$package"
  done
}

# Pydantic's core is native: the file is for this system and this minor version of Python.
one_file() {
  local work=$1 version=$2 site=$1/site
  ci/uv.sh pip install -q --python .venv/bin/python --target "$site" --constraints requirements.lock --group operator/pyproject.toml:kubectl-file
  ci/uv.sh pip install -q --python .venv/bin/python --target "$site" --no-deps \
    "$TARGET/slipway_chassis-$version-py3-none-any.whl" "$TARGET/slipway_operator-$version-py3-none-any.whl"
  rm -rf "${site:?}/bin" "$site/.lock"
  ci/uv.sh pip install -q --python .venv/bin/python --target "$work/shiv" --require-hashes -r ci/wheels/packages.lock
  PYTHONPATH=$work/shiv .venv/bin/python -m shiv --reproducible --site-packages "$site" \
    --python '/usr/bin/env python3' -e slipway_operator.kubectl.entry:main -o "$TARGET/kubectl-slipway"
}

# What krew takes is an archive; its manifest names where that lies. Go's name of this machine is the one that krew knows.
for_krew() {
  local work=$1/krew version=$2 architecture sum
  architecture=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
  mkdir "$work"
  cp LICENSE "$TARGET/kubectl-slipway" "$work/"
  tar -c --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' -C "$work" . |
    gzip -n >"$TARGET/kubectl-slipway.tar.gz"
  sum=$(sha256sum <"$TARGET/kubectl-slipway.tar.gz")
  sed -e '/^#/d' -e "s|vVERSION|v$version|; s|ARCHITECTURE|$architecture|; s|SHA256|${sum%% *}|; s|ADDRESS|${ARCHIVE_URL//&/\\&}|" \
    -e "s|PYTHON|$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')|" ci/krew.yaml >"$TARGET/slipway.yaml"
}

build() {
  local named=${1#v} version
  version=$(python_version "$named")
  work=$(mktemp -d); trap 'rm -rf "$work"' EXIT # not local: the trap runs after this function
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || echo 315532800); export SOURCE_DATE_EPOCH
  rm -rf "$TARGET"; mkdir -p "$TARGET"
  step "write version $version into the packages" stage "$work" "$version"
  step "build the packages $version" wheels "$work"
  step "build kubectl-slipway $version as one file" one_file "$work" "$version"
  [ -z "${ARCHIVE_URL:-}" ] || step "write kubectl-slipway $named for krew" for_krew "$work" "$named"
  rm -f "$TARGET/.gitignore"
  (cd "$TARGET" && sha256sum -- * >SHA256SUMS)
}

release() {
  local index=${2:-} version
  version=$(to_release "${1:-}")
  [[ ${ARCHIVE_URL:-} =~ ^(https://[^|[:space:]]+)?$ ]] || die "ARCHIVE_URL is '$ARCHIVE_URL', and krew takes https alone. Name the archive: https://HOST/PATH"
  [[ $index =~ ^(https://|http://127\.0\.0\.1[:/]|$) ]] || die "'$index' is no index to upload to. Name one: INDEX=https://HOST/PATH"
  build "$version"
  [ -n "$index" ] || { say "no INDEX: build/packages has them"; return; }
  # What is there is compared by its hash: the same is passed over, another one is an error. A version is made once.
  ci/uv.sh publish -q --trusted-publishing never --publish-url "$index" --check-url "${index%/}/simple" "$TARGET"/*.whl ||
    die "the packages $version were not all uploaded to $index. What is there with other content stays: name the next version"
}

case ${1:-} in
  build) build "${2:-$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)}" ;;
  release) release "${2:-}" "${3:-}" ;;
  *) sed -n '2,7p' "$0"; exit 2 ;;
esac
