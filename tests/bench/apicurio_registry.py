"""Apicurio Registry's rules about JSON Schema, asked about pairs of schemas: its own library in one process of Java.

A registry of schemas that is free software; its rules are those of a mode (BACKWARD, FORWARD, FULL), as Confluent's.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from support.repository import ROOT

HERE = Path(__file__).parent / "apicurio"
JARS = ROOT / "build" / "apicurio"
FETCH_SECONDS, ASK_SECONDS = 600, 300
Asked = tuple[str, Any, Any]  # the mode, and both schemas


def verdicts(asked: Iterable[Asked]) -> list[str]:
    """safe, breaking or refused, for each in order."""
    for needed in ("java", "mvn"):
        if not shutil.which(needed):
            raise SystemExit(f"{needed} is missing: Apicurio's rules are a library for Java 17, fetched by Maven")
    if not list(JARS.glob("apicurio-registry-schema-util-json-*.jar")):
        command = [
            "mvn",
            "-B",
            "-q",
            "-f",
            HERE / "pom.xml",
            "dependency:copy-dependencies",
            f"-DoutputDirectory={JARS}",
        ]
        subprocess.run(command, check=True, timeout=FETCH_SECONDS)
    lines = "".join(f"{json.dumps({'level': mode, 'old': old, 'new': new})}\n" for mode, old, new in asked)
    done = subprocess.run(
        ["java", "-cp", f"{JARS}/*", HERE / "Verdicts.java"], input=lines, capture_output=True, text=True, check=True,
        timeout=ASK_SECONDS,
    )  # fmt: skip
    return [line for line in done.stdout.split("\n") if line in {"safe", "breaking", "refused"}]
