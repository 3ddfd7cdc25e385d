"""Idempotency-Key: a POST that is sent again, because its answer was lost, has its effect once.

The answer is stored in the transaction of the effect, so that there is never one without the other, kill -9
included. A transaction that fails stores nothing: then the same key may try again. The same key with
another body is a mistake of the caller (422); while the first request is being worked on, another with
its key gets 409. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import json
import re
from dataclasses import dataclass

from flask import Response, request
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from ..database import try_lock
from ..events.tables import idempotency_keys
from .edge import current_principal
from .problems import Problem

REPLAYED = Counter("idempotency_replayed_total", "Responses replayed for a repeated Idempotency-Key")

STORED_HEADERS = ("Content-Type", "Location")
_KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """``owner`` keeps keys of different callers and routes apart; ``request_hash`` is of query and body."""

    owner: str
    key: str
    request_hash: str

    @staticmethod
    def of_request() -> "IdempotencyKey | None":
        """The key of this Flask request, None where it has none; a malformed one is a problem."""
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return None
        if not _KEY.fullmatch(key):
            raise Problem(400, "Idempotency-Key must be 1 to 128 visible ASCII characters, for example a UUID.")
        principal = current_principal()
        owner = f"{principal.subject if principal else ''} {request.method} {request.path}"
        return IdempotencyKey(
            owner[:1000], key, hashlib.sha256(request.query_string + b"\0" + request.get_data()).hexdigest()
        )

    def find(self, session: Session) -> Response | None:
        """The stored answer, if the key was used; then nothing must be done any more."""
        if not try_lock(session, f"{self.owner} {self.key}"):
            raise self._under_way()
        table = idempotency_keys
        stored = session.execute(
            select(table.c.request_hash, table.c.status, table.c.headers, table.c.body).where(
                table.c.owner == self.owner, table.c.key == self.key
            )
        ).one_or_none()
        if stored is None:
            return None
        if stored.request_hash != self.request_hash:
            raise Problem(422, "This Idempotency-Key was used with another body. Use a new key for a new request.")
        REPLAYED.inc()
        headers = json.loads(stored.headers) | {"Idempotency-Replayed": "true"}
        return Response(stored.body, stored.status, headers)

    def store(self, session: Session, response: Response) -> None:
        session.flush()  # the effect first: its errors are the ones to show
        headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
        values = {
            "owner": self.owner,
            "key": self.key,
            "request_hash": self.request_hash,
            "status": response.status_code,
            "headers": json.dumps(headers),
            "body": response.get_data(as_text=True),
        }
        statement = upsert(idempotency_keys).values(values).on_conflict_do_nothing()
        if session.execute(statement.returning(idempotency_keys.c.key)).one_or_none() is None:
            raise self._under_way()

    @staticmethod
    def _under_way() -> Problem:
        detail = "A request with this Idempotency-Key is being worked on. Ask again for its answer."
        return Problem(409, detail, headers={"Retry-After": "1"})
