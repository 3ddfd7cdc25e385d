"""TLS before a PostgreSQL that was built without: what the wheel of the laptop and of ci/airgap has.

A client asks for TLS by PostgreSQL's own first message (SSLRequest), is shown a certificate, and speaks to the server
behind; who does not ask is not answered. The certificate is read for each connection, so a renewed one is in use at
once. It needs the standard library alone, so that a pod can run it from its source:
``python -c SOURCE PORT BEHIND CERTIFICATE KEY``.
"""

import asyncio
import ssl
import struct
import sys
from contextlib import suppress

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104  # as message flow of the protocol has them


async def serve(port, behind, certificate, key):
    """Until it is cancelled; ``behind`` is the port of the server on this machine."""

    async def client(reader, writer):
        try:
            if await wants_tls(reader, writer):
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(certificate, key)
                await writer.start_tls(context)
                server = await asyncio.open_connection("127.0.0.1", behind)
                await asyncio.gather(copied(reader, server[1]), copied(server[0], writer))
        except OSError:  # whoever leaves in the middle, and who does not trust the certificate
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(client, "0.0.0.0", port)  # noqa: S104 # of a container
    async with listening:
        await listening.serve_forever()


async def wants_tls(reader, writer):
    with suppress(asyncio.IncompleteReadError):
        while True:
            _, asked = struct.unpack("!ii", await reader.readexactly(8))
            if asked != GSS_REQUEST:
                writer.write(b"S" if asked == SSL_REQUEST else b"")
                return asked == SSL_REQUEST
            writer.write(b"N")
    return False


async def copied(source, target):
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    target.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
