"""Who is asking: JSON Web Tokens checked against the issuer's published keys, and scopes.

``keys`` (the issuer's keys, fetched ahead and kept) · ``tokens`` (a token to a ``Principal``) ·
``scopes`` (what the principal may do, for Flask and as plain functions).
"""

from .scopes import authenticate, authorize, require
from .tokens import Principal, Verifier

__all__ = ["Principal", "Verifier", "authenticate", "authorize", "require"]
