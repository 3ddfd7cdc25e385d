"""A certificate authority of one's own for development: made once and kept, so that it is trusted once.

Never for production: its key lies unprotected beside it.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .errors import GatewayConfigurationError

NAMES = ("localhost",)
ADDRESSES = ("127.0.0.1",)
CA_DAYS = 3650
LEAF_DAYS = 90
RENEW_BEFORE = timedelta(days=30)
EARLIER = timedelta(hours=1)  # clocks differ


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files: give ``ca`` to those who shall trust, the other two to the server."""

    ca: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def ensure(
    folder: Path, *, names: Sequence[str] = NAMES, addresses: Sequence[str] = ADDRESSES, now: datetime | None = None
) -> Certificates:
    """The certificates in the folder: made where they are missing, renewed where the end is near."""
    now = now or datetime.now(UTC)
    files = Certificates(folder / "ca.crt", folder / "tls.crt", folder / "tls.key")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = _load(files.ca, folder / "ca.key")
        if authority is None or _near_end(authority.certificate, now):
            authority = _make_authority(now)
            _write(folder / "ca.key", _key_text(authority.key))
            _write(files.ca, authority.certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
        leaf = _load(files.certificate, files.key)
        if leaf is None or _near_end(leaf.certificate, now) or not _fits(leaf, authority, names, addresses):
            leaf = _make_leaf(authority, names, addresses, now)
            _write(files.key, _key_text(leaf.key))
            _write(files.certificate, leaf.certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
    except OSError as error:
        raise GatewayConfigurationError(f"the development certificates in {folder}: {error}") from error
    return files


def _load(certificate: Path, key: Path) -> _Authority | None:
    """Both, or None where one is missing or can't be read: they are made anew then."""
    if not certificate.exists() or not key.exists():
        return None
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        public = x509.load_pem_x509_certificate(certificate.read_bytes())
    except ValueError:
        return None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or public.public_key() != private.public_key():
        return None
    return _Authority(public, private)


def _near_end(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_after_utc - now < RENEW_BEFORE


def _fits(leaf: _Authority, authority: _Authority, names: Sequence[str], addresses: Sequence[str]) -> bool:
    if leaf.certificate.issuer != authority.certificate.subject:
        return False
    try:
        leaf.certificate.verify_directly_issued_by(authority.certificate)
    except Exception:  # noqa: BLE001 # InvalidSignature, ValueError, TypeError: all mean no
        return False
    alternative = leaf.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(alternative) == set(_alternatives(names, addresses))


def _alternatives(names: Sequence[str], addresses: Sequence[str]) -> list[x509.GeneralName]:
    return [*map(x509.DNSName, names), *[x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]]


def _make_authority(now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial in the name: authorities of two folders never pass for one another.
    serial = x509.random_serial_number()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Slipway development"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Slipway development CA {serial:x}"[:64]),
        ]
    )
    builder = _builder(name, name, key.public_key(), serial=serial, now=now, days=CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _Authority(builder.sign(key, hashes.SHA256()), key)


def _make_leaf(authority: _Authority, names: Sequence[str], addresses: Sequence[str], now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else addresses[0])])
    issuer = authority.certificate.subject
    serial = x509.random_serial_number()
    builder = _builder(subject, issuer, key.public_key(), serial=serial, now=now, days=LEAF_DAYS)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName(_alternatives(names, addresses)), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (authority_key, False),
    ]
    for one, critical in extensions:
        builder = builder.add_extension(one, critical=critical)
    return _Authority(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, serial: int, now: datetime, days: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(serial).not_valid_before(now - EARLIER)
    return builder.not_valid_after(now + timedelta(days=days))


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Whole or not at all, and never readable for others even for a moment."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)
