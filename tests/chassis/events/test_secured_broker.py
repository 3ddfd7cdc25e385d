"""A broker that speaks TLS alone and asks who is there: what the chassis' settings promise, on a real one."""

import base64
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.events import kafka
from slipway_chassis.events.kafka.bearer_tokens import RENEWED_AT, ClientCredentials
from slipway_chassis.events.ports import Record
from slipway_chassis.testing.plugin import eventually
from support.secured_kafka import PASSWORD, USER, add_users, admin_of, secured_broker, settings_of

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", name="secured")
def _secured(run_folder):
    with secured_broker(run_folder / "kafka-secured") as secured:
        yield secured


class Provider(ThreadingHTTPServer):
    """An identity provider that knows one client, and hands out tokens that end after ``life`` seconds."""

    def __init__(self, life):
        self.life, self.asked, self.is_away = life, [], False
        super().__init__(("127.0.0.1", 0), Handler)

    def settings(self, secret=PASSWORD):
        return {
            "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}/token",
            "KAFKA_SASL_OAUTHBEARER_CLIENT_ID": USER,
            "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": secret,
            "KAFKA_SASL_OAUTHBEARER_SCOPE": "kafka",
            "KAFKA_SASL_USERNAME": "",
            "KAFKA_SASL_PASSWORD": "",
        }


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        proof = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        self.server.asked.append(form)
        known = proof == f"{USER}:correct%20horse"
        self.send_response(503 if self.server.is_away else 200 if known else 401)
        self.end_headers()
        self.wfile.write(self.body(known))

    def body(self, known):
        return json.dumps(self.token() if known else {"error": "invalid_client"}).encode()

    def token(self):
        claims = {"sub": USER, "iat": time.time(), "exp": time.time() + self.server.life}
        parts = [json.dumps(each).encode() for each in ({"alg": "none"}, claims)]
        text = ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), ""])
        return {"access_token": text, "token_type": "Bearer", "expires_in": self.server.life}

    def log_message(self, *_):
        pass


@pytest.fixture(name="provider")
def _provider():
    with Provider(life=5) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(name="proof", params=["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER"])
def _proof(request, secured):
    if request.param == "OAUTHBEARER":
        return request.getfixturevalue("provider").settings()
    if request.param == "SCRAM-SHA-512":
        with admin_of(secured) as admin:
            add_users(admin, USER)
    return {"KAFKA_SASL_MECHANISM": request.param}


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_a_record_travels_over_tls_under_the_users_name(secured, client, proof):
    settings = settings_of(secured, client, **proof)
    topic = f"secured.{uuid.uuid4().hex[:8]}.v1"
    kafka.ensure_topics(settings, [topic])

    with closing(kafka.publisher(settings, client_id="p")) as publisher:
        assert publisher.publish([Record(topic, b"k", b"v", ())]) == [None]
    with closing(kafka.subscription(settings, group=topic, topics=[topic], client_id="c")) as subscription:
        records = eventually(lambda: subscription.poll(timeout=0.5, limit=10))
        assert [record.value for record in records] == [b"v"]
        with closing(kafka.Groups(settings)) as groups:
            assert eventually(lambda: [member.client_id for member in groups.describe(topic).members] == ["c"])
    assert [record.value for record in kafka.read_topic(settings, topic)] == [b"v"]


def test_who_is_not_known_or_can_not_prove_itself_gets_nothing(secured):
    wrong = [{"KAFKA_SASL_PASSWORD": "wrong"}, {"KAFKA_SSL_CAFILE": ""}, {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}]
    plain = dict.fromkeys(
        ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SSL_CAFILE"), ""
    )

    def ask(changed):
        words = changed | plain if "KAFKA_SECURITY_PROTOCOL" in changed else changed
        with pytest.raises(BrokerUnavailable):
            kafka.ensure_topics(settings_of(secured, **words), ["secured.refused.v1"])

    with ThreadPoolExecutor() as pool:
        list(pool.map(ask, wrong))
    assert "secured.refused.v1" not in kafka.list_topics(settings_of(secured))


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_connections_outlive_their_tokens(secured, provider, client):
    """A token is asked for once for all connections, and again before it ends."""
    settings = settings_of(secured, client, **provider.settings())
    topic = f"secured.{uuid.uuid4().hex[:8]}.v1"
    kafka.ensure_topics(settings, [topic])
    kafka.ensure_topics(settings, [topic])
    assert provider.asked == [{"grant_type": ["client_credentials"], "scope": ["kafka"]}]

    with closing(kafka.publisher(settings, client_id="p")) as publisher:
        ended = time.monotonic() + provider.life + 1
        eventually(lambda: publisher.publish([Record(topic, b"k", b"v")]) == [None] and time.monotonic() > ended)

    assert len(provider.asked) > 1


def test_a_token_is_used_until_it_ends_when_its_provider_is_away(provider):
    url = provider.settings()["KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"]
    provider.life = 2
    credentials = ClientCredentials(url, USER, PASSWORD, "")
    first = credentials.token()

    provider.is_away = True
    renewing = time.monotonic() + provider.life * RENEWED_AT
    eventually(lambda: time.monotonic() > renewing and (credentials.token() == first, len(provider.asked) > 1)[1])
    with pytest.raises(BrokerUnavailable, match="answered 503"):
        eventually(lambda: credentials.token() != first)


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b'{"expires_in": 5}', b'{"access_token": "a\\u0001b"}', b'{"access_token": "a", "expires_in": -1}'],
)
def test_what_is_no_token_goes_to_no_broker(answer, provider, monkeypatch):
    monkeypatch.setattr(Handler, "body", lambda *_: answer)
    credentials = ClientCredentials(
        provider.settings()["KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"], USER, PASSWORD, ""
    )

    with pytest.raises(BrokerUnavailable, match="answered with no token"):
        credentials.token()


@pytest.mark.parametrize("client", ["kafka-python", "confluent-kafka"])
def test_who_gets_no_token_is_told_by_whom(secured, provider, client):
    with pytest.raises(
        BrokerUnavailable, match=f":{provider.server_port}/token gives no token: it answered 401"
    ) as told:
        kafka.ensure_topics(
            settings_of(secured, client, **provider.settings(secret="wrong horse")), ["secured.none.v1"]
        )
    assert "horse" not in str(told.value)
