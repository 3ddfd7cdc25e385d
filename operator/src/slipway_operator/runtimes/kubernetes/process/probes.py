"""Probes and metrics over HTTP."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST


async def serve(host: str, port: int, sick: Callable[[], str], registry: CollectorRegistry) -> None:
    """Until it is cancelled. ``sick`` says why the process should be started anew; empty: it should not."""

    async def healthz(_: web.Request) -> web.Response:
        why = sick()
        return web.Response(text=f"{why or 'ok'}\n", status=503 if why else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    # Whoever does not lead is ready all the same: it is what takes over.
    application.router.add_get("/readyz", healthz)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        # asyncio keeps IPv4 away from "::"; None is both.
        await web.TCPSite(runner, None if host == "::" else host, port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
