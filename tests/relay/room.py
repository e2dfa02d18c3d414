"""A relay with packet clients connected to it, everyone fed to everyone, all gates open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, SupportsBytes

import aiortc.rtp
from aiortc.rtcdtlstransport import RTCCertificate
from pylibsrtp._binding import ffi, lib

from relay import Peer, PeerState, Relay, RemoteParameters, SourceSsrcs
from relay.profile import Kind
from simulated.packet_client import PacketClient
from tests.relay.packets import OPUS, RTX, VP8, Rtp, read_rtp, rtp

TICK_S = 0.02
CERTIFICATE = RTCCertificate.generateCertificate()

SSRCS = {"mi": SourceSsrcs(0x1111), "ca": SourceSsrcs(0x2222, 0x3333)}
"""Everyone's: SSRCs count for each connection apart."""

_BUFFER = 4_096

PAYLOAD_TYPES = {"mi": OPUS, "ca": VP8}


async def until(condition: Callable[[], object], deadline_s: float = 10.0) -> None:
    """Wait for a condition. Raises TimeoutError."""
    async with asyncio.timeout(deadline_s):
        while not condition():
            await asyncio.sleep(0.002)


class Clock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Member:
    """One peer and the client at its other end."""

    def __init__(self, relay: Relay, name: str, client: PacketClient | None = None) -> None:
        self.relay = relay
        self.states: list[PeerState] = []
        self.peer: Peer = relay.add_peer(name, on_state=self.states.append)
        self.client = client or PacketClient(SSRCS, certificate=CERTIFICATE)
        for mid in ("mi", "ca"):
            self.peer.add_source(mid, "audio" if mid == "mi" else "video")

    async def connect(self, remote: RemoteParameters | None = None) -> None:
        self.relay.accept(self.peer, remote or self.client.remote())
        await self.client.connect(self.peer.local)
        await until(lambda: self.peer.state != "connecting")

    def send(
        self, mid: str, seq: int, timestamp: int = 0, payload: bytes = b"m", **kw: Any
    ) -> None:
        """Send one packet of a source."""
        main = self.client.ssrcs[mid].main
        kw.setdefault("payload_type", PAYLOAD_TYPES[mid])
        self.client.send_rtp(rtp(main, seq, timestamp, payload, **kw))

    def resend(self, seq: int, timestamp: int = 0, payload: bytes = b"m", **kw: Any) -> None:
        """Send the camera's packet `seq` as a retransmission (RFC 4588)."""
        self.rtx_seq = getattr(self, "rtx_seq", 0) + 1
        ssrc = self.client.ssrcs["ca"].rtx
        assert ssrc is not None
        payload = (seq & 0xFFFF).to_bytes(2, "big") + payload
        packet = rtp(ssrc, self.rtx_seq, timestamp, payload, payload_type=RTX, **kw)
        self.client.send_rtp(packet)

    def send_rtcp(self, *packets: SupportsBytes) -> None:
        self.client.send_rtcp(b"".join(bytes(packet) for packet in packets))

    def protect(self, packet: bytes, *, is_rtcp: bool = False) -> bytes:
        """`packet` under the client's keys; as it is where libsrtp will not have it.

        pylibsrtp's own methods take less than what may be sent.
        """
        if len(packet) < 12:
            return packet
        buffer = ffi.new("unsigned char[]", _BUFFER)
        ffi.buffer(buffer)[: len(packet)] = packet
        length = ffi.new("int *", len(packet))
        seal = lib.srtp_protect_rtcp if is_rtcp else lib.srtp_protect
        if seal(self.client.srtp_out._srtp[0], buffer, length):
            return packet
        return bytes(ffi.buffer(buffer, length[0]))

    def media(self, ssrc: int | None = None) -> list[Rtp]:
        """The media received and not given before, of one SSRC or of all."""
        packets = [read_rtp(data) for data in self.client.rtp()]
        return [packet for packet in packets if ssrc in (None, packet.ssrc)]

    def rtcp(self) -> list[Any]:
        """The RTCP packets received and not given before."""
        compounds = self.client.rtcp()
        return [packet for data in compounds for packet in aiortc.rtp.RtcpPacket.parse(data)]

    @property
    def dropped(self) -> dict[str, int]:
        return {str(reason): n for reason, n in self.peer.transport.counters.dropped.items()}


class Room:
    """Members by number: member `n` appears to the others in the slots `a<n>` and `v<n>`."""

    def __init__(self, relay: Relay, members: list[Member], clock: Clock | None) -> None:
        self.relay = relay
        self.members = members
        self.clock = clock
        self._ticks = 0

    def gate(self, mid: str, speaker: int, listener: int, *, is_open: bool) -> None:
        source = self.members[speaker].peer.sources[mid]
        self.relay.set_gate(source, self.members[listener].peer, is_open)

    async def settle(self, *senders: Member) -> None:
        """Wait until all that was sent has been handled and all that came of it is received.

        A check is answered after whatever was sent before it, and its answer is received after
        whatever was forwarded before that.
        """
        for member in (*(senders or self.members), *self.members):
            if member.client.received or member.peer.state != "gone":
                await member.client.check(nominate=False)

    def tick(self, seconds: float = TICK_S) -> None:
        """Let time pass, a tick at a time."""
        assert self.clock is not None
        for _ in range(round(seconds / TICK_S)):
            self.clock.now += TICK_S
            self._ticks += 1
            self.relay._tick(self.clock.now, self._ticks)

    async def close(self) -> None:
        for member in self.members:
            await member.client.close()
        await self.relay.close()


@asynccontextmanager
async def open_room(
    size: int, clock: Clock | None, bind: Sequence[str] = ("127.0.0.1",)
) -> AsyncIterator[Room]:
    """A room of `size`; with a clock, the relay's ticks are `Room.tick`'s only."""
    relay = await Relay.open(bind=bind, port=0, announce=[])
    if clock is not None:
        relay._ticker.cancel()
    members = [Member(relay, f"member-{n}") for n in range(size)]
    room = Room(relay, members, clock)
    try:
        for member in members:
            for n, other in enumerate(members):
                if other is not member:
                    kinds: list[tuple[str, Kind]] = [(f"a{n}", "audio"), (f"v{n}", "video")]
                    for mid, kind in kinds:
                        slot = member.peer.add_slot(mid, kind, cname=f"slot-{n}")
                        relay.feed(slot, other.peer.sources["mi" if kind == "audio" else "ca"])
                    for source in other.peer.sources.values():
                        relay.set_gate(source, member.peer, True)
        await asyncio.gather(*(member.connect() for member in members))
        await room.settle()
        for member in members:
            member.rtcp()
        yield room
    finally:
        await room.close()
