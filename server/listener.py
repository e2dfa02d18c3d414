"""Listening for HTTP, with answers to what is no proper HTTP that tell nothing."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from server.security import SECURITY_HEADERS

log = structlog.get_logger(__name__)

IDLE_TIMEOUT_S = 130.0
"""A connection that takes longer than this to send a whole request is closed; reverse proxies keep
theirs idle for less, such as nginx for 60 s and Caddy for 120 s."""


class _NoAccessLog(AbstractAccessLogger):
    @property
    def enabled(self) -> bool:
        return False

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Nothing: it would tell who came when."""


class _Connection(web.RequestHandler):
    """aiohttp's own error answers quote the request and name versions, and log addresses."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        del message  # it quotes the request
        if status >= 500:
            log.error("http_request_failed", exc_info=exc)
            text = "Something went wrong on the server.\n"
        else:
            text = "This request cannot be understood.\n"
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is on its way already")
        response = web.Response(
            status=status, text=text, headers={**SECURITY_HEADERS, "Server": "holdspace"}
        )
        response.force_close()
        return response


async def listen(runner: web.AppRunner, host: str, port: int) -> asyncio.Server:
    """Take connections for an application that is set up.

    Raises:
        OSError: if the address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    server = runner.server
    assert server is not None

    def connection() -> _Connection:
        return _Connection(
            server, loop=loop, access_log_class=_NoAccessLog, keepalive_timeout=IDLE_TIMEOUT_S
        )

    return await loop.create_server(connection, host, port, reuse_address=True)
