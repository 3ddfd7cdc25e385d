"""The only room that knows the official client, which asks for a home directory when it is imported."""

from .config import ensure_home

ensure_home()
