"""A visitor without a browser: its socket, and its answer to the server's offer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import socketio
from aiortc.rtcdtlstransport import RTCCertificate
from aiortc.sdp import SessionDescription

from relay import Fingerprint, LocalParameters, SourceSsrcs
from signaling.messages import (
    EVENTS,
    PROTOCOL_VERSION,
    Join,
    Joined,
    Message,
    Refusal,
    Roster,
    Welcome,
)
from simulated.group import CIPHERSUITE, Member
from simulated.packet_client import PacketClient

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
                lines.append(f"a=ssrc:{sends.rtx} cname:simulated")
            lines.append(f"a=ssrc:{sends.main} cname:simulated")
    return "\r\n".join(lines) + "\r\n"


class RequestRefused(ConnectionError):
    """The server refused a request."""

    def __init__(self, request: str, code: str) -> None:
        super().__init__(f"{request} was refused: {code}")
        self.code = code


class Visitor:
    """One person's connection to a room: the socket, and the path of media.

    Call :meth:`join`, or its three steps, and :meth:`leave` at the end.

    Args:
        on_datagram: gets each SRTP or SRTCP datagram, still protected.
        on_event: gets each event from the server.
        resume: to take up an earlier connection's place.
    """

    def __init__(
        self,
        url: str,
        room: str,
        token: str,
        certificate: RTCCertificate | None = None,
        on_datagram: Callable[[memoryview], None] | None = None,
        on_event: Callable[[Message], None] | None = None,
        resume: str | None = None,
    ) -> None:
        self._url = url
        self._hello = {"protocol": PROTOCOL_VERSION, "room": room, "token": token, "resume": resume}
        self._socket = socketio.AsyncClient(serializer="msgpack", reconnection=False)
        self._on_event = on_event
        self._welcomed: asyncio.Future[Welcome] = asyncio.get_running_loop().create_future()
        self.id = ""
        self.roster: Roster | None = None
        self.gone = asyncio.Event()
        """Set when the socket is closed."""
        ssrcs = [secrets.randbits(31) + 1 for _ in range(2)]
        self.client = PacketClient(
            {"mi": SourceSsrcs(ssrcs[0]), "ca": SourceSsrcs(ssrcs[1])}, on_datagram, certificate
        )
        self.offer: ParsedOffer

    async def join(self, name: str) -> None:
        """Open the socket, join the room and connect the media path, whatever becomes of the group.

        Raises ConnectionError or TimeoutError.
        """
        welcome = await self.open()
        key_package = Member(name, welcome.role).key_package()
        await self.enter(Join(name=name, mic=True, camera=True, key_package=key_package))
        await self.connect()

    async def open(self) -> Welcome:
        """Open the socket. Raises ConnectionError or TimeoutError."""
        for name, model in EVENTS.items():
            self._socket.on(name, partial(self._take, model))
        self._socket.on("disconnect", self._lost)
        try:
            await self._socket.connect(
                self._url,
                transports=["websocket"],
                auth=self._hello,
                wait_timeout=REQUEST_TIMEOUT_S,
            )
        except socketio.exceptions.ConnectionError as error:
            raise ConnectionError(str(error)) from None
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            welcome = await self._welcomed
        if welcome.ciphersuite != CIPHERSUITE:
            await self.leave()
            raise ConnectionError(f"this room is encrypted with {welcome.ciphersuite}")
        return welcome

    async def enter(self, join: Join) -> Joined:
        """Take a place in the room. Raises ConnectionError."""
        joined = Joined.model_validate(await self.request("join", join.model_dump()))
        self.id = joined.id
        self._take_roster(joined.roster)
        self.offer = parse_offer(joined.sdp)
        return joined

    async def connect(self) -> None:
        """Answer the offer and connect. Raises ConnectionError or TimeoutError."""
        await self.request("answer", {"sdp": make_answer(self.offer, self.client)})
        await self.client.connect(self.offer.local)

    async def request(self, event: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask for something; raises ConnectionError if it is refused, or nobody answers."""
        try:
            reply = await self._socket.call(event, payload, timeout=REQUEST_TIMEOUT_S)
        except socketio.exceptions.SocketIOError as error:
            raise ConnectionError(f"{event} was not answered: {error!r}") from None
        if not isinstance(reply, dict) or not reply.get("ok"):
            raise RequestRefused(event, Refusal.model_validate(reply).error.code)
        return reply

    def _take(self, model: type[Message], payload: Any) -> None:
        event = model.model_validate(payload)
        if isinstance(event, Roster):
            self._take_roster(event)
        elif isinstance(event, Welcome) and not self._welcomed.done():
            self._welcomed.set_result(event)
        if self._on_event is not None:
            self._on_event(event)

    def _take_roster(self, roster: Roster) -> None:
        if self.roster is None or roster.version >= self.roster.version:
            self.roster = roster

    def _lost(self, _reason: str) -> None:
        self.gone.set()

    @property
    def connected(self) -> int:
        """How many people in the room have their media path."""
        people = [] if self.roster is None else self.roster.participants
        return sum(person.connection == "connected" for person in people)

    async def leave(self) -> None:
        """Close the connection; the place is kept for a while, unless it was given up."""
        await self.client.close()
        await self._socket.disconnect()
