"""Under which addresses browsers reach this machine's media port."""

from __future__ import annotations

import socket
from contextlib import suppress

from server.settings import Settings

# Documentation addresses (RFC 5737, RFC 3849). Connecting a UDP socket sends nothing: it only
# makes the kernel choose the route and with it the local address.
_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
_UNSPECIFIED = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}


def media_announce(settings: Settings) -> list[str]:
    """The addresses to tell browsers beside those that ``media_bind`` names one by one.

    By default loopback and, for each address family, this machine's address on its default route.
    """
    if settings.media_announce is not None:
        return settings.media_announce
    families = [_UNSPECIFIED[bound] for bound in settings.media_bind if bound in _UNSPECIFIED]
    addresses = []
    for family in families:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE[family], 9))
            addresses.append(probe.getsockname()[0])
    for family in families:
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((_LOOPBACK[family], 0))
            addresses.append(_LOOPBACK[family])
    return list(dict.fromkeys(addresses))
