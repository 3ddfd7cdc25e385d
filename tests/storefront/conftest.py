"""The storefront behind Flask's test client, and what stands for the services behind it: HTTP servers with the
answers of users and orders, and a gRPC server with an inventory.
"""

import hashlib
import json
import threading
import uuid
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import grpc
import pytest
from cryptography.fernet import Fernet

from slipway_chassis.auth import Verifier
from slipway_chassis.auth.keys import Keys, http_fetch
from slipway_chassis.resources import Resources
from slipway_chassis.testing.issuer import FakeIssuer
from storefront.adapters.inventory_v1 import inventory_pb2 as pb
from storefront.adapters.inventory_v1 import inventory_pb2_grpc as pb_grpc
from storefront.bootstrap import SERVICE
from storefront.settings import StorefrontSettings

ADA = str(uuid.UUID(int=1))
WHEN = "2026-01-02T03:04:05Z"
SIGN_IN_FORM = """<!doctype html><html lang="en"><title>Sign in</title><form method="post">
<input name="email"><input name="password" type="password"><button type="submit">Sign in</button></form></html>"""


class BackEnd:
    """An HTTP server. ``slow``: it answers after five seconds, or when the test is over. ``gone``: it hangs up without
    an answer. ``status``: with its body, the answer to everything.
    """

    def __init__(self):
        self.slow, self.gone, self.status = False, False, None
        self.asked = []
        self.over = threading.Event()
        back_end = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet

            def do_GET(self):
                if back_end.gone:
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                address = urlsplit(self.path)
                asked = SimpleNamespace(
                    method=self.command,
                    path=address.path,
                    query=parse_qs(address.query),
                    headers=self.headers,
                    body=body,
                )
                back_end.asked.append(asked)
                if back_end.slow:
                    back_end.over.wait(5)
                status, found, *headers = back_end.status or back_end.answer(asked)
                content = found.encode() if isinstance(found, str) else json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html" if isinstance(found, str) else "application/json")
                self.send_header("Content-Length", str(len(content)))
                for name, value in dict(*headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # who asked has given up
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def asked_for(self, path):
        return [asked for asked in self.asked if asked.path == path]


def problem(status, detail, **more):
    return status, {"title": "Problem", "status": status, "detail": detail, **more}


class Users(BackEnd):
    def __init__(self, issuer):
        super().__init__()
        self.issuer = issuer
        self.accounts = {}
        self.codes = {}
        self.orders = []
        self.refused = False
        self.lifetime = 300
        self.nonce = None

    def answer(self, asked):
        if asked.path == "/oauth/authorize":
            return self._authorize(asked)
        if asked.path == "/oauth/token":
            return self._token(parse_qs(asked.body))
        if asked.path == "/v2/users":
            return self._register(json.loads(asked.body))
        if not asked.headers.get("Authorization", "").startswith("Bearer "):
            return problem(401, "Not authenticated.")
        if asked.path == "/v2/users/me":
            return 200, {"id": ADA, "name": "Ada", "email": "ada@example.org", "registered_at": WHEN}
        return 200, {"orders": self.orders}

    def _register(self, wanted):
        if wanted["email"] in self.accounts:
            return problem(409, "The address is taken.")
        if len(wanted["password"]) < 10:
            fault = {"pointer": "/password", "detail": "String should have at least 10 characters"}
            return problem(422, "The body does not fit: 1 error(s).", errors=[fault])
        self.accounts[wanted["email"]] = wanted["password"]
        return 201, {"id": ADA, "name": wanted["name"], "email": wanted["email"], "registered_at": WHEN}

    def _authorize(self, asked):
        if asked.method == "GET":
            return 200, SIGN_IN_FORM
        form = {name: values[0] for name, values in parse_qs(asked.body).items()}
        if self.accounts.get(form["email"]) != form["password"]:
            return 401, SIGN_IN_FORM
        return 302, "", {"Location": self.redirect(asked.query)}

    def redirect(self, query):
        """Where the browser is sent to after the password."""
        query = {name: values[0] for name, values in query.items()}
        code = uuid.uuid4().hex
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def _token(self, form):
        form = {name: values[0] for name, values in form.items()}
        if self.refused:
            return 400, {"error": "invalid_grant"}
        if form["grant_type"] == "refresh_token":
            return 200, self._tokens()
        wanted = self.codes.pop(form["code"], None)
        made = urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if wanted is None or made != wanted["code_challenge"] or form["redirect_uri"] != wanted["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        nonce = self.nonce or wanted["nonce"]
        return 200, self._tokens() | {
            "id_token": self.issuer.token(ADA, audience="storefront", nonce=nonce, name="Ada")
        }

    def _tokens(self):
        token = self.issuer.token(ADA, scopes=["users:read"], lifetime=self.lifetime, jti=uuid.uuid4().hex)
        return {"access_token": token, "refresh_token": uuid.uuid4().hex, "expires_in": self.lifetime}


class Orders(BackEnd):
    def __init__(self):
        super().__init__()
        self.orders = {}

    def answer(self, asked):
        if not asked.headers.get("Authorization"):
            return problem(401, "Not authenticated.")
        _, _, _, order_id, action, *_ = [*asked.path.split("/"), "", ""]
        if order_id and order_id not in self.orders:
            return problem(404, f"There is no order {order_id}.")
        if asked.method == "GET":
            return 200, self.orders[order_id] if order_id else {"orders": list(self.orders.values()), "next": None}
        if action:
            return getattr(self, action)(self.orders[order_id], json.loads(asked.body or "{}"))
        return self.place(json.loads(asked.body))

    def place(self, wanted):
        if wanted["quantity"] < 1:
            return problem(422, "Wrong.", errors=[{"pointer": "/quantity", "detail": "Input should be at least 1"}])
        order = wanted | {
            "id": str(uuid.uuid4()),
            "total_cents": wanted["quantity"] * wanted["unit_price_cents"],
            "placed_at": WHEN,
            "status": "placed",
            "reason": "",
        }
        self.orders[order["id"]] = order
        return 201, order

    def pay(self, order, wanted):
        if wanted["card"] == "card-declined":
            return problem(402, "The card was declined. Use another.")
        if wanted["card"] == "card-unavailable":
            return problem(503, "The payment provider does not answer.")
        if order["status"] != "confirmed":
            return problem(409, "The order can't be paid now.")
        order["status"] = "paid"
        return 200, order

    def cancel(self, order, _wanted):
        order["status"] = "cancelled"
        return 200, order


class Inventory(pb_grpc.InventoryServiceServicer):
    def __init__(self):
        self.slow = False
        self.calls = 0
        self.over = threading.Event()
        self.items = {
            "tea-green": pb.Item(sku="tea-green", name="Green tea", price_cents=450, available=7),
            "tea-black": pb.Item(sku="tea-black", name="Black <tea>", price_cents=399, available=0),
        }
        self.server = grpc.server(ThreadPoolExecutor(16))
        pb_grpc.add_InventoryServiceServicer_to_server(self, self.server)
        self.target = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def ListItems(self, request, context):
        self.calls += 1
        if self.slow:
            self.over.wait(5)
        return pb.ListItemsResponse(items=self.items.values())

    def GetItem(self, request, context):
        if request.sku not in self.items:
            context.abort(grpc.StatusCode.NOT_FOUND, "There is no such item.")
        return pb.GetItemResponse(item=self.items[request.sku])

    def stop(self):
        self.over.set()
        self.server.stop(None).wait(5)


@pytest.fixture(scope="session", name="shop_issuer")
def _shop_issuer():
    issuer = FakeIssuer(audience="slipway").start()
    yield issuer
    issuer.stop()


@pytest.fixture(name="back_ends")
def _back_ends(shop_issuer):
    known = SimpleNamespace(issuer=shop_issuer, users=Users(shop_issuer), orders=Orders(), inventory=Inventory())
    yield known
    for one in (known.users, known.orders, known.inventory):
        one.stop()


@pytest.fixture(name="settings")
def _settings(back_ends):
    return StorefrontSettings(
        users_url=back_ends.users.url,
        orders_url=back_ends.orders.url,
        inventory_target=back_ends.inventory.target,
        public_url="http://localhost",
        session_secret=Fernet.generate_key().decode(),
        auth_issuer=back_ends.issuer.url,
        auth_audience="slipway",
        part_timeout_seconds=2,  # tests run on machines with other things to do
    )


@pytest.fixture(name="app_of")
def _app_of(back_ends):
    def app_of(settings, *, draining=False):
        verifier = Verifier(
            Keys(http_fetch(f"{settings.auth_issuer}/.well-known/jwks.json")),
            issuer=settings.auth_issuer,
            audience=settings.auth_audience,
        )
        return SERVICE.build_app(Resources(verifier=verifier, settings=settings, draining=lambda: draining))

    return app_of


@pytest.fixture(name="app")
def _app(app_of, settings):
    return app_of(settings)


@pytest.fixture(name="browser")
def _browser(app):
    return app.test_client()


@pytest.fixture(name="sign_in")
def _sign_in(back_ends):
    def sign_in(browser, back="/"):
        """As a browser goes through it; returns the answer that ends it."""
        to_issuer = browser.get("/sign-in", query_string={"next": back})
        query = parse_qs(urlsplit(to_issuer.headers["Location"]).query)
        return browser.get(back_ends.users.redirect(query))

    return sign_in


@pytest.fixture(name="ada")
def _ada(browser, sign_in):
    """A browser that is signed in."""
    assert sign_in(browser).status_code == 303
    return browser
