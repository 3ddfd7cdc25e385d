"""Where the repository lies, and which files it has."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What has a composition root; the chassis and the gateway's configuration have none.
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/src/*/bootstrap.py"))


def tracked(*patterns):
    """Files of the repository, those included that are new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        capture_output=True, text=True, check=True, cwd=ROOT,
    ).stdout.splitlines()  # fmt: skip
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def copy_repository(folder):
    """So that a test may change what it likes."""
    files = [str(path.relative_to(ROOT)) for path in tracked()]
    packed = subprocess.run(["tar", "cf", "-", *files], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "xf", "-"], cwd=folder, input=packed, check=True)
