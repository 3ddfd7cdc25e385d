"""What pip was told, as uv's variables: reads ``pip config list`` and writes lines of VARIABLE=VALUE."""

import ast
import os
import sys
from pathlib import Path

VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
SECTIONS = ("global", "install", ":env:")  # each one wins over those before it


def variables(listed: str) -> dict[str, str]:
    """A value of several lines is a list, and ``~`` the home folder, as pip reads them."""
    told: dict[str, tuple[int, str]] = {}
    for line in listed.splitlines():
        place, _, value = line.partition("=")
        section, _, key = place.rpartition(".")
        if key not in VARIABLES or section not in SECTIONS:
            continue
        words = [os.path.expanduser(word) for word in str(ast.literal_eval(value)).split()]  # noqa: PTH111
        if key == "find-links":  # pip passes over a folder that is not there
            words = [word for word in words if "://" in word or Path(word).exists()]
        if words:
            separator = "," if key == "find-links" else " "
            rank = SECTIONS.index(section)
            if rank >= told.get(VARIABLES[key], (-1, ""))[0]:
                told[VARIABLES[key]] = (rank, separator.join(words))
    found = {name: value for name, (_, value) in told.items()}
    if "UV_INDEX" in found:  # pip looks in all indexes, uv in the first that knows a name; hashes make both the same
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


if __name__ == "__main__":
    for name, value in variables(sys.stdin.read()).items():
        print(f"{name}={value}")
