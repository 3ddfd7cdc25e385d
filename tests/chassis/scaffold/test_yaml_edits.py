"""The gateway's file and GitLab's get one entry more; all other lines stay as they are."""

import difflib

import pytest
import yaml

from slipway_chassis.errors import ConfigurationError
from slipway_chassis.scaffold.yaml_edits import with_include, with_route
from support.repository import ROOT

INCLUDE = "include:\n- component: $CI_SERVER_FQDN/slipway/service@1\n  inputs: {service: parcels}\n"
WIDE = """\
# ours
gateway:
    listen:
        port: 8080   # as ever
        address: null
    upstreams:
        users:
            address: users
    routes:
        # the API
        - prefix: /v1/users
          upstream: users
          public: true
        - prefix: /
          upstream: users # the rest
          public: true
"""
EDGE = """\
gateway:
  upstreams:
    users: {address: users, port: 80}
  routes:
  - {prefix: /v1/users, upstream: users, public: true}
"""


def added(before, after):
    """The lines that are new, where none is gone."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    assert not [line for line in lines if line.startswith("- ")]
    return [line[2:] for line in lines if line.startswith("+ ")]


def routes(text):
    return [one.get("prefix") or one["path"] for one in yaml.safe_load(text)["gateway"]["routes"]]


def test_the_shop_s_values_get_two_lines():
    before = (ROOT / "charts/platform/values.yaml").read_text()

    after = with_route("values.yaml", before, "parcels")

    assert [line.strip() for line in added(before, after)] == [
        "parcels: {address: '{{ .Release.Name }}-parcels', port: 80}",
        "- {prefix: /v1/parcels, upstream: parcels, public: true}",
    ]


def test_another_indentation_stays_and_the_route_comes_before_what_takes_all():
    after = with_route("gateway.yaml", WIDE, "parcels")

    assert added(WIDE, after) == [
        "        parcels: {address: parcels, port: 80}",
        "        - {prefix: /v1/parcels, upstream: parcels, public: true}",
    ]
    assert routes(after) == ["/v1/users", "/v1/parcels", "/"]


def test_values_of_a_chart_around_the_gateway_s_are_extended():
    before = "gateway:\n  enabled: true\n" + "".join(f"  {line}" for line in EDGE.splitlines(keepends=True))

    after = with_route("values.yaml", before, "parcels")

    assert added(before, after) == [
        "      parcels: {address: parcels, port: 80}",
        "    - {prefix: /v1/parcels, upstream: parcels, public: true}",
    ]


def test_anchors_and_other_forms_stay():
    before = "own: &own\n- {a: 1}\nother: [{b: {c: 1}}]\nempty: ~\n" + EDGE

    after = with_route("values.yaml", before, "parcels")

    assert added(before, after) == [
        "    parcels: {address: parcels, port: 80}",
        "  - {prefix: /v1/parcels, upstream: parcels, public: true}",
    ]


def test_a_file_in_one_line_is_extended():
    text = (
        "gateway: {upstreams: {users: {address: users}}, routes: [{path: /v1/users, upstream: users, public: true}]}\n"
    )

    after = with_route("gateway.yaml", text, "parcels")

    assert routes(after) == ["/v1/users", "/v1/parcels"]
    assert yaml.safe_load(after)["gateway"]["upstreams"]["parcels"] == {"address": "parcels", "port": 80}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no gateway.upstreams"),
        ("gateway: {routes: []}\n", "has no gateway.upstreams"),
        ("gateway: {upstreams: {}, routes: {}}\n", "has no gateway.upstreams and gateway.routes"),
        ("gateway: [\n", "is no YAML"),
        (WIDE.replace("/v1/users", "/v1/parcels"), "has an upstream parcels or a route /v1/parcels already"),
        (WIDE.replace("users:", "parcels:"), "has an upstream parcels or a route /v1/parcels already"),
    ],
)
def test_what_is_no_file_of_the_gateway_is_told(text, words):
    with pytest.raises(ConfigurationError, match=f"gateway.yaml {words}"):
        with_route("gateway.yaml", text, "parcels")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# ours\n",
        "stages: [test] # ours\n",
        "include: other.yml\n",
        "include: {local: other.yml}\n",
        "include:\n  - local: other.yml # ours\n\njob:\n  script:\n    - !reference [.base, script]\n",
    ],
)
def test_the_pipeline_gets_one_more_component(text):
    after = with_include(".gitlab-ci.yml", text, INCLUDE)

    assert after.count("component: $CI_SERVER_FQDN/slipway/service@1") == 1
    assert all(word in after for word in text.replace("{", " ").replace("}", " ").split())
    again = with_include(".gitlab-ci.yml", after, INCLUDE.replace("parcels", "notes"))
    assert [again.count(f"service: {name}") for name in ("parcels", "notes")] == [1, 1]


def test_a_list_is_no_pipeline():
    with pytest.raises(ConfigurationError, match=r"\.gitlab-ci\.yml is no pipeline"):
        with_include(".gitlab-ci.yml", "- a\n", INCLUDE)
