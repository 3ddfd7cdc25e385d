"""One trace from the request to the projection, seen by a real OTLP receiver."""

import http.client
import json
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from slipway_chassis.embedded.processes import free_port
from support.shop import settings_of

pytestmark = pytest.mark.integration


@pytest.fixture(name="collector")
def _collector():
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip  # noqa: PLC0415

                body = gzip.decompress(body)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                [service] = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
                for scope in resource.scope_spans:
                    server.spans += [(service, span) for span in scope.spans]
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.spans = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def test_one_trace_leads_from_the_request_to_the_projection(collector, postgresql, kafka, eventually, issuer):
    issuer.start()
    ports = {name: free_port() for name in ("users", "orders")}
    common = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "TRACE_SAMPLE_RATIO": "0",  # only what comes in sampled
    }
    urls = {name: postgresql.ensure_database(f"{name}{uuid.uuid4().hex[:8]}") for name in ports}

    def start(service, process):
        own = {"DATABASE_URL": urls[service], "HTTP_PORT": str(ports[service]), "ADMIN_PORT": str(free_port())}
        argv = [sys.executable, "-m", "slipway_chassis", "run", service, process]
        return subprocess.Popen(
            argv, env=settings_of(service, issuer.url, issuer.audience) | common | own, stdout=subprocess.DEVNULL
        )

    for name in ports:
        assert start(name, "migrate").wait(60) == 0
    started = [start(*one.split()) for one in ("orders http", "orders relay", "users consumer")]
    try:
        trace = uuid.uuid4().hex
        user_id = str(uuid.uuid4())
        order = {"user_id": user_id, "item": "tea", "quantity": 1, "unit_price_cents": 350}
        token = issuer.token(user_id, scopes=["orders:write"])
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        headers |= {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}

        def placed():
            connection = http.client.HTTPConnection("127.0.0.1", ports["orders"], timeout=10)
            try:
                connection.request("POST", "/v1/orders", json.dumps(order), headers)
                return connection.getresponse().status == 201
            except OSError:
                return False

        eventually(placed)

        def of_trace():
            found = [(service, s) for service, s in collector.spans if s.trace_id.hex() == trace]
            return found if len(found) >= 3 else None

        found = eventually(of_trace)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(40)
        issuer.stop()
    spans = {span.name: (service, span) for service, span in found}
    request, publish, process = (
        spans[name] for name in ("POST", "publish orders.OrderPlaced.v1", "process orders.OrderPlaced.v1")
    )
    assert [service for service, _ in (request, publish, process)] == ["orders", "orders", "users"]
    assert request[1].parent_span_id.hex() == "00f067aa0ba902b7"
    assert publish[1].parent_span_id == request[1].span_id
    assert process[1].parent_span_id == publish[1].span_id
    assert {a.key: a.value.string_value for a in request[1].attributes}["http.route"] == "/v1/orders"


def test_the_process_that_answers_http_carries_no_kafka_client():
    code = (
        "import sys; from orders.bootstrap import SERVICE; import slipway_chassis.processes.http;"
        " from slipway_chassis.resources import Resources;"
        " SERVICE.build_app(Resources(verifier=object()), with_parts=False);"
        " print(sorted({'kafka', 'confluent_kafka'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
