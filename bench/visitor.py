"""A visitor without a browser: joins a running server over Socket.IO and sends made-up packets."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import socketio
from aiortc.rtcdtlstransport import RTCCertificate
from aiortc.sdp import SessionDescription

from bench.packet_client import PacketClient
from relay import Fingerprint, LocalParameters, SourceSsrcs
from signaling.messages import PROTOCOL_VERSION

REQUEST_TIMEOUT_S = 10


@dataclass(frozen=True)
class ParsedOffer:
    local: LocalParameters
    mids: list[tuple[str, str]]
    """Kind and mid of each m-line, in order."""
    slots: dict[str, int]
    """Main SSRC of each receiving m-line, by mid."""


def parse_offer(sdp: str) -> ParsedOffer:
    """What a packet client needs to know of the server's offer."""
    description = SessionDescription.parse(sdp)
    first = description.media[0]
    assert first.ice is not None
    assert first.dtls is not None
    fingerprint = first.dtls.fingerprints[0]
    return ParsedOffer(
        local=LocalParameters(
            ice_ufrag=first.ice.usernameFragment or "",
            ice_pwd=first.ice.password or "",
            fingerprint=Fingerprint(fingerprint.algorithm, fingerprint.value),
            candidates=[(c.ip, c.port) for c in first.ice_candidates],
        ),
        mids=[(media.kind, media.rtp.muxId) for media in description.media],
        slots={media.rtp.muxId: media.ssrc[0].ssrc for media in description.media if media.ssrc},
    )


def make_answer(offer: ParsedOffer, client: PacketClient) -> str:
    """The packet client's answer: all slots received, its own sources sent."""
    fingerprint = client.fingerprint
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
    lines.append("a=group:BUNDLE " + " ".join(mid for _, mid in offer.mids))
    for kind, mid in offer.mids:
        formats = "111" if kind == "audio" else "96 97"
        sends = client.ssrcs.get(mid)
        receives = mid in offer.slots
        lines += [
            f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}",
            "c=IN IP4 0.0.0.0",
            f"a=ice-ufrag:{client.ufrag}",
            f"a=ice-pwd:{client.pwd}",
            f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value}",
            "a=setup:active",
            f"a=mid:{mid}",
            "a=recvonly" if receives else "a=sendonly" if sends else "a=inactive",
            "a=rtcp-mux",
        ]
        if kind == "audio":
            lines.append("a=rtpmap:111 opus/48000/2")
        else:
            lines += ["a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96"]
        if sends is not None:
            if sends.rtx is not None:
                lines.append(f"a=ssrc-group:FID {sends.main} {sends.rtx}")
                lines.append(f"a=ssrc:{sends.rtx} cname:bench")
            lines.append(f"a=ssrc:{sends.main} cname:bench")
    return "\r\n".join(lines) + "\r\n"


class Visitor:
    """One simulated person. Call :meth:`join`, and :meth:`leave` at the end."""

    def __init__(
        self,
        url: str,
        room: str,
        token: str,
        certificate: RTCCertificate,
        on_datagram: Callable[[memoryview], None] | None = None,
    ) -> None:
        self._url = url
        self._hello = {"protocol": PROTOCOL_VERSION, "room": room, "token": token, "resume": None}
        self._socket = socketio.AsyncClient(serializer="msgpack", reconnection=False)
        self.id = ""
        self.roster: dict[str, Any] = {}
        ssrcs = [secrets.randbits(31) + 1 for _ in range(2)]
        self.client = PacketClient(
            {"mi": SourceSsrcs(ssrcs[0]), "ca": SourceSsrcs(ssrcs[1])}, on_datagram, certificate
        )
        self.offer: ParsedOffer

    async def join(self, name: str) -> None:
        """Open the socket, join the room and connect the media path.

        Raises ConnectionError or TimeoutError.
        """
        self._socket.on("roster", self._take_roster)
        await self._socket.connect(
            self._url, transports=["websocket"], auth=self._hello, wait_timeout=REQUEST_TIMEOUT_S
        )
        joined = await self.request("join", {"name": name, "mic": True, "camera": True})
        self.id = joined["id"]
        self._take_roster(joined["roster"])
        self.offer = parse_offer(joined["sdp"])
        await self.request("answer", {"sdp": make_answer(self.offer, self.client)})
        await self.client.connect(self.offer.local)

    async def request(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask for something; raises ConnectionError if it is refused."""
        reply = await self._socket.call(event, payload, timeout=REQUEST_TIMEOUT_S)
        if not isinstance(reply, dict) or not reply.get("ok"):
            raise ConnectionError(f"{event} was refused: {reply}")
        return reply

    def _take_roster(self, roster: dict[str, Any]) -> None:
        self.roster = roster

    @property
    def connected(self) -> int:
        """How many people in the room have their media path."""
        people = self.roster.get("participants", [])
        return sum(person["connection"] == "connected" for person in people)

    async def leave(self) -> None:
        await self.client.close()
        await self._socket.disconnect()
