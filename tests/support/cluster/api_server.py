"""A real kube-apiserver with its etcd, as child processes: schemas, CEL, defaults and tables are its own."""

import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes.client import ApiClient, Configuration
from urllib3.exceptions import HTTPError

from slipway_chassis.embedded.processes import Child, free_port, port_open
from support.tools import tool

TOKEN = "for-this-test-alone"  # noqa: S105 # of a server that lives as long as the test
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class ApiServer:
    """``options``: further flags of kube-apiserver."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.port, client, peer = free_port(), free_port(), free_port()
        etcd = f"http://127.0.0.1:{client}"
        self.etcd_port = client
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
        self._etcd = Child(
            "etcd",
            [
                str(tool("etcd")), f"--data-dir={folder}/etcd", f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}", f"--listen-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
                f"--initial-cluster=default=http://127.0.0.1:{peer}", "--unsafe-no-fsync",
            ],
            folder / "etcd.log", env=environment,
        )  # fmt: skip
        self._server = Child(
            "kube-apiserver",
            [
                str(tool("kube-apiserver")), f"--etcd-servers={etcd}", f"--secure-port={self.port}",
                "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={folder}/certs",
                f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC",
                "--service-cluster-ip-range=10.0.0.0/20", "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={folder}/accounts.key",
                f"--service-account-signing-key-file={folder}/accounts.key",
                "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none",
                "--enable-priority-and-fairness=false", *options,
            ],
            folder / "kube-apiserver.log", env=environment,
        )  # fmt: skip

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        (self.folder / "accounts.key").write_bytes(encoded)
        (self.folder / "tokens.csv").write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        try:
            self._etcd.start_and_wait(lambda: port_open(self.etcd_port), 60)
            self._server.start_and_wait(self._ready, 120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._server.stop()
        self._etcd.stop()

    def stop_server(self):
        """The storage stays."""
        self._server.stop()

    def start_server(self):
        self._server.start_and_wait(self._ready, 120)

    def _ready(self):
        try:
            return self.call("GET", "/readyz", raw=True)[0] == 200
        except (OSError, HTTPError):
            return False

    def call(self, method, path, body=None, *, raw=False, accept="application/json", content="application/json"):
        """Status and answer, whatever the status is."""
        server = f"https://127.0.0.1:{self.port}"
        # The certificate is of this folder, and it is the only one that is trusted.
        trusted = Configuration(server, ssl_ca_cert=str(self.folder / "certs" / "apiserver.crt"), assert_hostname=False)
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": accept, "Content-Type": content}
        with ApiClient(trusted) as client:
            answer = client.call_api(method, server + path, headers, body, _request_timeout=30)
            text = answer.read()
        return answer.status, text if raw else json.loads(text)


NEEDS = [name for name in ("etcd", "kube-apiserver") if tool(name) is None]
