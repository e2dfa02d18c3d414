"""``/healthz`` and ``/readyz``, for whoever watches over the process."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

_HEADERS = {"Cache-Control": "no-store"}


def add_health(app: web.Application, *, ready: Callable[[], bool]) -> None:
    """Serve both. The first tells that the process answers, the second whether it takes visitors.

    Args:
        app: the application, before it is started.
        ready: whether new visitors can be served.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n", headers=_HEADERS)

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="ready\n", headers=_HEADERS)
        return web.Response(status=503, text="not ready\n", headers=_HEADERS)

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
