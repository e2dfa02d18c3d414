"""What the API answers with."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping

from aiohttp import web
from pydantic import BaseModel

from server.api.reading import Invalid
from server.refusals import Refused

NO_STORE = {"Cache-Control": "no-store"}
STREAM_WAIT_S = 30.0
"""For how long a reader may stall."""


class Problem(BaseModel):
    """What went wrong."""

    code: str
    """For programs."""
    message: str
    """One sentence for people."""
    fields: list[str] | None = None
    """With ``invalid``: which of what was sent, such as ``body.email``."""


class ErrorReply(BaseModel):
    """Every answer with a status from 400."""

    error: Problem


def refusal(refused: Refused) -> web.Response:
    headers = {}
    if refused.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refused.retry_after_s)))
    fields = refused.fields if isinstance(refused, Invalid) else None
    return problem(refused.status, refused.code, refused.message, headers, fields)


def problem(
    status: int,
    code: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    fields: list[str] | None = None,
) -> web.Response:
    error: dict[str, object] = {"code": code, "message": message}
    if fields is not None:
        error["fields"] = fields
    return web.Response(
        status=status,
        body=json.dumps({"error": error}).encode(),
        content_type="application/json",
        headers={**(headers or {}), **NO_STORE},
    )


async def stream(
    request: web.BaseRequest, response: web.StreamResponse, chunks: AsyncIterator[bytes]
) -> web.StreamResponse:
    """Send chunks as they come.

    Raises:
        TimeoutError: if the reader stalls.
    """
    async with asyncio.timeout(STREAM_WAIT_S):
        await response.prepare(request)
    if request.method == "HEAD":
        return response
    async for chunk in chunks:
        async with asyncio.timeout(STREAM_WAIT_S):
            await response.write(chunk)
    async with asyncio.timeout(STREAM_WAIT_S):
        await response.write_eof()
    return response
