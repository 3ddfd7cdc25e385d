"""OpenAPI 3.0 and 3.1: what breaks callers. Paths, methods, parameters, bodies, answers, headers, tokens."""

from .paths import compare_openapi

__all__ = ["compare_openapi"]
