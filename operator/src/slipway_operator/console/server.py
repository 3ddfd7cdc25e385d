"""The console's address: a page, one stream of what changes, questions, and actions with a token; all of it bounded.

Browsers poll nothing: ``/api/events`` is a stream of server-sent events, each with the parts that changed.
"""

import contextlib
import json
import logging
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from slipway_chassis.errors import ChassisError
from slipway_chassis.telemetry.bounded_server import BoundedServer

from ..errors import ConsoleRefused
from .access import TOKEN_HEADER, host_is_here, is_foreign, is_token
from .board import Board
from .place import Place, Words

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 64
MOST_STREAMS = 8
REQUEST_SECONDS = 30.0
STALL_SECONDS = 10.0  # of a client that takes or sends nothing
HEARTBEAT_SECONDS = 10.0
STATE_SECONDS = 3.0
LARGEST_ACTION = 4 * 1024
REFUSAL_SECONDS = 1.0  # each takes so long, one after the other: no log is filled, and no token is guessed
LONGEST_PATH = 2000
MOST_WORDS = 10
LONGEST_WORD = 300

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/console.js": ("console.js", "text/javascript; charset=utf-8"),
    "/parts.js": ("parts.js", "text/javascript; charset=utf-8"),
    "/console.css": ("console.css", "text/css; charset=utf-8"),
    "/words.json": ("words.json", "application/json"),
}
JSON = "application/json"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Console(BoundedServer, ThreadingHTTPServer):
    """Listens when it is made: OSError where the port is taken. ``port`` 0: one that is free."""

    request_seconds, most_connections = REQUEST_SECONDS, MOST_CONNECTIONS
    daemon_threads = True
    block_on_close = False
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, place: Place, *, port: int, token: str, host: str = "127.0.0.1") -> None:
        self.place, self.token = place, token
        self.board = Board(place.sources)
        self.epoch = secrets.token_hex(4)  # a stream of a former run goes on from the beginning
        self.asking = threading.BoundedSemaphore(2)  # questions read files and brokers: two at a time
        self.acting, self.refusing = threading.Lock(), threading.Lock()
        self.streams = threading.BoundedSemaphore(MOST_STREAMS)
        self.ending = threading.Event()
        super().__init__((host, port), _Handler)
        self.port = int(self.server_address[1])
        self._serving: threading.Thread | None = None

    def start(self) -> None:
        """Answers from a thread of its own."""
        self._serving = threading.Thread(target=self.serve_forever, name="console", daemon=True)
        self._serving.start()

    def close(self) -> None:
        """Ends streams, threads and the port."""
        self.ending.set()
        self.board.close()
        if self._serving:
            self.shutdown()
            self._serving.join(2.0)
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news, and no traceback on the terminal."""


class _Handler(BaseHTTPRequestHandler):
    server: Console
    protocol_version = "HTTP/1.1"
    server_version = "slipway"
    sys_version = ""
    timeout = STALL_SECONDS

    def do_GET(self) -> None:
        with self._answering():
            path, words = self._asked()
            if path in FILES:
                self._file(*FILES[path])
            elif path == "/api/events":
                self._stream()
            elif path == "/api/state":
                self._json(HTTPStatus.OK, {**self._about(), "parts": self.server.board.whole(STATE_SECONDS)})
            elif path.removeprefix("/api/") in self.server.place.questions:
                self._question(path.removeprefix("/api/"), words)
            else:
                raise ConsoleRefused("there is no such page", status=HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        with self._answering():
            path, _ = self._asked()
            if path != "/api/actions":
                raise ConsoleRefused("there is no such page", status=HTTPStatus.NOT_FOUND)
            self._action()

    # --- what is asked
    @contextlib.contextmanager
    def _answering(self) -> Any:
        self.server.again(self.connection)
        try:
            yield
        except ConsoleRefused as error:
            self.close_connection = True  # its body was not read
            self._json(error.status, {"error": str(error)})
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except ChassisError as error:
            self._json(HTTPStatus.CONFLICT, {"error": str(error)})
        except Exception:
            log.exception("the console could not answer %s", self.path[:LONGEST_PATH])
            self.close_connection = True
            self._json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "the console failed; the log says more"})

    def _asked(self) -> tuple[str, dict[str, str]]:
        if not host_is_here(self.headers.get("Host"), self.server.port):
            raise ConsoleRefused(
                f"the console answers to http://127.0.0.1:{self.server.port} alone", status=HTTPStatus.FORBIDDEN
            )
        if len(self.path) > LONGEST_PATH:
            raise ConsoleRefused("the address is too long", status=HTTPStatus.REQUEST_URI_TOO_LONG)
        try:
            parts = urlsplit(self.path)
        except ValueError:
            raise ConsoleRefused("the address is none") from None
        headers = {name.title(): value for name, value in self.headers.items()}
        if parts.path not in FILES and is_foreign(headers, self.server.port):
            raise ConsoleRefused("a page of another origin asked", status=HTTPStatus.FORBIDDEN)
        try:
            words = dict(parse_qsl(parts.query, max_num_fields=MOST_WORDS))
        except ValueError:
            raise ConsoleRefused("too many words in the query") from None
        return parts.path, {name: value[:LONGEST_WORD] for name, value in words.items()}

    def _body(self, most: int) -> bytes:
        length = self.headers.get("Content-Length", "")
        if self.headers.get("Transfer-Encoding") or not length.isdecimal():
            raise ConsoleRefused("a body needs Content-Length", status=HTTPStatus.LENGTH_REQUIRED)
        if len(length) > len(str(most)) or int(length) > most:
            raise ConsoleRefused(f"a body has at most {most} bytes here", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self.rfile.read(int(length))

    # --- answers
    def _about(self) -> dict[str, Any]:
        place = self.server.place
        return {"place": place.name, "actions": sorted(place.actions), "questions": sorted(place.questions)}

    def _file(self, name: str, kind: str) -> None:
        self._send(HTTPStatus.OK, kind, resources.files(__package__).joinpath("page", name).read_bytes())

    def _question(self, name: str, words: Words) -> None:
        if not self.server.asking.acquire(timeout=STALL_SECONDS):
            raise ConsoleRefused("other questions are being answered: ask again", status=HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            answer = self.server.place.questions[name](words)
        finally:
            self.server.asking.release()
        self._json(HTTPStatus.OK, answer)

    def _action(self) -> None:
        body = self._body(LARGEST_ACTION)
        who = str(self.client_address[0])
        if not is_token(self.headers.get(TOKEN_HEADER), self.server.token):
            with self.server.refusing:
                self._audit(who, {}, "refused", "no token, or a wrong one")
                self.server.ending.wait(REFUSAL_SECONDS)
            raise ConsoleRefused("this needs the token: slipway console prints it", status=HTTPStatus.UNAUTHORIZED)
        words = _words_of(body)
        name = words.get("action", "")
        if name not in self.server.place.actions:
            raise ConsoleRefused(f"there is no such action, only: {', '.join(sorted(self.server.place.actions))}")
        with self.server.acting:
            try:
                said = self.server.place.actions[name](words)
            except BaseException as error:
                self._audit(
                    who, words, "failed", str(error) if isinstance(error, ChassisError) else type(error).__name__
                )
                raise
            said += self._audit(who, words, "done", said)
        self._json(HTTPStatus.OK, {"said": said})

    def _audit(self, who: str, words: Words, outcome: str, said: str) -> str:
        """What could not be noted is told: a full disk must not say that nothing was done, nor keep anybody from it."""
        try:
            self.server.place.audit({"who": who, "words": dict(words), "outcome": outcome, "said": said})
        except OSError as error:
            log.warning("an action could not be noted: %s %s: %s", outcome, dict(words), error)
            return f" (it could not be noted: {error.strerror})"
        return ""

    # --- the stream
    def _stream(self) -> None:
        if not self.server.streams.acquire(blocking=False):
            raise ConsoleRefused(
                f"{MOST_STREAMS} pages are open already: close one", status=HTTPStatus.SERVICE_UNAVAILABLE
            )
        self.close_connection = True
        self.server.stays(self.connection)
        try:
            self._head(HTTPStatus.OK, {"Content-Type": "text/event-stream", "Connection": "close"})
            with self.server.board.watched():
                self._follow(self._last_seen())
        finally:
            self.server.streams.release()

    def _last_seen(self) -> int:
        epoch, _, version = self.headers.get("Last-Event-ID", "").partition("-")
        return int(version) if epoch == self.server.epoch and version.isdecimal() and len(version) < 16 else 0  # noqa: PLR2004 # digits of any number that was sent

    def _follow(self, version: int) -> None:
        self._event("about", f"{self.server.epoch}-{version}", self._about())
        while not self.server.ending.is_set():
            version, parts = self.server.board.since(version, HEARTBEAT_SECONDS)
            if parts:
                self._event("parts", f"{self.server.epoch}-{version}", parts)
            else:
                self.wfile.write(b": still here\n\n")

    def _event(self, name: str, number: str, data: Any) -> None:
        self.wfile.write(f"event: {name}\nid: {number}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode())

    # --- bytes
    def _json(self, status: HTTPStatus, value: Any) -> None:
        with contextlib.suppress(OSError):
            self._send(status, JSON, json.dumps(value, allow_nan=False).encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self._head(status, {"Content-Type": kind, "Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers}.items():
            self.send_header(name, value)
        if self.close_connection and "Connection" not in headers:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the library's name
        """Reading is no news; actions are audited."""


def _words_of(body: bytes) -> dict[str, str]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(each, str) for each in found.values()):
        raise ConsoleRefused('the body is a JSON object of texts, such as {"action": "promote", "service": "orders"}')
    return {str(name)[:LONGEST_WORD]: value[:LONGEST_WORD] for name, value in found.items()}
