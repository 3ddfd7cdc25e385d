"""A gateway by the prefix of the path: no token, no limit, and whatever comes is passed on."""

import os
import urllib.request

from flask import Flask, Response, request

app = Flask(__name__)
UPSTREAMS = {"v1/orders": os.environ["ORDERS"], "v2/users": os.environ["USERS"]}


@app.route("/<path:path>", methods=["GET", "POST"])
def pass_on(path: str) -> Response:
    upstream = next(address for prefix, address in UPSTREAMS.items() if path.startswith(prefix))
    asked = urllib.request.Request(f"{upstream}/{path}", request.get_data() or None, dict(request.headers))
    with urllib.request.urlopen(asked) as answer:
        return Response(answer.read(), answer.status)


app.run(port=int(os.environ["PORT"]))
