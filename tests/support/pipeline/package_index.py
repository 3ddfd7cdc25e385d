"""A package index: files by POST, and by GET which are there with which hash, and they themselves."""

import hashlib
import re
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLACE = "/packages/pypi"


class PackageIndex:
    """Within ``with``: its address. ``files``: content by name; ``refused``: uploads of what is there already."""

    def __init__(self, host="127.0.0.1"):
        self._host = host
        self.files, self.refused = {}, []

    def take(self, headers, body):
        parts = BytesParser().parsebytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
        [file] = [part for part in parts.get_payload() if part.get_filename()]
        if file.get_filename() in self.files:
            self.refused.append(file.get_filename())
            return 400
        self.files[file.get_filename()] = file.get_payload(decode=True)
        return 200

    def given(self, path):
        """(status, content) of a file, or of the page of a package; a package that nobody has uploaded is not there."""
        name = path.strip("/").rpartition("/")[2]
        if not path.startswith(f"{PLACE}/simple/"):
            return (200, self.files[name]) if name in self.files else (404, b"")
        links = [
            f'<a href="../../{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a>'
            for file, content in self.files.items()
            if file.partition("-")[0] == re.sub(r"[-_.]+", "_", name)
        ]
        return 200 if links else 404, f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()

    def __enter__(self):
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.answer(index.take(self.headers, self.rfile.read(int(self.headers["Content-Length"]))), b"")

            def do_GET(self):
                self.answer(*index.given(self.path))

            do_HEAD = do_GET

            def answer(self, status, body):
                self.send_response(status if self.headers["Authorization"] or self.command != "POST" else 401)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer((self._host, 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://{self._host}:{self._server.server_port}{PLACE}"

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
