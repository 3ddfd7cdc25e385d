#!/usr/bin/env bash
# Creates .venv with everything that is pinned, from a Python and nothing else. Usage: setup.sh PYTHON FOLDER...
#   FOLDER   of the packages of this repository, which are installed as they lie there
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"
PYTHON=$1; shift

command -v "$PYTHON" >/dev/null || die "Python 3.11 or newer was not found. Install it, or name it: make PYTHON=/path/to/python3"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$("$PYTHON" --version) is too old, 3.11 or newer is needed. Name another: make PYTHON=python3.12"
# Debian takes these out of its Python.
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
  debian_packages "to create the environment" "$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"

ours=.venv/.slipway
if [ -e .venv ] && [ ! -e "$ours" ] && [ ! -e .venv/.installed ]; then
  die ".venv is there, and is not this project's. Move it away: mv .venv .venv.old"
fi
if ! .venv/bin/python -c '' 2>/dev/null || [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$UV_VERSION" ]; then
  say "creating the environment in .venv"
  "$PYTHON" -m venv --clear .venv
  touch "$ours"
  .venv/bin/pip install -q --disable-pip-version-check --require-hashes -r ci/wheels/uv.lock
fi
say "installing the locked packages"
# Compiled once, not at each start of each process: a service is there in half the time.
ci/uv.sh pip install -q --compile-bytecode --python .venv/bin/python --require-hashes -r requirements.lock
folders=()
for folder in "$@"; do folders+=(-e "$folder"); done
ci/uv.sh pip install -q --python .venv/bin/python --no-deps "${folders[@]}"
if ! .venv/bin/python -m slipway_chassis.embedded.java >/dev/null 2>&1; then
  say "installing a Java, for Kafka: none of version 17 or newer was found"
  ci/uv.sh pip install -q --python .venv/bin/python --require-hashes -r ci/wheels/java.lock
fi
