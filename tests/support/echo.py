"""A small service as a real process, as `slipway run` starts it, with two threads: what is sent comes back."""

import os
import sys
from contextlib import contextmanager

from slipway_chassis.embedded.processes import Child, free_port, port_open

ECHO = """
from flask import request
from slipway_chassis.http import Api, Input, Output
from slipway_chassis.service import service

api = Api("v1")

class Said(Input, Output):
    name: str

@api.post("/v1/echo")
def echo(body: Said) -> Said:
    return body

@api.get("/v1/scheme")
def scheme() -> Said:
    return Said(name=request.scheme)

ECHO = service("echo", apis=[api])
"""


@contextmanager
def running(folder, **settings):
    """Its port. A request must arrive within two seconds, and a pause may last ten."""
    port = free_port()
    (folder / "echo.py").write_text(ECHO)
    environment = {"PATH": os.environ["PATH"], "HTTP_PORT": str(port), "ADMIN_PORT": str(free_port())}
    environment |= {"PYTHONPATH": str(folder), "HTTP_THREADS": "2", "REQUEST_TIMEOUT": "2"} | settings
    child = Child("echo", [sys.executable, "-m", "slipway_chassis", "run", "echo", "http"], folder / "log", environment)
    child.start_and_wait(lambda: port_open(port), 60)
    try:
        yield port
    finally:
        child.stop()
