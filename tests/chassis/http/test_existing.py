"""``service(..., app=...)``: what an application did before, it does behind the edge of a service."""

import pytest
from flask import Blueprint, Flask, Response, abort, g, jsonify, request, session
from gunicorn.errors import AppImportError
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_flask_exporter import PrometheusMetrics

from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys
from slipway_chassis.errors import ConfigurationError, DatabaseUnavailable
from slipway_chassis.http import Api, current_parts, current_principal, current_resources, require_scopes
from slipway_chassis.http.server import _Server
from slipway_chassis.resources import Resources
from slipway_chassis.service import service


class Counted:
    """An extension, as they are: made without an application, and told of it later."""

    def __init__(self):
        self.torn_down = 0

    def init_app(self, app):
        app.extensions["counted"] = self
        app.teardown_request(self._count)
        app.add_url_rule("/healthz", "counted.health", lambda: "their own")

    def _count(self, _error):
        self.torn_down += 1


def create_app():
    """A site of before: pages, a JSON API in a blueprint, a log-in by session, hooks and error pages of its own."""
    app = Flask("notes")
    app.config |= {"SECRET_KEY": "test"}
    Counted().init_app(app)
    app.before_request(closed)
    app.after_request(mark)
    app.register_error_handler(404, lambda _error: ("<h1>nothing here</h1>", 404))
    app.register_error_handler(Exception, lambda error: (jsonify(oops=type(error).__name__), 500))
    app.register_blueprint(pages())
    app.register_blueprint(notes())
    return app


def closed():
    g.greeting = "hello"
    return ("closed", 503) if request.args.get("closed") else None


def mark(response):
    response.headers["X-Theirs"] = g.get("greeting", "")
    return response


def pages():
    found = Blueprint("pages", __name__)

    @found.get("/")
    def home():
        session["seen"] = session.get("seen", 0) + 1
        return f"{g.greeting}, seen {session['seen']}"

    @found.get("/file")
    def file():
        return Response((part for part in ("a", "b")), headers={"X-Request-Id": "their own"})

    @found.get("/away")
    def away():
        raise DatabaseUnavailable("PostgreSQL: secret host is down")

    found.add_url_rule("/metrics", "metrics", lambda: "their own")
    found.add_url_rule("/dav", "dav", lambda: "found", methods=["PROPFIND"])
    found.add_url_rule("/abort", "abort", lambda: abort(409))
    return found


def notes():
    found = Blueprint("notes", __name__, url_prefix="/notes")
    found.register_error_handler(Exception, lambda _error: (jsonify(oops="notes"), 500))

    @found.get("/<int:number>")
    def note(number):
        return jsonify(z=number, a="sorted by Flask, as ever")

    @found.get("/broken")
    def broken():
        raise ValueError("a fault of theirs")

    @found.post("/")
    @require_scopes("notes:write")
    def write():
        return jsonify(by=current_principal().subject), 201

    return found


def plain():
    app = Flask("plain")
    app.add_url_rule("/", "home", lambda: "here")
    return app


@pytest.fixture(name="verifier")
def _verifier(issuer):
    return Verifier(Keys(issuer.fetch), issuer=issuer.url, audience=issuer.audience)


@pytest.fixture(name="registry")
def _registry():
    return CollectorRegistry()


@pytest.fixture(name="app")
def _app(verifier, registry):
    return service("notes", app=create_app).build_app(Resources(verifier=verifier), registry=registry)


