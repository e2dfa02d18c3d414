"""What a reverse proxy on this machine tells of the clients behind it."""

from __future__ import annotations

from ipaddress import ip_address

from aiohttp import web


def client_address(request: web.Request) -> str | None:
    """The address a request came from, for counting connections.

    A proxy on this machine is trusted: the last address of its X-Forwarded-For counts, and without
    that header the client is taken to be on this machine, too, and not counted (None).
    """
    if request.remote is None:
        return None
    if not ip_address(request.remote).is_loopback:
        return request.remote
    forwarded = request.headers.getall("X-Forwarded-For", [])
    last = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
    try:
        return str(ip_address(last))
    except ValueError:
        return None
