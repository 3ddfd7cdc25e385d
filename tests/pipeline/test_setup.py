"""Set-up on other people's machines: their pip mirror, their certificates."""

import subprocess
import sys

import pytest

from support.repository import ROOT


def told(listed):
    """What uv is told where ``pip config list`` prints this."""
    script = [sys.executable, ROOT / "ci" / "pip_settings.py"]
    done = subprocess.run(script, input=listed, capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def as_pip_lists(folder, text, **environment):
    """What pip itself prints for a file of settings and variables."""
    file = folder / "pip.conf"
    file.write_text(text)
    command = [sys.executable, "-m", "pip", "config", "list"]
    environment |= {"PIP_CONFIG_FILE": str(file), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


MIRROR = "[global]\nindex-url = https://mirror.example.org/simple\n"


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        (MIRROR, {}, {"UV_DEFAULT_INDEX": "https://mirror.example.org/simple"}),
        (MIRROR, {"PIP_INDEX_URL": "https://other.example.org"}, {"UV_DEFAULT_INDEX": "https://other.example.org"}),
        (MIRROR + "[install]\nindex-url = https://i.example.org\n", {}, {"UV_DEFAULT_INDEX": "https://i.example.org"}),
        ("[global]\ntrusted-host = a.example.org\n  b.example.org\n", {},
         {"UV_INSECURE_HOST": "a.example.org b.example.org"}),
        ("[global]\nextra-index-url =\n  https://x.example.org\n  https://y.example.org\n", {},
         {"UV_INDEX": "https://x.example.org https://y.example.org", "UV_INDEX_STRATEGY": "unsafe-best-match"}),
        ("[global]\nproxy = http://proxy.example.org:3128\n", {}, {"ALL_PROXY": "http://proxy.example.org:3128"}),
        ("[global]\nfind-links = /not/there\ntimeout = 60\n", {}, {}),
    ],
    ids=["file", "variable", "section", "two hosts", "two indexes", "proxy", "not there"],
)  # fmt: skip
def test_uv_is_told_what_pip_was_told(tmp_path, text, environment, expected):
    of_machine = told(as_pip_lists(tmp_path, ""))  # /etc/pip.conf is read as well

    assert told(as_pip_lists(tmp_path, text, **environment)) == of_machine | expected


def test_a_home_folder_is_read_as_pip_reads_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))

    assert told(as_pip_lists(tmp_path, "[global]\ncert = ~/ca.pem\n"))["SSL_CERT_FILE"] == f"{tmp_path}/ca.pem"
