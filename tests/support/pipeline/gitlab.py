"""gitlab-ci-local on this checkout: what the pipeline is made of, and its jobs run by this machine's shell."""

import json
import os
import re
import subprocess
from pathlib import Path

import yaml

from support.repository import ROOT
from support.tools import TOOLS

FILES = [ROOT / ".gitlab-ci.yml", *sorted((ROOT / "ci").glob("*.gitlab-ci.yml"))]
# A runner keeps tools in the job's folder and builds them once; here the machine's own ones serve, and the kind of
# cluster that can be had here.
HERE = {
    "SLIPWAY_CACHE": str(Path(TOOLS).parent.parent),
    "SLIPWAY_AIRGAP": "auto",
    "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv")),
}


def gitlab(folder, *arguments, checkout=ROOT, timeout=280, **variables):
    """What gitlab-ci-local says; its state is kept in ``folder``, so that runs beside each other don't meet."""
    state = os.path.relpath(folder, checkout)
    settings = [f"--variable={name}={value}" for name, value in (HERE | variables).items()]
    return subprocess.run(
        [f"{TOOLS}/gitlab-ci-local", "--state-dir", state, *settings, *arguments],
        capture_output=True, text=True, check=False, cwd=checkout, timeout=timeout,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTEST_"))},
    )  # fmt: skip


def job(folder, *names, **variables):
    """Runs jobs, each of which has to pass; gives what they printed."""
    options = ("--force-shell-executor", "--no-evaluate-rule-changes")
    done = gitlab(folder, *options, *names, timeout=1200, **variables)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    for name in names:
        assert re.search(rf"PASS.*{name}", done.stdout), done.stdout[-2000:]
    return done.stdout


def listed(folder, checkout=ROOT, **variables):
    """The jobs that a pipeline with these variables has, by name; those that never run are not among them."""
    done = gitlab(folder, "--list-json", "--no-evaluate-rule-changes", checkout=checkout, **variables)
    assert done.returncode == 0, done.stderr
    jobs = json.loads(done.stdout[done.stdout.index("[\n") :])
    return {job["name"]: job for job in jobs if job["when"] != "never"}


def expanded(folder):
    """The whole pipeline with includes, extends and references resolved."""
    done = gitlab(folder, "--preview", "--no-evaluate-rule-changes")  # which asks for origin/main
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def component(path, inputs):
    """The jobs of a component with these inputs, and the defaults of the others, as GitLab makes them."""
    header, text = path.read_text().split("\n---\n")
    for name, asked in yaml.safe_load(header)["spec"]["inputs"].items():
        value = inputs.get(name, asked.get("default"))
        text = text.replace(f"$[[ inputs.{name} ]]", value if isinstance(value, str) else json.dumps(value))
    assert "$[[" not in text, "each word that is asked for is an input"
    return yaml.safe_load(text)


def jobs(pipeline):
    words = {"stages", "workflow", "variables", "default", "include"}
    return {name: job for name, job in pipeline.items() if name not in words and not name.startswith(".")}


def commands(job):
    return [line for part in ("before_script", "script", "after_script") for line in job.get(part, [])]


def make_targets(line):
    """The targets of a line that calls make, without its variables."""
    return [word for word in line.split()[1:] if re.fullmatch(r"[a-z0-9-]+", word)]
