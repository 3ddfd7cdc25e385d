"""The URL of a database: as libpq takes it, in the form that SQLAlchemy takes."""

import re
from urllib.parse import quote

from pydantic import SecretStr


def for_sqlalchemy(value: SecretStr) -> SecretStr:
    """Of a URL as people and libpq write it; ValueError, without any part of it, where it is none."""
    scheme, separator, rest = value.get_secret_value().partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return SecretStr(f"postgresql+psycopg://{_hosts_as_query(rest)}")


def _hosts_as_query(rest: str) -> str:
    """``h1:5432,h2:5433``, as libpq takes it, in the form that SQLAlchemy takes; and a password with a raw @."""
    place, slash, path = rest.partition("/")
    user, at, hosts = place.rpartition("@")
    user = user.replace("@", "%40")
    is_cut = "@" in path.partition("?")[0]  # a raw / ended the password
    if is_cut or not all(_HOST.fullmatch(host) for host in hosts.partition("?")[0].split(",")):
        raise ValueError(
            "must look like postgresql://user:password@host:5432/database: of user and password, "
            "/ ? # and : are written as %2F %3F %23 and %3A"
        )
    if "," not in hosts:
        return f"{user}{at}{hosts}{slash}{path}"
    database, _, query = path.partition("?")
    # Of [::1]:5432 the brackets belong to the URL, not to the address.
    split = [host.rpartition(":") if _has_port(host) else (host, ":", "5432") for host in hosts.split(",")]
    addresses = ",".join(address.strip("[]") for address, _, _ in split)
    ports = ",".join(port for _, _, port in split)
    return f"{user}{at}{slash}{database}?" + "&".join(
        [f"host={quote(addresses, safe=',:')}", f"port={ports}", *([query] if query else [])]
    )


_HOST = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[^:@#\[\]]*)(:\d{1,5})?")


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdecimal() and not host.endswith("]")
