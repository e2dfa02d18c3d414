"""A simulated participant: in the room, in its MLS group, sending and receiving sealed media."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from secrets import randbits
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import aiortc.rtp
import pylibsrtp
from aiortc.rtcdtlstransport import RTCCertificate

from relay.profile import OPUS_PAYLOAD_TYPE, VP8_PAYLOAD_TYPE
from signaling.messages import Audience, Chat, Join, Media, Message, Removed, Role, Roster, Stopping
from signaling.sdp import SCREEN_MID
from simulated.group import Member
from simulated.membership import Membership, end
from simulated.rtp import (
    FrameAssembler,
    Level,
    Packet,
    is_rtcp,
    read_packet,
    split_frame,
    write_packet,
)
from simulated.sealing import Drop, Dropped, EpochKeys, Opener, Sealer, Track
from simulated.visitor import Visitor

HELD_FRAMES: Final = 64
HELD_S: Final = 1.0
"""Frames of an epoch whose key has not come yet are kept, so many of each source and so long."""

FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 8.0

OPUS_TICKS: Final = 960
"""Of the RTP clock, in a frame of 20 ms."""

_PLI, _FIR = 1, 4


class Link(NamedTuple):
    """What a link into a room holds."""

    url: str
    room: str
    token: str

    @classmethod
    def parse(cls, link: str) -> Link:
        """Raises ValueError."""
        parts = urlsplit(link)
        path = parts.path.split("/")
        if not parts.netloc or len(path) != 3 or path[1] != "room" or not parts.fragment:
            raise ValueError("This is no link into a room.")
        return cls(f"{parts.scheme}://{parts.netloc}", path[2], parts.fragment)


@dataclass
class Reception:
    """What came of one track of one person."""

    opened: int = 0
    """Frames."""
    dropped: Counter[Drop] = field(default_factory=Counter)
    """Frames that were not opened, by reason."""
    level: Level | None = None
    """Of the latest audio."""
    level_at: float = 0.0
    """When it came."""


@dataclass
class _Source:
    """One m-line that receives."""

    track: Track
    slot: int | None
    """None: whoever shares their screen."""
    assembler: FrameAssembler = field(default_factory=FrameAssembler)
    held: deque[tuple[float, bytes]] = field(default_factory=lambda: deque(maxlen=HELD_FRAMES))


@dataclass
class _Outgoing:
    """The RTP stream of one source."""

    ssrc: int
    payload_type: int
    seq: int = field(default_factory=lambda: randbits(15))
    timestamp: int = field(default_factory=lambda: randbits(31))


class Participant:
    """One person. :meth:`join` them, and let them :meth:`leave` at the end.

    Whoever loses the connection comes back by themselves.

    Args:
        link: into the room.
        mic: whether the microphone is on.
        camera: whether the camera is on.
        certificate: for DTLS; making one takes a while, so many people may share one.
        on_event: gets each event from the server.
        on_frame: gets each opened frame: the person, the track, and the codec's bytes.
    """

    def __init__(
        self,
        link: str,
        name: str,
        *,
        mic: bool = True,
        camera: bool = True,
        certificate: RTCCertificate | None = None,
        on_event: Callable[[Message], None] | None = None,
        on_frame: Callable[[str, Track, bytes], None] | None = None,
    ) -> None:
        self._link = Link.parse(link)
        self.name = name
        self.mic = mic
        self.camera = camera
        self.received: defaultdict[tuple[str, Track], Reception] = defaultdict(Reception)
        """By person and track; what came where nobody is stands under ``""``."""
        self.chat: list[tuple[str, str]] = []
        """Who wrote what to everyone, as far as this person could read it."""
        self.key_frame_wanted = True
        """Whether the next picture is to be a key frame."""
        self.removed = asyncio.Event()
        """Set when the server has ended the visit."""
        self._certificate = certificate
        self._on_event = on_event
        self._on_frame = on_frame
        self._member: Member | None = None
        self._membership: Membership | None = None
        self._sealer = Sealer()
        self._opener = Opener()
        self._visitor: Visitor | None = None
        self._connected = False
        """Whether media can be sent."""
        self._resume: str | None = None
        self._sources: dict[int, _Source] = {}
        """By SSRC."""
        self._outgoing: dict[Track, _Outgoing] = {}
        self._picture_id = randbits(15)
        self._retry_after_s = FIRST_RETRY_S
        self._staying: asyncio.Task[None] | None = None

    # --- what can be seen ----------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Empty before they have joined."""
        return "" if self._member is None else self._member.id

    @property
    def epoch(self) -> int | None:
        """Of the MLS group; None while not in it."""
        return self._member.epoch if self._member is not None and self._member.is_in else None

    @property
    def roster(self) -> Roster | None:
        return None if self._visitor is None else self._visitor.roster

    def hears(self, person: str) -> int:
        """How many audio frames of a person could be opened so far."""
        return self.received[person, Track.MICROPHONE].opened

    def sees(self, person: str) -> int:
        """How many frames of a person's camera could be opened so far."""
        return self.received[person, Track.CAMERA].opened

    def talking(self, within_s: float = 0.3) -> set[str]:
        """Whose voice came just now."""
        since = monotonic() - within_s
        return {
            person
            for (person, track), reception in self.received.items()
            if track is Track.MICROPHONE
            and person
            and reception.level_at > since
            and reception.level is not None
            and reception.level.voice
        }

    # --- coming and going ----------------------------------------------------------------------

    async def join(self) -> None:
        """Come in, and stay until :meth:`leave`. Raises ConnectionError or TimeoutError."""
        try:
            await self._connect()
        except BaseException:
            await self._disconnect()
            raise
        self._staying = asyncio.create_task(self._stay())

    async def leave(self) -> None:
        """Go for good."""
        await self._stop_staying()
        if self._visitor is not None and not self._visitor.gone.is_set():
            with contextlib.suppress(ConnectionError):
                await self._visitor.request("leave", {})
        await self._disconnect()

    async def _stop_staying(self) -> None:
        """Do not come back any more."""
        if self._staying is not None:
            await end(self._staying)
            self._staying = None

    async def drop_connection(self) -> None:
        """Lose the socket, as on a bad network."""
        self._connected = False
        if self._visitor is not None:
            await self._visitor.leave()

    async def _connect(self) -> None:
        link = self._link
        visitor = self._visitor = Visitor(
            link.url,
            link.room,
            link.token,
            self._certificate,
            self._take_datagram,
            self._take_event,
            self._resume,
        )
        welcome = await visitor.open()
        membership = self._own_membership(welcome.role)
        membership.forget_events()
        join = Join(
            name=self.name,
            mic=self.mic,
            camera=self.camera,
            key_package=membership.member.key_package(),
            position=membership.position,
        )
        joined = await visitor.enter(join)
        self._resume = joined.resume
        self._lay_out(visitor)
        await membership.start(joined.group, joined.roster, visitor.request)
        await visitor.connect()
        self._connected = self.key_frame_wanted = True

    def _own_membership(self, role: Role) -> Membership:
        """The same for the whole visit."""
        if self._membership is None:
            self._member = Member(self.name, role)
            self._membership = Membership(self._member, self)
        return self._membership

    def _lay_out(self, visitor: Visitor) -> None:
        """Make ready for the media of a new connection."""
        ssrcs = visitor.client.ssrcs
        self._outgoing = {
            Track.MICROPHONE: _Outgoing(ssrcs["mi"].main, OPUS_PAYLOAD_TYPE),
            Track.CAMERA: _Outgoing(ssrcs["ca"].main, VP8_PAYLOAD_TYPE),
        }
        self._sources = {}
        for mid, ssrc in visitor.offer.slots.items():
            if mid == SCREEN_MID:
                self._sources[ssrc] = _Source(Track.SCREEN, None)
            else:
                track = Track.MICROPHONE if mid.startswith("a") else Track.CAMERA
                self._sources[ssrc] = _Source(track, int(mid[1:], 16))

    async def _disconnect(self) -> None:
        self._connected = False
        if self._membership is not None:
            await self._membership.stop()
        if self._visitor is not None:
            await self._visitor.leave()

    async def _stay(self) -> None:
        """Come back whenever the connection is lost."""
        while True:
            assert self._visitor is not None
            await self._visitor.gone.wait()
            await self._disconnect()
            if self.removed.is_set():
                return
            pause = self._retry_after_s
            await asyncio.sleep(pause)
            try:
                await self._connect()
            except (OSError, AssertionError):
                # The latter is how aiohttp fails when a WebSocket is lost while it is made.
                self._retry_after_s = min(2 * pause, LONGEST_RETRY_S)
                self._visitor.gone.set()
            else:
                self._retry_after_s = FIRST_RETRY_S

    # --- what they do --------------------------------------------------------------------------

    async def request(self, event: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the server for something. Raises ConnectionError."""
        if self._visitor is None:
            raise ConnectionError("not connected")
        return await self._visitor.request(event, payload or {})

    async def set_media(self, *, mic: bool, camera: bool) -> None:
        """Switch microphone and camera. Raises ConnectionError."""
        self.mic, self.camera = mic, camera
        await self.request("media", Media(mic=mic, camera=camera).model_dump())

    async def write(self, text: str, audience: Audience = "room") -> None:
        """Write to everyone. Raises ConnectionError, or GroupFailure while in no group."""
        if self._member is None:
            raise ConnectionError("not connected")
        chat = Chat(audience=audience, message=self._member.write_chat(text))
        await self.request("chat", chat.model_dump())

    def send_audio(self, opus: bytes, level: Level) -> None:
        """Send the next 20 ms; nothing goes out while there is no key or the microphone is off."""
        out = self._outgoing.get(Track.MICROPHONE)
        if out is None or self._visitor is None:
            return
        out.timestamp += OPUS_TICKS
        if not (self._connected and self.mic):
            return
        sealed = self._sealer.seal(Track.MICROPHONE, opus)
        if sealed is not None:
            self._send(out, sealed, level, marker=False)

    def send_picture(self, vp8: bytes) -> None:
        """Send a frame of the camera, its first byte in the clear: see `Roster.whole_frames`."""
        out = self._outgoing.get(Track.CAMERA)
        if out is None or not (self._connected and self.camera):
            return
        sealed = self._sealer.seal(Track.CAMERA, vp8, clear=True)
        if sealed is None:
            return
        out.timestamp = int(monotonic() * 90_000)
        self._picture_id += 1
        payloads = split_frame(sealed, self._picture_id)
        for payload in payloads:
            self._send(out, payload, None, marker=payload is payloads[-1])

    def _send(self, out: _Outgoing, payload: bytes, level: Level | None, *, marker: bool) -> None:
        assert self._visitor is not None
        out.seq += 1
        packet = Packet(marker, out.payload_type, out.seq, out.timestamp, out.ssrc, level, payload)
        self._visitor.client.send_rtp(write_packet(packet))

    # --- what comes ----------------------------------------------------------------------------

    def _take_event(self, event: Message) -> None:
        if isinstance(event, Removed):
            self.removed.set()
        elif isinstance(event, Stopping):
            self._retry_after_s = event.retry_after_ms / 1_000
        if self._membership is not None:
            self._membership.take(event)
        if self._on_event is not None:
            self._on_event(event)

    def epoch_began(self, keys: EpochKeys | None) -> None:
        self._sealer.set_epoch(keys)
        if keys is None:
            return
        self._opener.set_epoch(keys, monotonic())
        self.key_frame_wanted = True  # whoever is new has none yet
        for source in self._sources.values():
            held, source.held = source.held, deque(maxlen=HELD_FRAMES)
            for at, frame in held:
                if monotonic() - at < HELD_S:
                    self._take_frame(source, frame, at)
                else:
                    person = self._owner(source) or ""
                    self.received[person, source.track].dropped["unknown_epoch"] += 1

    def chat_came(self, sender: str, text: str) -> None:
        self.chat.append((sender, text))

    def _take_datagram(self, datagram: memoryview) -> None:
        assert self._visitor is not None
        client = self._visitor.client
        if not client.secured:
            return
        try:
            if is_rtcp(datagram):
                self._take_rtcp(client.srtp_in.unprotect_rtcp(bytes(datagram)))
                return
            packet = read_packet(client.srtp_in.unprotect(bytes(datagram)))
        except pylibsrtp.Error:
            return  # of an earlier connection, or sent twice
        source = self._sources.get(packet.ssrc)
        if source is None:
            return
        if source.track is not Track.MICROPHONE:
            frame = source.assembler.take(packet)
            if frame is not None:
                self._take_frame(source, frame, monotonic())
            return
        self._take_frame(source, packet.payload, monotonic())
        reception = self.received[self._owner(source) or "", source.track]
        reception.level, reception.level_at = packet.level, monotonic()

    def _take_rtcp(self, compound: bytes) -> None:
        try:
            packets = aiortc.rtp.RtcpPacket.parse(compound)
        except ValueError:
            return
        for packet in packets:
            if isinstance(packet, aiortc.rtp.RtcpPsfbPacket) and packet.fmt in (_PLI, _FIR):
                self.key_frame_wanted = True

    def _take_frame(self, source: _Source, frame: bytes, at: float) -> None:
        person = self._owner(source)
        reception = self.received[person or "", source.track]
        try:
            opened = self._opener.open(source.track, person, frame, monotonic())
        except Dropped as dropped:
            if dropped.reason in ("unknown_epoch", "no_key"):
                source.held.append((at, frame))
            else:
                reception.dropped[dropped.reason] += 1
            return
        reception.opened += 1
        if self._on_frame is not None and person is not None:
            self._on_frame(person, source.track, opened)

    def _owner(self, source: _Source) -> str | None:
        """Whom the roster has where a frame came."""
        people = [] if self.roster is None else self.roster.participants
        for person in people:
            if person.screen if source.slot is None else person.slot == source.slot:
                return person.id
        return None
