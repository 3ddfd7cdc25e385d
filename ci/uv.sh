#!/usr/bin/env bash
# uv of .venv, which takes packages from where the reader's pip takes them, and trusts the system's certificates.
# Usage: uv.sh ARGUMENTS...
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
cd "$REPO"

# What pip was told of KEY, by the environment or a file of its own.
pip_says() { .venv/bin/pip config list | sed -n "s/^:env:\.$1='\(.*\)'$/1 \1/p; s/^install\.$1='\(.*\)'$/2 \1/p; s/^global\.$1='\(.*\)'$/3 \1/p" | sort | sed -n '1s/^. //p'; }
# as_pip KEY VARIABLE: uv is told the same, unless it was told otherwise
as_pip() {
  local told
  [ -z "${!2:-}" ] || return 0
  told=$(pip_says "$1")
  [ -z "$told" ] || export "$2=$told"
}
as_pip index-url UV_DEFAULT_INDEX
as_pip extra-index-url UV_INDEX
as_pip trusted-host UV_INSECURE_HOST
as_pip cert SSL_CERT_FILE
as_pip proxy ALL_PROXY
[ -z "$(system_certificates)" ] || export UV_SYSTEM_CERTS=true
exec .venv/bin/uv "$@"