REQUESTS = [
    ("GET", "/"),
    ("GET", "/?closed=1"),
    ("GET", "/nowhere"),
    ("GET", "/notes/7"),
    ("GET", "/notes/broken"),
    ("DELETE", "/notes/7"),
    ("GET", "/abort"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("PROPFIND", "/dav"),
    ("GET", "/file"),
]


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_it_answers_as_before(app, method, path):
    before, now = (each.test_client().open(path, method=method) for each in (create_app(), app))

    without_id = {name: value for name, value in now.headers.items() if name != "X-Request-Id" or path == "/file"}
    assert (now.status, now.data, without_id) == (before.status, before.data, dict(before.headers))
    assert len(now.headers.getlist("X-Request-Id")) == 1


def test_sessions_and_teardown_go_on(app):
    client = app.test_client()

    assert [client.get("/").text for _ in range(2)] == ["hello, seen 1", "hello, seen 2"]
    assert app.extensions["counted"].torn_down == 2


def test_requests_are_counted_by_route_whoever_answers_them(app, registry):
    client = app.test_client()
    for path in ("/notes/1", "/notes/2", "/notes/3", "/notes/1?closed=1", "/nowhere"):
        client.get(path)

    def counted(rule, status):
        labels = {"method": "GET", "url_rule": rule, "status": status, "service": "notes"}
        return registry.get_sample_value("flask_http_request_duration_seconds_count", labels)

    note = "/notes/<int:number>"
    assert [counted(note, "200"), counted(note, "503"), counted("None", "404")] == [3, 1, 1]


def test_a_guarded_view_wants_a_token_with_its_scope(app, issuer):
    client = app.test_client()

    def write(token=""):
        answer = client.post("/notes/", headers={"Authorization": f"Bearer {token}"} if token else {})
        return answer.status_code, answer.content_type, answer.get_json()

    assert write()[:2] == (401, "application/problem+json")
    assert write(issuer.token("ada", scopes=["notes:read"]))[2]["detail"].endswith("notes:write.")
    assert write(issuer.token("ada", scopes=["notes:write"])) == (201, "application/json", {"by": "ada"})


def test_a_guarded_view_without_an_issuer_does_not_start():
    with pytest.raises(ConfigurationError, match=r"AUTH_ISSUER is not set, and notes\.write needs a token"):
        service("notes", app=create_app).build_app()


def test_a_part_of_the_chassis_that_is_away_is_a_problem(app):
    answer = app.test_client().get("/away")

    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert "secret" not in answer.text


def test_views_find_what_the_process_has_built():
    app = plain()
    app.add_url_rule("/built", "built", lambda: f"{current_parts(str)}, {current_resources().settings}")

    built = service("plain", app=app, parts=lambda resources: f"parts of {resources.settings}").build_app()

    assert built.test_client().get("/built").text == "parts of None, None"


def test_who_counts_by_the_exporter_goes_on_and_nothing_is_counted_twice(registry):
    app = plain()
    PrometheusMetrics(app, registry=registry)

    client = service("plain", app=app).build_app(registry=registry).test_client()

    assert client.get("/").status_code == 200
    text = generate_latest(registry).decode()
    assert 'flask_http_request_total{method="GET",status="200"} 1.0' in text
    assert "service=" not in text
    assert client.get("/metrics").data.startswith(b"#")


def test_an_application_can_be_built_again_by_its_own_service_alone(registry):
    app = plain()
    declared = service("plain", app=app)
    declared.build_app().test_client().get("/")

    client = declared.build_app(registry=registry).test_client()

    client.get("/")
    assert registry.get_sample_value(
        "flask_http_request_total", {"method": "GET", "status": "200", "service": "plain"}
    ) == pytest.approx(1)
    with pytest.raises(ConfigurationError, match="is that of the service plain already"):
        service("other", app=app).build_app()


def test_an_application_that_has_answered_can_not_be_prepared():
    app = plain()
    app.test_client().get("/")

    with pytest.raises(ConfigurationError, match="has answered requests already"):
        service("plain", app=app).build_app()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"app": "app:app"}, "plain: app= takes a Flask application, or a function"),
        ({"app": Flask}, "needs no arguments"),
        ({"app": plain, "pages": [Blueprint("p", __name__)]}, "plain: pages= can't be given beside app="),
        ({"app": plain, "apis": [Api("v1")]}, "plain: apis= can't be given beside app="),
        ({"app": plain, "problems": {KeyError: 404}}, "plain: problems= can't be given beside app="),
    ],
)
def test_what_can_not_be_combined_is_refused_where_it_is_declared(options, said):
    with pytest.raises(ConfigurationError, match=said):
        service("plain", **options)


def test_a_function_that_makes_something_else_is_named():
    with pytest.raises(ConfigurationError, match="made a dict, not a Flask application"):
        service("plain", app=lambda: {1: 2}).build_app()


def test_a_server_that_can_not_build_ends_with_the_sentence():
    def build():
        raise ConfigurationError("AUTH_ISSUER is not set")

    with pytest.raises(AppImportError, match="error: AUTH_ISSUER is not set"):
        _Server(build, {}).load()
