"""A service of nothing but the standard library, which starts at once: for tests of what runs services.

Usage: light_service.py http|consumer|relay|worker|migrate. ``BAD`` says what does not work: start, gate or migration.
Two that consume at once are written to ``LIGHT_FOLDER/violations``.
"""

import fcntl
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BAD = os.environ.get("BAD", "")
FOLDER = Path(os.environ["LIGHT_FOLDER"])
VERSION = os.environ["SERVICE_VERSION"]
CONSUMING = ("consumer", "worker")


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status, body = 200, {"version": VERSION}
        if self.path == "/check" and BAD == "gate":
            status = 500
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def serve(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main(process):
    if process == "migrate":
        sys.exit("the column is there already" if BAD == "migration" else 0)
    if process == "http" and BAD == "start":
        sys.exit("a setting is missing")
    asked_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    lock = (FOLDER / "consumer.lock").open("w")
    if process in CONSUMING:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with (FOLDER / "violations").open("a") as violations:
                violations.write(f"a consumer of {VERSION} began beside another one\n")
    if process == "http":
        serve(int(os.environ["HTTP_PORT"]))
    serve(int(os.environ["ADMIN_PORT"]))
    asked_to_end.wait()
    if process in CONSUMING:
        time.sleep(1)  # its batch


if __name__ == "__main__":
    main(sys.argv[1])
