"""What a reverse proxy on this machine tells of the clients behind it."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp import web


def client_address(request: web.Request) -> str | None:
    """The address a request came from, for counting connections.

    A proxy on this machine is trusted: the last address of its X-Forwarded-For counts, and without
    that header the client is taken to be on this machine, too, and not counted (None). Of an IPv6
    address, the network of 64 bits counts: whoever has one address there has all.
    """
    if request.remote is None:
        return None
    remote = ip_address(request.remote)
    if not remote.is_loopback:
        return _counted(remote)
    forwarded = request.headers.getall("X-Forwarded-For", [])
    last = forwarded[-1].rpartition(",")[2].strip() if forwarded else ""
    try:
        return _counted(ip_address(last))
    except ValueError:
        return None


def _counted(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), 64), strict=False))
