"""Tokens for brokers that ask an identity provider who connects (SASL/OAUTHBEARER, RFC 7628).

A process proves itself to the provider by its own id and secret (RFC 6749, client credentials), and is handed a token
that lives some minutes. Both Kafka clients ask here, so that a private authority, limits and errors are the same.
"""

import functools
import logging
import threading
import time
from dataclasses import dataclass
from urllib.parse import quote

import urllib3
from kafka.net.sasl.oauth import AbstractTokenProvider
from pydantic import BaseModel, Field, ValidationError

from ...bounded_read import read_within
from ...config import KafkaSettings
from ...errors import BrokerUnavailable
from ...outgoing import pool_for

log = logging.getLogger(__name__)

TIMEOUT = 5.0
LARGEST = 64 * 1024
RENEWED_AT = 0.8  # of a token's life


@dataclass(frozen=True, slots=True)
class Token:
    """``expires``: seconds since the epoch."""

    text: str
    expires: float


class _Answer(BaseModel):
    """RFC 6749, 5.1; the token as RFC 6750 writes one: nothing in it ends a field of the SASL message."""

    access_token: str = Field(pattern=r"^[A-Za-z0-9\-._~+/]+=*$")
    expires_in: float = Field(default=60, gt=0, allow_inf_nan=False)


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc] # kafka-python has no types
    """A token from the endpoint at ``url``, asked for again when four fifths of its life are over; one that lives goes
    on where the endpoint is away then.

    Threads may share it. BrokerUnavailable where the endpoint has none to give: it names the endpoint and the reason,
    never the secret.
    """

    def __init__(self, url: str, client_id: str, secret: str, scope: str) -> None:
        super().__init__()
        self._url = url
        self._fields = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        # RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
        self._headers = urllib3.make_headers(basic_auth=f"{quote(client_id, safe='')}:{quote(secret, safe='')}")
        self._pool = pool_for(url, retries=False, maxsize=1)
        self._lock = threading.Lock()
        self._current = Token("", 0)
        self._renew_at = self._ends_at = 0.0  # of the monotonic clock

    def token(self) -> str:
        """What kafka-python asks for."""
        return self.current().text

    def current(self) -> Token:
        """The token and its end, for confluent-kafka."""
        with self._lock:
            if time.monotonic() >= self._renew_at:
                self._renew()
            return self._current

    def _renew(self) -> None:
        asked_at = time.monotonic()
        try:
            self._current, seconds = self._asked()
        except BrokerUnavailable as error:
            if asked_at >= self._ends_at:
                raise
            log.warning("%s; the token that is there is used until it ends", error)
            self._renew_at = min(asked_at + TIMEOUT, self._ends_at)
        else:
            self._renew_at, self._ends_at = asked_at + seconds * RENEWED_AT, asked_at + seconds

    def _asked(self) -> tuple[Token, float]:
        asked_at = time.time()
        try:
            answer = _Answer.model_validate_json(self._answer())
        except ValidationError:  # which quotes what it read
            raise BrokerUnavailable(f"Kafka: {self._url} answered with no token") from None
        return Token(answer.access_token, asked_at + answer.expires_in), answer.expires_in

    def _answer(self) -> bytes:
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                fields=self._fields,
                encode_multipart=False,
                headers=self._headers,
                timeout=TIMEOUT,
                redirect=False,  # a secret goes where it was sent to
                preload_content=False,
            )
            try:
                body = read_within(answer, most=LARGEST, seconds=TIMEOUT)
            finally:
                answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise BrokerUnavailable(f"Kafka: {self._url} gives no token: {type(error).__name__}") from error
        if answer.status != 200:  # noqa: PLR2004 # OK
            raise BrokerUnavailable(f"Kafka: {self._url} gives no token: it answered {answer.status}")
        return body


@functools.lru_cache(maxsize=8)
def _provider(url: str, client_id: str, secret: str, scope: str) -> ClientCredentials:
    return ClientCredentials(url, client_id, secret, scope)


def provider_of(settings: KafkaSettings) -> ClientCredentials:
    """One for all connections of a process: they share its token."""
    return _provider(
        settings.kafka_sasl_oauthbearer_token_endpoint_url,
        settings.kafka_sasl_oauthbearer_client_id,
        settings.kafka_sasl_oauthbearer_client_secret.get_secret_value(),
        settings.kafka_sasl_oauthbearer_scope,
    )
