"""An authority that signs certificates, of clients and of servers."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """Signs certificates of clients and of servers."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed([("CN", "clients")], self.key, ca=True)

    def _signed(self, name, key, *, ca=False, hosts=()):
        kinds = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}
        subject = x509.Name([x509.NameAttribute(kinds[kind], value) for kind, value in name])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if ca else self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=2))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if hosts:
            names = [x509.DNSName(host) if isinstance(host, str) else host for host in hosts]
            made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def client(self, name):
        """Certificate and key, of a user with every right."""
        return self._pair([("O", "system:masters"), ("CN", name)])

    def server(self, *hosts):
        """Certificate and key."""
        return self._pair([("CN", hosts[0] if isinstance(hosts[0], str) else "named")], hosts=hosts)

    def named(self, name, names):
        """A certificate with names of any kind."""
        return self._signed([("CN", name)], ec.generate_private_key(ec.SECP256R1()), hosts=names)

    def write(self, folder, *hosts):
        """As a Secret that is mounted: tls.crt, tls.key and ca.crt, exchanged together when they are written anew."""
        certificate, key = self.server(*hosts)
        fresh = Path(tempfile.mkdtemp(dir=folder))
        for name, text in {"tls.crt": certificate, "tls.key": key, "ca.crt": pem(self.certificate)}.items():
            (fresh / name).write_text(text)
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(Path("..data") / name)
        (folder / "..new").symlink_to(fresh.name)
        (folder / "..new").replace(folder / "..data")
        return folder

    def _pair(self, name, **more):
        key = ec.generate_private_key(ec.SECP256R1())
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem(self._signed(name, key, **more)), encoded.decode()
