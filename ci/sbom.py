"""Writes what an image is made of to standard output, as a CycloneDX document. Usage, inside of it: sbom.py IMAGE.

Read from standard input by the image's own Python, so it has the standard library and nothing else.
"""

import json
import subprocess
import sys
from importlib.metadata import distributions
from urllib.parse import quote


def python_packages() -> list[dict[str, str]]:
    found = {each.metadata["Name"].lower().replace("_", "-"): each.version for each in distributions()}
    return [component(name, version, f"pkg:pypi/{name}@{version}") for name, version in found.items()]


def system_packages() -> list[dict[str, str]]:
    """Those of Debian; an image of another kind has none that dpkg knows."""
    query = ["/usr/bin/dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\n"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        return []
    rows = [line.split("\t") for line in listed.splitlines()]
    return [
        component(name, version, f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}")
        for name, version, architecture in rows
    ]


def component(name: str, version: str, purl: str) -> dict[str, str]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def document(image: str) -> dict[str, object]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": image, "name": image}},
        "components": sorted(python_packages() + system_packages(), key=lambda each: each["purl"]),
    }


if __name__ == "__main__":
    print(json.dumps(document(sys.argv[1]), indent=1))
