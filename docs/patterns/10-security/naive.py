"""The gateway has checked it: the claims are read, and the signature is looked at by nobody."""

import base64
import json
from typing import Any

from slipway_chassis.auth import Verifier


def read_claims(_: Verifier, token: str) -> tuple[str, dict[str, Any]]:
    _header, claims, _signature = token.split(".")
    return "", json.loads(base64.urlsafe_b64decode(claims + "=="))


Verifier._signed_claims = read_claims  # type: ignore[method-assign]
