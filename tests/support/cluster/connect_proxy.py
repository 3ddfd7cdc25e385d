"""An HTTP proxy (CONNECT) behind which there is one server, whatever name it is asked for."""

import asyncio
import threading
from contextlib import suppress

from slipway_chassis.embedded.processes import free_port


class ConnectProxy:
    """Runs in a thread while it is entered, and keeps what it was asked for."""

    def __init__(self, leads_to):
        self._leads_to = leads_to  # a port of this machine
        self.port, self.asked = free_port(), []
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self._loop, ready = asyncio.new_event_loop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.cancel)
        self._thread.join(10)

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        self._stop = self._loop.create_task(self._serve(ready))
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._stop)

    async def _serve(self, ready):
        server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        ready.set()
        async with server:
            await server.serve_forever()

    async def _connect(self, reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError):
            line = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0]
            self.asked.append(line)
            behind, ahead = await asyncio.open_connection("127.0.0.1", self._leads_to)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pass(reader, ahead), _pass(behind, writer))


async def _pass(reader, writer):
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
