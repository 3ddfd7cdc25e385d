"""What can be set of the gateway, under the key ``gateway`` of the chart's values and of the file in the pod.

Keys are written in camelCase, as in all values files. Addresses, the issuer and the files may be templates
of Helm until they are rendered; ``envoy.envoy_config`` refuses those that are left.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

Port = Annotated[int, Field(ge=1, le=65535)]
Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# RFC 6749, section 3.3
Scope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5B\x5D-\x7E]+$")]
Seconds = Annotated[int, Field(ge=1, le=86400)]


def _url(text: str) -> str:
    url = urlsplit(text)
    if not url.hostname or url.port == 0:  # which raises ValueError for a port that is none
        raise ValueError("it has no host, or the port 0")
    _host(url.hostname)
    return text


HttpUrl = Annotated[str, Field(pattern=r"^https?://\S+$"), AfterValidator(_url)]

SAFE_METHODS = {"GET", "HEAD"}
LARGEST_BODY = 16 * 1024 * 1024
SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
OWN_CLUSTERS = {"gateway-admin", "gateway-telemetry"}
_SEGMENTS = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,=:@-]+)+")


# A name as DNS and resolvers take it (a label may have an underscore, as in docker compose); its last dot may be there.
_DNS_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)


def _host(text: str) -> str:
    """Of one host: else Envoy takes it, resolves nothing, and answers 503 for ever."""
    if text and "{{" not in text and not is_ip(text) and not _DNS_NAME.fullmatch(text):
        raise ValueError(f"{text!r} is no host: a name or an IP address, without scheme, port, path, space or wildcard")
    return text


Host = Annotated[str, AfterValidator(_host)]  # empty: none


def is_ip(host: str) -> bool:
    """Whether it is an address and no name; an IPv6 address may have its brackets."""
    try:
        ipaddress.ip_address(host[1:-1] if host.startswith("[") and host.endswith("]") else host)
    except ValueError:
        return False
    return True


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class Listen(Model):
    address: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a pod.")
    port: Port = Field(8080, description="Port for HTTP.")
    tls_port: Port = Field(8443, description="Port for HTTPS, if tls is enabled.")
    metrics_port: Port = Field(9100, description="Port for /metrics, /readyz and /healthz.")
    admin_port: Port = Field(9901, description="Port of Envoy's admin interface, on 127.0.0.1 only.")
    trusted_hops: int = Field(
        0,
        ge=0,
        le=10,
        description="Number of trusted proxies in front, whose X-Forwarded-For is used. 0: the peer is the client.",
    )
    max_connections: int = Field(
        10000, ge=1, description="Maximum number of concurrent client connections. Further ones are closed."
    )
    max_heap_megabytes: int = Field(
        160,
        ge=32,
        description="Heap size in MiB near which idle connections are closed and then requests are rejected.",
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        ports = [self.port, self.tls_port, self.metrics_port, self.admin_port]
        if len(set(ports)) < len(ports):
            raise ValueError("port, tlsPort, metricsPort and adminPort must be four different ports")
        return self


class Auth(Model):
    issuer: str = Field(min_length=1, max_length=500, description="Issuer (iss) of accepted tokens. May be a template.")
    audience: str = Field(min_length=1, max_length=200, description="Audience (aud) of accepted tokens.")
    jwks_upstream: str = Field(description="The upstream that publishes the issuer's keys.")
    jwks_path: str = Field(
        "/.well-known/jwks.json", pattern=r"^/\S*$", description="Path of the keys on that upstream."
    )
    jwks_cache_seconds: Seconds = Field(60, description="Seconds after which the keys are fetched again.")
    clock_skew_seconds: int = Field(30, ge=0, le=300, description="Allowed clock skew in seconds.")


class RateLimit(Model):
    requests: int = Field(
        ge=1, le=1_000_000, description="Number of requests per period, which is also the allowed burst."
    )
    seconds: Seconds = Field(1, description="Period in seconds.")


class RateLimits(Model):
    per_client: RateLimit | None = Field(
        None,
        description="Limit per client address (IPv6: /64) and gateway pod, for all routes without a limit of "
        "their own.",
    )
    max_clients: int = Field(
        10000,
        ge=1,
        le=1_000_000,
        description="Maximum number of clients to track. Beyond it, the least recently seen is dropped.",
    )


class RequestBody(Model):
    """The gateway keeps a body in memory until it is whole: a slow client holds no thread of a service."""

    max_bytes: int = Field(
        1024 * 1024,
        ge=1024,
        le=LARGEST_BODY,
        description="Maximum size of a request body in bytes; larger requests get 413. A route may have its own.",
    )
    seconds: int = Field(
        20,
        ge=1,
        le=3600,
        description="Maximum time in seconds in which a request arrives, from its first byte to its last; later ones "
        "get 408. It also holds for routes with streamBody, until their response begins.",
    )


class Cors(Model):
    origins: tuple[Annotated[str, Field(pattern=r"^https?://[^/\s*]+$")], ...] = Field(
        (), description="Origins allowed to call, for example https://shop.example.org."
    )


class Tls(Model):
    enabled: bool = Field(False, description="Listen on listen.tlsPort as well.")
    certificate_file: str = Field("/tls/tls.crt", min_length=1, description="File with the certificate chain, in PEM.")
    key_file: str = Field("/tls/tls.key", min_length=1, description="File with the private key, in PEM.")
    redirect: bool = Field(
        True,
        description="Whether HTTP is answered by a redirect (308) to HTTPS, but for routes below "
        "/.well-known/acme-challenge. false: HTTP serves all routes as well, in plain text.",
    )
    public_port: Port = Field(443, description="Port of HTTPS as clients see it, to which HTTP is redirected.")
    hsts_seconds: int = Field(
        31536000, ge=0, description="max-age of Strict-Transport-Security in seconds. 0: the header is not sent."
    )


class Telemetry(Model):
    otlp_endpoint: Literal[""] | HttpUrl = Field(
        "",
        description="Endpoint of the OpenTelemetry collector, for example http://otel-collector:4318. Empty: "
        "no spans are recorded.",
    )
    trace_sample_ratio: float = Field(0.1, ge=0, le=1, description="Ratio of new traces that are recorded.")


class UpstreamTls(Model):
    """The certificate of the upstream is always checked, its name included."""

    enabled: bool = Field(False, description="Whether the upstream is spoken to by TLS.")
    ca_file: str = Field(
        SYSTEM_CERTIFICATES,
        min_length=1,
        description="File with the authorities whose certificates it may have, in PEM. Default: those of the image.",
    )
    server_name: Host = Field(
        "", max_length=253, description="Name that its certificate must have. Default: the address. May be a template."
    )
    certificate_file: str = Field(
        "", description="File with the gateway's own certificate for it (mTLS), in PEM. Empty: none is shown."
    )
    key_file: str = Field("", description="File with the private key of certificateFile, in PEM.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificateFile and keyFile belong together: name both or none")
        return self


class Upstream(Model):
    address: Host = Field(min_length=1, description="Host name or IP address. May be a template.")
    port: Port = Field(80, description="Port of the upstream. Default: 80, with tls.enabled 443.")
    protocol: Literal["http", "grpc"] = Field(
        "http", description="Protocol of the upstream: http is HTTP/1.1, grpc is HTTP/2."
    )
    max_connections: int = Field(1024, ge=1, description="Maximum number of concurrent connections to it.")
    max_pending_requests: int = Field(1024, ge=1, description="Maximum number of requests waiting for a connection.")
    max_requests: int = Field(1024, ge=1, description="Maximum number of concurrent requests to it.")
    tls: UpstreamTls = Field(default_factory=UpstreamTls, description="TLS to the upstream.")

    @model_validator(mode="before")
    @classmethod
    def _port_of_tls(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(tls := values.get("tls"), dict) and tls.get("enabled") is True:
            return {"port": 443} | values
        return values

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.tls.enabled and not self.tls.server_name and is_ip(self.address):
            raise ValueError(f"tls.serverName is missing: the name that the certificate of {self.address} must have")
        return self

    @property
    def authority(self) -> str:
        """Address and port as a URL has them, without the port that its scheme has anyway."""
        host = f"[{self.address.strip('[]')}]" if ":" in self.address else self.address
        return host if self.port == (443 if self.tls.enabled else 80) else f"{host}:{self.port}"


class Route(Model):
    """The first route that fits is taken; what fits none is answered with 404."""

    prefix: str | None = Field(
        None, description="Path prefix to match, by whole segments: /v1/users matches /v1/users/7."
    )
    path: str | None = Field(None, description="Exact path to match.")
    methods: tuple[Method, ...] = Field((), description="Methods to match. Empty: all.")
    upstream: str = Field(description="Name in upstreams to which requests are sent.")
    public: bool = Field(False, description="Whether requests need no token. A token that is sent is not checked.")
    scopes: tuple[Scope, ...] = Field(
        (), description="Scopes that the token must have, all of them. Empty: any valid token."
    )
    timeout_seconds: float = Field(
        15, gt=0, le=3600, description="Timeout in seconds until the response is complete, retries included."
    )
    retry: bool | None = Field(
        None, description="Whether to retry after 502, 503, 504 or a reset. Default: for GET and HEAD. Otherwise "
"only requests that reached no service are retried."
    )  # fmt: skip
    rate_limit: RateLimit | None = Field(None, description="Rate limit per client for this route.")
    stream: bool = Field(
        False, description="Whether the response is a stream (events, gRPC streams), which has no timeout."
    )
    max_body_bytes: int | None = Field(
        None,
        ge=1024,
        le=LARGEST_BODY,
        description="Maximum size of a request body in bytes for this route. Default: requestBody.maxBytes.",
    )
    stream_body: bool | None = Field(
        None,
        description="Whether the request body is passed on while it arrives, without a limit of its size: for large "
        "uploads and gRPC client streams. Default: for streams with other methods than GET and HEAD.",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if (self.prefix is None) == (self.path is None):
            raise ValueError("a route has either prefix or path: name exactly one of them")
        kind, value = ("prefix", self.prefix) if self.prefix is not None else ("path", self.path)
        if not self.where.startswith("/"):
            raise ValueError(f"{kind} {value!r} must begin with a slash")
        if self.where != "/" and (not _SEGMENTS.fullmatch(self.where) or {".", ".."} & set(self.where.split("/"))):
            raise ValueError(f"{kind} {value!r} must be a plain path: no empty or dotted parts, no slash at its end")
        if self.stream_body and self.max_body_bytes is not None:
            raise ValueError(
                f"the route {self.where} streams its body and limits it: remove streamBody or maxBodyBytes"
            )
        if self.public and self.scopes:
            raise ValueError(f"the route {self.where} is public and asks for scopes: remove one of the two")
        return self

    @property
    def only_reads(self) -> bool:
        return bool(self.methods) and SAFE_METHODS.issuperset(self.methods)

    @property
    def streams_body(self) -> bool:
        return self.stream and not self.only_reads if self.stream_body is None else self.stream_body

    @property
    def where(self) -> str:
        return self.path if self.path is not None else self.prefix or ""

    @property
    def retries(self) -> bool:
        if self.retry is not None:
            return self.retry
        return self.only_reads

    def covers(self, other: "Route") -> bool:
        """Whether every path of the other route fits this one as well."""
        if self.path is not None:
            return self.path == other.path
        return self.where in ("/", other.where) or other.where.startswith(f"{self.where}/")


class Transcode(Model):
    """JSON over HTTP for a gRPC service, by the google.api.http options in its description."""

    upstream: str = Field(description="The gRPC upstream.")
    descriptor_file: str = Field(
        min_length=1, description="File with the descriptor set of the services, imports included."
    )
    services: tuple[str, ...] = Field(
        min_length=1, description="Full names of the gRPC services, for example inventory.v1.InventoryService."
    )


class GatewaySettings(Model):
    listen: Listen = Field(default_factory=Listen, description="Addresses, ports and limits of the gateway.")
    auth: Auth | None = Field(None, description="Issuer of accepted tokens. Without it every route must be public.")
    rate_limit: RateLimits = Field(default_factory=RateLimits, description="Rate limits per client address.")
    request_body: RequestBody = Field(default_factory=RequestBody, description="Limits of request bodies.")
    cors: Cors = Field(default_factory=Cors, description="Cross-origin requests (CORS).")
    tls: Tls = Field(default_factory=Tls, description="HTTPS.")
    telemetry: Telemetry = Field(default_factory=Telemetry, description="Traces.")
    upstreams: Mapping[Name, Upstream] = Field(
        default_factory=dict, description="The services behind the gateway, by name."
    )
    transcode: Transcode | None = Field(None, description="Transcoding of JSON to gRPC.")
    routes: tuple[Route, ...] = Field(
        (), description="Routes, the first match wins. Paths without a route are not reachable."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [*_unknown_upstreams(self), *_unreachable(self.routes), *_without_issuer(self)]
        faults += [f"upstreams: {name} is a name of the gateway itself" for name in OWN_CLUSTERS & set(self.upstreams)]
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _unknown_upstreams(settings: GatewaySettings) -> list[str]:
    asked = {f"routes[{number}].upstream": route.upstream for number, route in enumerate(settings.routes)}
    if settings.auth:
        asked["auth.jwksUpstream"] = settings.auth.jwks_upstream
    if settings.transcode:
        asked["transcode.upstream"] = settings.transcode.upstream
    known = ", ".join(settings.upstreams)
    faults = [f"{key}: {name!r} is not in upstreams ({known})" for key, name in asked.items()
              if name not in settings.upstreams]  # fmt: skip
    if settings.transcode and not faults and settings.upstreams[settings.transcode.upstream].protocol != "grpc":
        faults.append(f"transcode.upstream: {settings.transcode.upstream} must have protocol: grpc")
    return faults


def _unreachable(routes: Sequence[Route]) -> list[str]:
    """Routes behind one that takes all of theirs: written twice, or in the wrong order."""
    faults = []
    for number, route in enumerate(routes):
        for earlier_number, earlier in enumerate(routes[:number]):
            takes_methods = not earlier.methods or (route.methods and set(route.methods) <= set(earlier.methods))
            if takes_methods and earlier.covers(route):
                kind = "is a duplicate of" if earlier.where == route.where else "is never reached, since it is behind"
                faults.append(f"routes[{number}] ({route.where}) {kind} routes[{earlier_number}] ({earlier.where})")
                break
    return faults


def _without_issuer(settings: GatewaySettings) -> list[str]:
    guarded = [number for number, route in enumerate(settings.routes) if not route.public]
    if settings.auth or not guarded:
        return []
    return [f"routes[{guarded[0]}] asks for a token, and auth is not set: name the issuer, or make the route public"]
