"""An authority that signs certificates, of clients and of servers."""

from datetime import UTC, datetime, timedelta

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

    def _signed(self, name, key, *, ca=False, host=""):
        names = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME}
        subject = x509.Name([x509.NameAttribute(names[kind], value) for kind, value in name])
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
        if host:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def client(self, name):
        """Certificate and key, of a user with every right."""
        return self._pair([("O", "system:masters"), ("CN", name)])

    def server(self, host):
        """Certificate and key."""
        return self._pair([("CN", host)], host=host)

    def _pair(self, name, **more):
        key = ec.generate_private_key(ec.SECP256R1())
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return pem(self._signed(name, key, **more)), encoded.decode()
