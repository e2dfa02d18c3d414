"""Errors over HTTP, in plain words."""

from __future__ import annotations

import structlog
from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Handler

log = structlog.get_logger(__name__)

_TEXTS = {
    404: "There is no such page here.\n",
    405: "This cannot be done here.\n",
    413: "That is too much.\n",
}


@web.middleware
async def plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what goes wrong with one sentence that tells nothing of the server's inside."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status in _TEXTS:
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
            return web.Response(status=error.status, text=_TEXTS[error.status], headers=headers)
        raise
    except ClientConnectionResetError:  # whoever asked has gone: nobody gets this answer
        return web.Response(status=400)
    except Exception:
        log.exception("http_request_failed")
        return web.Response(status=500, text="Something went wrong on the server.\n")
