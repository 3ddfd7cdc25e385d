"""Where settings come from: the gateway's chart, or the values of a chart around it."""

import copy
import json

import pytest
import yaml

from slipway_gateway.config_files import write
from slipway_gateway.errors import GatewayConfigurationError
from slipway_gateway.settings_file import read
from support.charts import render
from support.repository import ROOT

SHOP = ROOT / "charts" / "platform" / "values.yaml"
GATEWAY = {
    "auth": {"issuer": "http://users", "audience": "shop", "jwksUpstream": "users"},
    "upstreams": {"users": {"address": "users"}},
    "routes": [{"prefix": "/v1/users", "upstream": "users"}],
}


def test_the_routes_are_the_last_key_of_the_shop_s_values():
    text = SHOP.read_text()
    values = yaml.safe_load(text)
    longer = yaml.safe_load(text + "    - {prefix: /v1/parcels, upstream: orders}\n")

    assert list(values)[-1] == list(values["gateway"])[-1] == "gateway"
    assert list(values["gateway"]["gateway"])[-1] == "routes"
    assert longer["gateway"]["gateway"]["routes"] == [
        *values["gateway"]["gateway"]["routes"],
        {"prefix": "/v1/parcels", "upstream": "orders"},
    ]


def test_what_an_umbrella_chart_says_once_holds_for_the_gateway():
    umbrella = {
        "global": {"auth": {"audience": "bank"}},
        "gateway": {"replicas": 2, "gateway": copy.deepcopy(GATEWAY)},
    }
    umbrella["gateway"]["gateway"]["auth"]["audience"] = "{{ .Values.global.auth.audience }}"

    assert read(yaml.safe_dump(umbrella)).auth.audience == "bank"
    del umbrella["global"]
    assert read(yaml.safe_dump(umbrella)).auth.audience == "{{ .Values.global.auth.audience }}", (
        "refused by envoy_config"
    )


@pytest.mark.charts
def test_laptop_and_compose_have_the_gateway_of_the_cluster():
    """They read the platform's values alone, and the cluster has the gateway's chart under them."""
    here = read(SHOP).model_dump_json().replace("{{ tpl .Values.global.auth.issuer . }}", "http://r-gateway")
    here = here.replace("{{ .Release.Name }}", "r")

    objects = render("platform", SHOP.parent / "ci" / "managed-values.yaml")
    [there] = [read(each["data"]["gateway.yaml"]) for each in objects if "gateway.yaml" in (each.get("data") or {})]

    assert json.loads(here) == there.model_dump(mode="json")


@pytest.mark.parametrize("text", [
    "gateway: {upstreams: {a: {address: 2026-13-01}}}", "[" * 3000, "gateway: {x: &a [*a]}", "\x00",
    "gateway: {upstreams: {}, telemetry: {otlpEndpoint: 'http://collector:99999'}}",
    "gateway: {upstreams: {}, telemetry: {otlpEndpoint: 'http://[x'}}",
])  # fmt: skip
def test_text_that_is_none_is_a_sentence(text):
    with pytest.raises(GatewayConfigurationError):
        read(text)


def test_the_configuration_does_not_take_the_place_of_what_it_names(tmp_path):
    secure = {"enabled": True, "certificateFile": "/c", "keyFile": "/k"}
    settings = read(yaml.safe_dump({"gateway": {"upstreams": {"a": {"address": "a", "tls": secure}}, "tls": secure}}))
    write(settings, tmp_path / "envoy.json")
    for there in tmp_path.glob("*.json"):
        if there.name != "envoy.json":
            with pytest.raises(GatewayConfigurationError, match="choose another name"):
                write(settings, there)
