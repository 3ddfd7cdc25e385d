import json
import urllib.error
import urllib.request

from slipway_chassis.errors import BrokerUnavailable
from slipway_chassis.telemetry.admin import serve_admin
from slipway_chassis.telemetry.health import Health


def _get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_admin_port_tells_health_and_metrics():
    def away():
        raise BrokerUnavailable("Kafka: connection refused")

    port = serve_admin("127.0.0.1", 0, Health({"kafka": away}))

    assert _get(port, "/healthz")[0] == 200
    status, body = _get(port, "/readyz")
    assert (status, json.loads(body)["checks"]["kafka"]["ok"]) == (503, False)
    assert "python_info" in _get(port, "/metrics")[1]
    assert _get(port, "/other")[0] == 404
