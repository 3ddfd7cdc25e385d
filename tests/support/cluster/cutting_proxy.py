"""Stands between an operator's process and the API server, and cuts the connection at a write it was told of."""

import asyncio
import os
import signal
from contextlib import suppress

import aiohttp
from aiohttp import web

from slipway_chassis.embedded.processes import free_port
from support.cluster.api_server import TOKEN
from support.cluster.control_plane import KUBECONFIG

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
HOP_BY_HOP = {"transfer-encoding", "connection", "content-length", "host"}


class Proxy:
    """Writes of the Lease are let through uncounted: they come by the clock, not by the release."""

    def __init__(self, access, folder):
        self._access = access
        self.port = free_port()
        self.kubeconfig = folder / f"kubeconfig-{self.port}"  # each proxy has its own
        self.writes = []
        self._kill = None  # number of the write, whether it lands, the process
        self.killed = asyncio.Event()
        self._cut = False  # nothing gets through any more

    async def __aenter__(self):
        self._session = aiohttp.ClientSession(
            self._access.login().server,
            connector=aiohttp.TCPConnector(ssl=False, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=2**22)
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.kubeconfig.write_text(KUBECONFIG.format(server=f"http://127.0.0.1:{self.port}", token=TOKEN))
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()
        await self._session.close()

    def kill_at(self, number, process, *, lands):
        """At the write of this number from now on, which lands or not, the process is killed without an answer."""
        self.count()
        self.killed.clear()
        self._kill = (number, lands, process)

    def count(self):
        """From now on, and nothing is killed."""
        self.writes = []
        self._kill = None
        self._cut = False

    async def _pass(self, request):
        body = await request.read()
        counts = request.method in WRITES and "/leases" not in request.path
        if self._cut:
            request.transport.abort()  # what the dead process still had on its way reaches nobody
            return web.Response()
        if counts:
            self.writes.append(f"{request.method} {request.path}")
        dies = counts and self._kill is not None and len(self.writes) == self._kill[0]
        if dies and not self._kill[1]:
            self._end(request)
            return web.Response()
        if dies:
            self._cut = True
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            async with self._session.request(
                request.method, request.rel_url, headers=headers, data=body or None, allow_redirects=False
            ) as answer:
                if dies:
                    await answer.read()
                    self._end(request)
                    return web.Response()
                return await self._hand_back(request, answer)
        except aiohttp.ClientError:
            with suppress(AttributeError):
                request.transport.abort()
            return web.Response()

    def _end(self, request):
        self._cut = True
        os.kill(self._kill[2].pid, signal.SIGKILL)
        request.transport.abort()
        self.killed.set()

    @staticmethod
    async def _hand_back(request, answer):
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        with suppress(ConnectionError, aiohttp.ClientError):
            async for part in answer.content.iter_any():
                await response.write(part)
            await response.write_eof()
        return response
