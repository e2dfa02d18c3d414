"""The relay's UDP port: the sockets behind it and what they announce (RFC 8445, RFC 7983)."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence

_BUFFER_BYTES = 8 << 20
_ANY_PORT_TRIES = 20


def open_sockets(bind: Sequence[str], port: int) -> list[socket.socket]:
    """One non-blocking UDP socket for each address in `bind`, all on the same port.

    Port 0 takes any port that is free on all of them. IPv6 addresses are left out on a machine
    without IPv6 unless nothing else is bound. Raises OSError.
    """
    if not bind:
        raise OSError(errno.EADDRNOTAVAIL, "no address to bind to")
    for attempt in range(_ANY_PORT_TRIES):
        try:
            return _open_all(bind, port)
        except OSError as error:
            last = port != 0 or attempt == _ANY_PORT_TRIES - 1
            if last or error.errno != errno.EADDRINUSE:
                raise
    raise AssertionError("unreachable")


def _open_all(bind: Sequence[str], port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for host in bind:
            try:
                sock = _open(host, port)
            except OSError as error:
                no_ipv6 = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and ":" in host
                if no_ipv6 and len(bind) > 1:
                    continue
                raise
            sockets.append(sock)
            port = sock.getsockname()[1]
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, "no address to bind to")
    return sockets


def _open(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _enlarge(sock, "SO_RCVBUF")
        _enlarge(sock, "SO_SNDBUF")
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _enlarge(sock: socket.socket, option: str) -> None:
    """Room for a burst; beyond the system's limit only with the right to it (Linux)."""
    # SO_RCVBUFFORCE and SO_SNDBUFFORCE, which the socket module does not name
    force = {"SO_RCVBUF": 33, "SO_SNDBUF": 32}[option]
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, _BUFFER_BYTES)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option), _BUFFER_BYTES)


def candidates(sockets: Sequence[socket.socket], announce: Sequence[str]) -> list[tuple[str, int]]:
    """The addresses under which peers are told to reach the port.

    Those in `announce`, and those of the sockets that are bound to one address and not to any.
    """
    port = sockets[0].getsockname()[1]
    hosts = list(announce)
    hosts += [sock.getsockname()[0] for sock in sockets]
    usable = (host for host in hosts if not ipaddress.ip_address(host).is_unspecified)
    return [(host, port) for host in dict.fromkeys(usable)]


class Port:
    """The open sockets, read whenever something waits in them."""

    def __init__(
        self, bind: Sequence[str], port: int, drain: Callable[[socket.socket], None]
    ) -> None:
        """Raises OSError."""
        self.sockets = open_sockets(bind, port)
        self._loop = asyncio.get_running_loop()
        for sock in self.sockets:
            self._loop.add_reader(sock, drain, sock)

    @property
    def number(self) -> int:
        return int(self.sockets[0].getsockname()[1])

    def close(self) -> None:
        for sock in self.sockets:
            self._loop.remove_reader(sock)
            sock.close()
