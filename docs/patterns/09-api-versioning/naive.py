"""Renamed in place: what was /v1/users is /v1/people from now on, and nothing answers by the old name."""

from typing import Any

from slipway_chassis.http import Api

route = Api.route


def renamed(api: Api, method: str, rule: str, **options: Any) -> Any:
    return route(api, method, rule.replace("/v1/users", "/v1/people"), **options)


Api.route = renamed  # type: ignore[method-assign]
