"""A gateway as one would write it in Flask: checks the token, passes the request on."""

import json
import os
import urllib.request

import urllib3
from flask import Flask, Response, request
from joserfc import jwt
from joserfc.jwk import KeySet

app = Flask("gateway")
pool = urllib3.PoolManager(maxsize=32)
with urllib.request.urlopen(f"{os.environ['AUTH_ISSUER']}/.well-known/jwks.json", timeout=10) as answer:
    keys = KeySet.import_key_set(json.load(answer))


@app.get("/<path:path>")
def forward(path):
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
    if "items:read" not in claims["scope"].split():
        return Response(status=403)
    upstream = pool.request("GET", f"{os.environ['UPSTREAM']}/{path}")
    return Response(upstream.data, upstream.status, content_type=upstream.headers["Content-Type"])
