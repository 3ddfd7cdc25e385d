"""What the API server answered: an object, or one of our errors. What stands on the way to it may answer as well."""

import json
from typing import Any

import aiohttp

from ....errors import KubernetesError, Missing, Outdated, Overloaded, Refused, Unauthorized, Unreachable
from .proxies import without_passwords

Manifest = dict[str, Any]

# A page of 500 objects is far below it; without an end, whatever answers could take all memory.
LARGEST_BYTES = 128 * 2**20
_CHUNK_BYTES = 2**16
_LONGEST_MESSAGE = 2000
_UNTYPED = "failed to create typed patch object"
_MOVED, _UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _TOO_MANY, _SERVER_ERROR = 300, 401, 404, 409, 429, 500


async def manifest_of(response: aiohttp.ClientResponse, what: str) -> Manifest:
    """``what``: method and path of the request, for messages.

    Raises:
        KubernetesError: by the status, or since there is no JSON object in it
    """
    raw = await _body(response, what)
    if response.status < _MOVED:
        return _success(raw, what)
    if response.status < 400:  # noqa: PLR2004 # a redirect, which would take the login elsewhere
        address = without_passwords(response.headers.get("Location", "").partition("?")[0])
        raise Unreachable(f"{what}: {response.status} leads to {address[:200] or 'nowhere'}, which is not followed")
    raise _error(response.status, what, raw, response.headers.get("Retry-After", ""))


async def _body(response: aiohttp.ClientResponse, what: str) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        raw += chunk
        if len(raw) > LARGEST_BYTES:
            raise Unreachable(f"{what}: {response.status} with more than {LARGEST_BYTES // 2**20} MB")
    return bytes(raw)


def _success(raw: bytes, what: str) -> Manifest:
    try:
        content = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise Unreachable(f"{what}: what answered is not the API server, or was cut: it is not a JSON object")
    if not isinstance(content.get("metadata") or {}, dict):
        raise Unreachable(f"{what}: what answered is not the API server: metadata is not an object")
    return content


def _error(status: int, what: str, raw: bytes, retry_after: str) -> KubernetesError:
    said = _said(raw)
    message = f"{what}: {status} {said}"
    if _UNTYPED in said:  # a list with the same key twice, for example: the API server calls that an error of its own
        return Refused(message)
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        error = Overloaded(message)
        # As a date, which HTTP allows too, the API server never gives it.
        error.retry_after = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
        return error
    kinds: dict[int, type[KubernetesError]] = {_UNAUTHORIZED: Unauthorized, _CONFLICT: Outdated, _NOT_FOUND: Missing}
    return kinds.get(status, Refused)(message)


def _said(raw: bytes) -> str:
    try:
        content = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        return raw[:200].decode(errors="replace")
    message = content.get("message") if isinstance(content, dict) else None
    return str(message or "")[:_LONGEST_MESSAGE]
