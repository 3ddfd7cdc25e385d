"""Credentials from an exec plugin of a kubeconfig, which is a program: it may fail, hang, or say anything."""

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from typing import Any

from ....errors import AccessUnknown
from .config import inherited
from .kubeconfig_files import Section, mapping, text
from .login import NotUsable

PLUGIN_SECONDS = 10
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")


def credential(configured: Section, cluster: Section, user: str) -> dict[str, Any]:
    """The status of an ExecCredential. ``cluster``: what the plugin is told of, if it wants to be.

    Raises:
        NotUsable: the settings are not valid
        AccessUnknown: the plugin gave nothing
    """
    of = f"exec of user {user}"
    command, version = text(configured, "command", of), text(configured, "apiVersion", of)
    if not command or not version:
        raise NotUsable(f"{of} has no {'apiVersion' if command else 'command'}")
    what = f"the exec plugin {command} of user {user}"
    if configured.get("interactiveMode") == "Always":
        raise AccessUnknown(f"{what} wants to speak with a person, and nobody is there: use another user")
    spec: dict[str, Any] = {"interactive": False}
    if configured.get("provideClusterInfo"):
        spec["cluster"] = cluster
    asked = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    environment = inherited() | _environment(configured, of) | {"KUBERNETES_EXEC_INFO": json.dumps(asked)}
    hint = _clean(text(configured, "installHint", of))
    printed = _printed([command, *_arguments(configured, of)], environment, what, hint)
    return _status(printed, version, what)


def cluster_told(cluster: Section, authority: str | None) -> Section:
    """``spec.cluster`` of an ExecCredential. ``authority``: base64; settings for plugins are an extension by name."""
    told = {name: cluster.get(name) for name in ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")}
    extensions = [each for each in cluster.get("extensions") or [] if isinstance(each, dict)]
    settings = [each.get("extension") for each in extensions if each.get("name") == "client.authentication.k8s.io/exec"]
    told |= {"certificate-authority-data": authority, "config": settings[0] if settings else None}
    return {name: value for name, value in told.items() if value}


def _arguments(configured: Section, of: str) -> list[str]:
    arguments = configured.get("args") or []
    if not isinstance(arguments, list) or not all(isinstance(each, str) for each in arguments):
        raise NotUsable(f"args of {of} is not a list of texts: put numbers in quotation marks")
    return arguments


def _environment(configured: Section, of: str) -> dict[str, str]:
    entries = configured.get("env") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise NotUsable(f"env of {of} is not a list of names and values")
    found = {text(entry, "name", f"env of {of}"): text(entry, "value", f"env of {of}") for entry in entries}
    if "" in found:
        raise NotUsable(f"an entry of env of {of} has no name")
    return found


def _printed(arguments: list[str], environment: dict[str, str], what: str, hint: str) -> bytes:
    try:
        process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # it can't ask the terminal, and is ended with all that it started
        )
    except (OSError, ValueError) as error:
        cure = hint or "install it, or write its whole path into the kubeconfig"
        raise AccessUnknown(f"{what} can't be run ({getattr(error, 'strerror', None) or 'a NUL'}): {cure}") from None
    with process:
        try:
            printed, said = process.communicate(timeout=PLUGIN_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise AccessUnknown(f"{what} did not end within {PLUGIN_SECONDS} s: run it by hand to see why") from None
    if process.returncode:
        words = _clean(said[-2000:].decode(errors="replace"))[-300:]
        raise AccessUnknown(f"{what} failed with code {process.returncode}: {words or 'it said nothing'}")
    return printed


def _clean(words: str) -> str:
    """One line that does nothing to a terminal or a log."""
    return " ".join("".join(each if each.isprintable() else " " for each in _ESCAPES.sub("", words)).split())


def _status(printed: bytes, version: str, what: str) -> dict[str, Any]:
    try:
        given = json.loads(printed)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or not isinstance(given.get("status"), dict):
        raise AccessUnknown(f"{what} printed no ExecCredential with a status")
    if given.get("apiVersion") != version:
        raise AccessUnknown(f"{what} speaks {_clean(str(given.get('apiVersion')))[:80]}, its kubeconfig {version}")
    status = mapping(given, "status", what)
    if not all(isinstance(value, str | None) for value in status.values()):
        raise AccessUnknown(f"{what} gave something else than texts")
    if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
        raise AccessUnknown(f"{what} gave neither a token nor a certificate with its key")
    return status
