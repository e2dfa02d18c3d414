"""A peer made of packets: ICE checks, DTLS as the active side, SRTP, and nothing above.

Simulated participants, tests and benchmarks speak to the relay through it, where a browser would
hide each packet behind its own machinery.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from aioice import stun
from aiortc.rtcdtlstransport import (
    SRTP_PROFILES,
    RTCCertificate,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
)
from aiortc.rtcdtlstransport import RTCDtlsFingerprint as AiortcFingerprint
from pylibsrtp import Session

from relay import Fingerprint, LocalParameters, RemoteParameters, SourceSsrcs
from relay.dtls import fingerprint_of

CONSENT_INTERVAL_S = 5.0
_CHECK_TIMEOUT_S = 5.0
_BUFFER_BYTES = 8 << 20


class _DtlsPath:
    """What `RTCDtlsTransport` needs of an ICE transport."""

    role = "controlling"
    state = "completed"

    def __init__(self, client: PacketClient) -> None:
        self._client = client
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()

    async def _recv(self) -> bytes:
        return await self.queue.get()

    async def _send(self, data: bytes) -> None:
        self._client.send_raw(data)


class PacketClient:
    """One peer. `on_datagram` gets each SRTP or SRTCP datagram, still protected.

    Use :meth:`remote` for `Relay.accept`, then :meth:`connect`, and :meth:`close` at the end.
    """

    def __init__(
        self,
        ssrcs: dict[str, SourceSsrcs],
        on_datagram: Callable[[memoryview], None] | None = None,
        certificate: RTCCertificate | None = None,
        srtp_profiles: Sequence[SRTPProtectionProfile] = SRTP_PROFILES,
    ) -> None:
        self.ssrcs = ssrcs
        self.on_datagram = on_datagram
        self.ufrag = secrets.token_hex(4)
        self.pwd = secrets.token_hex(16)
        self.received: list[bytes] = []
        """Protected datagrams, where there is no `on_datagram`."""
        self.received_by: Counter[int] = Counter()
        """How many of them came in by which local port."""
        self.secured = False
        """Whether the keys of SRTP are there."""
        self.srtp_out: Session
        self.srtp_in: Session
        self.sock: socket.socket
        """The socket to send by; see :meth:`open`."""
        self._sockets: list[socket.socket] = []
        self._srtp_profiles = list(srtp_profiles)
        self._certificate = certificate or RTCCertificate.generateCertificate()
        self._path = _DtlsPath(self)
        self._relay: LocalParameters
        self._address: tuple[str, int]
        self._responses: dict[bytes, asyncio.Future[stun.Message]] = {}
        self._consent: asyncio.Task[None] | None = None
        self._dtls: RTCDtlsTransport
        self._view = memoryview(bytearray(2_048))

    @property
    def fingerprint(self) -> Fingerprint:
        return fingerprint_of(self._certificate)

    def remote(self) -> RemoteParameters:
        """The answer, as the relay takes it."""
        return RemoteParameters(
            ice_ufrag=self.ufrag,
            ice_pwd=self.pwd,
            fingerprints=[self.fingerprint],
            ssrcs=self.ssrcs,
        )

    async def connect(self, relay: LocalParameters) -> None:
        """Nominate the relay's first candidate and complete DTLS.

        Raises TimeoutError, or ConnectionError if DTLS fails.
        """
        self.open(relay)
        await self.check(nominate=True)
        await self.handshake()
        self._consent = asyncio.create_task(self._keep_consent())

    def open(self, relay: LocalParameters) -> None:
        """Open a socket towards the relay's first candidate, and send by it from now on.

        Any opened before are still read, and can be made `sock` again.
        """
        self._relay = relay
        self._address = relay.candidates[0]
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, 33, _BUFFER_BYTES)  # SO_RCVBUFFORCE
        self.sock.connect(self._address)
        self._sockets.append(self.sock)
        asyncio.get_running_loop().add_reader(self.sock, self._readable, self.sock)

    def restarted(self, relay: LocalParameters) -> None:
        """Use the relay's new credentials after an ICE restart, with new ones of our own."""
        self._relay = relay
        self.ufrag = secrets.token_hex(4)
        self.pwd = secrets.token_hex(16)

    def binding_request(self, *, nominate: bool, pwd: str | None = None) -> stun.Message:
        """A connectivity check (RFC 8445 section 7.2.2)."""
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self._relay.ice_ufrag}:{self.ufrag}"
        request.attributes["PRIORITY"] = 1
        request.attributes["ICE-CONTROLLING"] = secrets.randbits(64)
        if nominate:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity((pwd or self._relay.ice_pwd).encode())
        return request

    async def check(self, *, nominate: bool) -> stun.Message:
        """Send a check, again every 100 ms, until it is answered. Raises TimeoutError."""
        return await self.ask(self.binding_request(nominate=nominate), _CHECK_TIMEOUT_S)

    async def ask(self, request: stun.Message, timeout_s: float) -> stun.Message:
        """Send a request, again every 100 ms, until it is answered. Raises TimeoutError."""
        future: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()
        self._responses[request.transaction_id] = future
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    self.send_raw(bytes(request))
                    done, _ = await asyncio.wait([future], timeout=0.1)
                    if done:
                        return future.result()
        finally:
            del self._responses[request.transaction_id]

    async def handshake(self) -> None:
        """Complete DTLS as the active side. Raises ConnectionError."""
        path: Any = self._path
        self._dtls = RTCDtlsTransport(path, [self._certificate])
        self._dtls._set_role("client")
        self._dtls._srtp_profiles = self._srtp_profiles
        fingerprint = self._relay.fingerprint
        async with asyncio.timeout(10):
            await self._dtls.start(
                RTCDtlsParameters([AiortcFingerprint(fingerprint.algorithm, fingerprint.value)])
            )
        if self._dtls.state != "connected":
            raise ConnectionError("DTLS handshake failed")
        self.srtp_in = self._dtls._rx_srtp
        self.srtp_out = self._dtls._tx_srtp
        self.secured = True

    async def _keep_consent(self) -> None:
        while True:
            await asyncio.sleep(CONSENT_INTERVAL_S)
            self.send_raw(bytes(self.binding_request(nominate=True)))

    def send_raw(self, datagram: bytes) -> None:
        """Send anything; what the socket's buffer cannot take is lost, as on a network."""
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            self.sock.send(datagram)

    def send_rtp(self, packet: bytes) -> None:
        self.send_raw(self.srtp_out.protect(packet))

    def send_rtcp(self, compound: bytes) -> None:
        self.send_raw(self.srtp_out.protect_rtcp(compound))

    def _readable(self, sock: socket.socket) -> None:
        view = self._view
        for _ in range(256):
            try:
                size = sock.recv_into(view)
            except (BlockingIOError, ConnectionRefusedError):
                return
            first = view[0]
            if first >= 128:
                if self.on_datagram is not None:
                    self.on_datagram(view[:size])
                else:
                    self.received.append(bytes(view[:size]))
                    self.received_by[sock.getsockname()[1]] += 1
            elif first >= 20:
                self._path.queue.put_nowait(bytes(view[:size]))
            else:
                message = stun.parse_message(bytes(view[:size]))
                future = self._responses.get(message.transaction_id)
                if future is not None and not future.done():
                    future.set_result(message)

    def rtp(self) -> Iterator[bytes]:
        """The RTP packets received so far, decrypted; each is given once."""
        yield from self._take(is_rtcp=False)

    def rtcp(self) -> Iterator[bytes]:
        """The RTCP compounds received so far, decrypted; each is given once."""
        yield from self._take(is_rtcp=True)

    def _take(self, *, is_rtcp: bool) -> Iterator[bytes]:
        mine = [d for d in self.received if (192 <= d[1] <= 223) == is_rtcp]
        self.received = [d for d in self.received if (192 <= d[1] <= 223) != is_rtcp]
        for datagram in mine:
            unprotect = self.srtp_in.unprotect_rtcp if is_rtcp else self.srtp_in.unprotect
            yield unprotect(datagram)

    async def close(self) -> None:
        """End tasks and close the socket, with a DTLS close_notify if connected."""
        if self._consent is not None:
            self._consent.cancel()
        if hasattr(self, "_dtls"):
            task = self._dtls._task
            await self._dtls.stop()
            if task is not None:
                await asyncio.wait([task], timeout=1)
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock)
            sock.close()
        self._sockets.clear()
