"""A gateway as one would write it in Flask: checks the token, passes the request and the answer on, headers too."""

import json
import os
import urllib.request

import urllib3
from flask import Flask, Response, request
from joserfc import jwt
from joserfc.jwk import KeySet

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "host", "content-length"}

app = Flask("gateway")
pool = urllib3.PoolManager(maxsize=32)
with urllib.request.urlopen(f"{os.environ['AUTH_ISSUER']}/.well-known/jwks.json", timeout=10) as answer:
    keys = KeySet.import_key_set(json.load(answer))
claims = jwt.JWTClaimsRegistry(
    leeway=30,
    iss={"essential": True, "value": os.environ["AUTH_ISSUER"]},
    aud={"essential": True, "value": "test"},
    exp={"essential": True},
)


@app.route("/<path:path>", methods=["GET", "POST", "PUT", "DELETE"])
def forward(path):
    token = jwt.decode(request.headers.get("Authorization", "").removeprefix("Bearer "), keys, algorithms=["ES256"])
    claims.validate(token.claims)
    if "items:read" not in token.claims["scope"].split():
        return Response(status=403)
    upstream = pool.request(
        request.method,
        f"{os.environ['UPSTREAM']}/{path}",
        headers={key: value for key, value in request.headers if key.lower() not in HOP_BY_HOP},
        body=request.get_data(),
        retries=False,
    )
    headers = [(key, value) for key, value in upstream.headers.items() if key.lower() not in HOP_BY_HOP]
    return Response(upstream.data, upstream.status, headers)
