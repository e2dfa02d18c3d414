"""DTLS for one peer, as the passive side (RFC 8842, RFC 5764), through aiortc."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from OpenSSL import SSL

HANDSHAKE_TIMEOUT_S = 20.0
_QUEUE_LENGTH = 32
_RECORD_BYTES = 1 << 14


@dataclass(frozen=True)
class Fingerprint:
    """The digest of a certificate (RFC 8122), `value` as colon-separated upper-case hex."""

    algorithm: str
    value: str


class DtlsError(Exception):
    """The handshake failed, timed out, or the certificate is not the one the answer named."""


class _DatagramTransport:
    """What `RTCDtlsTransport` needs of an ICE transport: two methods and two attributes."""

    role = "controlled"
    state = "completed"

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_datagram = send
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE_LENGTH)
        self.connection: SSL.Connection | None = None
        """Set once the handshake is done."""
        self.closed = False

    async def _recv(self) -> bytes:
        if self.closed:
            raise ConnectionError("closed")
        if self.connection is not None:
            _discard(self.connection)
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self._send_datagram(data)


def _discard(connection: SSL.Connection) -> None:
    """Read away application data, for which there is no use here.

    aiortc reads one record of a datagram, however many it holds; the rest would pile up.
    Raises ConnectionError if the other side has closed the association.
    """
    try:
        while True:
            connection.recv(_RECORD_BYTES)
    except SSL.ZeroReturnError as error:
        raise ConnectionError("closed") from error
    except SSL.Error:
        pass


class DtlsEndpoint:
    """One DTLS association. Media never comes through here: only its keys do.

    The datagrams of an eager peer, which may come before the answer that :meth:`handshake` needs,
    wait in a bounded queue.
    """

    def __init__(
        self,
        certificate: RTCCertificate,
        send: Callable[[bytes], None],
        on_closed: Callable[[], None],
    ) -> None:
        """`on_closed` is called once when the other side has closed the association."""
        self._transport = _DatagramTransport(send)
        # aiortc types its argument as its own full ICE transport; it uses no more than the above
        transport: Any = self._transport
        self._dtls = RTCDtlsTransport(transport, [certificate])
        self._dtls._set_role("server")

        def state_changed() -> None:
            if self._dtls.state == "closed":
                on_closed()

        self._dtls.on("statechange", state_changed)

    def receive(self, datagram: bytes) -> bool:
        """Take in a datagram; False if there was no room for it."""
        try:
            self._transport._queue.put_nowait(datagram)
        except asyncio.QueueFull:
            return False
        return True

    async def handshake(self, fingerprints: list[Fingerprint]) -> tuple[Any, Any]:
        """Complete the handshake with the holder of one of `fingerprints`.

        Returns the libsrtp contexts for what comes in and for what goes out. They live as long
        as this endpoint. Raises :class:`DtlsError`.
        """
        parameters = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(f.algorithm, f.value) for f in fingerprints]
        )
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                await self._dtls.start(parameters)
        except TimeoutError as error:
            raise DtlsError("timed out") from error
        except Exception as error:  # such as for a certificate that cannot be parsed
            raise DtlsError(str(error)) from error
        if self._dtls.state != "connected":
            raise DtlsError(self._dtls.state)
        self._transport.connection = self._dtls._ssl
        # libsrtp is called directly (see forward.py): pylibsrtp's own methods copy each packet
        # twice and take none above 1,356 bytes
        return self._dtls._rx_srtp._srtp[0], self._dtls._tx_srtp._srtp[0]

    @property
    def srtp_profile(self) -> str:
        """The negotiated SRTP profile's OpenSSL name, such as ``SRTP_AEAD_AES_256_GCM``."""
        assert self._dtls._ssl is not None
        return self._dtls._ssl.get_selected_srtp_profile().decode()

    def abort(self) -> None:
        """Take in nothing more.

        A task of aiortc's must be cancelled after this: cancelling alone may be lost in
        `asyncio.wait_for` when a datagram comes at the same moment (Python before 3.12).
        """
        self._transport.closed = True

    async def close(self) -> None:
        """Say goodbye (close_notify) and end aiortc's task."""
        self.abort()
        task = self._dtls._task
        await self._dtls.stop()
        if task is not None:
            await asyncio.wait([task], timeout=1)


def fingerprint_of(certificate: RTCCertificate) -> Fingerprint:
    """The certificate's SHA-256 fingerprint, for the offer."""
    for fingerprint in certificate.getFingerprints():
        if fingerprint.algorithm == "sha-256":
            return Fingerprint("sha-256", fingerprint.value)
    raise AssertionError("aiortc always gives a SHA-256 fingerprint")
