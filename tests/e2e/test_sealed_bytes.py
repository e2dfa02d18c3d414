"""What the relay has of people's media, once SRTP is off, and what old keys open of it: nothing.

Beside people whose pages seal there is one whose page was kept from it: the same checks find speech
and pictures in what that page sends, so that they would find them in what the others send, too.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import av
import pytest
import pytest_asyncio
from aiortc.codecs.opus import OpusDecoder
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcdtlstransport import RTCCertificate
from playwright.async_api import Browser
from pylibsrtp import _binding

from relay import forward
from relay.feedback import request_key_frame
from server.app import running
from server.room import Room
from signaling.messages import Committed, Message
from simulated.group import CIPHERSUITE, GroupFailure
from simulated.participant import Participant
from simulated.picture import FRAMES_PER_S, Picture
from simulated.rtp import FrameAssembler, Packet, read_packet
from simulated.sealing import CLEAR_BYTE, EpochKeys, Track, key_id
from simulated.sframe import (
    AES_128_GCM_SHA256_128,
    FrameKey,
    NotSFrame,
    read_header,
)
from simulated.voice import FRAME_S, FRAME_SAMPLES, VOICES, level_of, speak
from tests.e2e.conftest import ROOM
from tests.e2e.visit import PATIENCE_S, Visit, until
from tests.loopback import on_loopback

pytestmark = pytest.mark.asyncio(loop_scope="session")

AUDIO_PACKETS, PICTURES = 200, 20
"""More than so many of each person are looked at."""
TOLERANCE_DB = 6
"""The encoder looks ahead 6.5 ms, so a packet's sound is not quite that of its level."""
PICTURE_EVERY = round(1 / FRAMES_PER_S / FRAME_S)
"""Frames of audio between two pictures."""
LEAVES = 4
"""As many as the tree of three people has."""
START_CODE = b"\x9d\x01\x2a"
"""After the frame tag of a VP8 key frame (RFC 6386 section 9.1)."""

# in place of the setter by which a page hands what it sends to its frame worker
SEND_UNSEALED = """
Object.defineProperty(RTCRtpSender.prototype, 'transform', { get: () => null, set: () => {} });
"""


class Recorder:
    """In place of libsrtp in the relay: keeps each RTP packet as it is once SRTP is off."""

    def __init__(self) -> None:
        self.by_ssrc: defaultdict[int, list[bytes]] = defaultdict(list)

    def __getattr__(self, name: str) -> Any:
        return getattr(_binding.lib, name)

    def srtp_unprotect(self, context: Any, packet: Any, length: Any) -> Any:
        status = _binding.lib.srtp_unprotect(context, packet, length)
        if not status:
            data = bytes(forward._rx_view[: length[0]])
            self.by_ssrc[int.from_bytes(data[8:12])].append(data)
        return status

    def packets(self, room: Room, name: str, mid: str) -> list[Packet]:
        """What someone has sent of one source; what is padding alone is left out."""
        member = next(one for one in room.members.values() if one.name == name)
        ssrc = member.peer.sources[mid].ssrc
        if ssrc is None:
            return []
        return [packet for data in self.by_ssrc[ssrc] if (packet := read_packet(data)).payload]

    def camera(self, room: Room, name: str) -> list[bytes]:
        """The frames of someone's camera."""
        return list(frames_of(self.packets(room, name, "ca")))


def frames_of(packets: list[Packet]) -> Iterator[bytes]:
    assembler = FrameAssembler()
    for packet in packets:
        frame = assembler.take(packet)
        if frame is not None:
            yield frame


class Sent(NamedTuple):
    """What one person's page has sent since it came in."""

    leaf: int
    audio: list[Packet]
    whole: list[bytes]
    """Camera frames, as long as the roster said that they may be sealed whole."""
    clear: list[bytes]
    """Later ones."""


class Recording(NamedTuple):
    sealed: list[Sent]
    unsealed: Sent
    epochs: int
    """Of the group, so far."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recording(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder()
    settings = on_loopback(tmp_path_factory.mktemp("data"))
    async with AsyncExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(forward, "lib", recorder)
        server = await stack.enter_async_context(running(settings))
        for name in ("Ada", "Ben", "Uma"):
            visit = await Visit.begin(await browser.new_context())
            stack.push_async_callback(visit.close)
            if name == "Uma":
                await visit.context.add_init_script(SEND_UNSEALED)
            await visit.join(server.links.to(ROOM, "participant"), name)
            await visit.secured()
        await visit.receives(await visit.slot_of("Ada"))
        await visit.receives(await visit.slot_of("Ben"))
        room = server.rooms.rooms[ROOM]
        delivery = room.encryption._delivery
        assert room.roster().whole_frames
        names = ("Ada", "Ben", "Uma")

        async def much_is_recorded() -> bool:
            return all(
                len(recorder.packets(room, name, "mi")) > AUDIO_PACKETS
                and len(recorder.camera(room, name)) > 1.2 * PICTURES
                for name in names
            )

        await until(much_is_recorded, "enough of everyone", PATIENCE_S)
        whole = {name: recorder.camera(room, name) for name in names}

        for member in room.members.values():
            member.whole_frames = False
        room._note_change()
        await asyncio.sleep(1)
        before = {name: len(recorder.camera(room, name)) for name in names}
        for member in room.members.values():
            request_key_frame(member.peer.sources["ca"], monotonic())

        async def as_much_with_a_clear_byte() -> bool:
            clear = [recorder.camera(room, name)[before[name] :] for name in names]
            return all(
                len(frames) > PICTURES and any(frame[0] & 1 == 0 for frame in frames)
                for frames in clear
            )

        await until(as_much_with_a_clear_byte, "enough with a clear byte", PATIENCE_S)
        ids = {member.name: member.id for member in room.members.values()}
        ada, ben, uma = (
            Sent(
                delivery.leaves.index(ids[name]),
                recorder.packets(room, name, "mi"),
                frames,
                recorder.camera(room, name)[before[name] :],
            )
            for name, frames in whole.items()
        )
        epochs = delivery.epoch + 1
    return Recording([ada, ben], uma, epochs)


# --- audio ---------------------------------------------------------------------------------------


def behind_the_header(payload: bytes) -> bytes:
    return payload[read_header(payload).length :]


class Heard(NamedTuple):
    """What an Opus decoder makes of someone's packets."""

    fitting: float
    """The part that gives 20 ms as loud as the packet's audio level says."""
    follows: float
    """How the loudness of what gives 20 ms goes with the levels: the correlation."""


def heard(packets: list[Packet], read: Callable[[bytes], bytes]) -> Heard:
    decoder = OpusDecoder()
    told, found = [], []
    for packet in packets:
        sounds: list[Any] = []
        with suppress(av.FFmpegError):
            sounds = list(decoder.decode(JitterFrame(read(packet.payload), packet.timestamp)))
        if [sound.samples for sound in sounds] == [FRAME_SAMPLES]:
            assert packet.level is not None
            left = memoryview(bytes(sounds[0].planes[0])).cast("h")[: 2 * FRAME_SAMPLES : 2]
            told.append(packet.level.below_overload)
            found.append(level_of(left.tobytes()).below_overload)
    fitting = sum(abs(a - b) <= TOLERANCE_DB for a, b in zip(told, found, strict=True))
    return Heard(fitting / len(packets), statistics.correlation(told, found))


async def test_no_audio_decodes(recording: Recording) -> None:
    unsealed = heard(recording.unsealed.audio, bytes)
    assert unsealed.fitting > 0.75
    assert unsealed.follows > 0.9
    [(toc, _)] = Counter(packet.payload[:1] for packet in recording.unsealed.audio).most_common(1)

    def as_opus_of_that_kind(payload: bytes) -> bytes:
        """With the first byte (RFC 6716 section 3.1) that most unsealed packets have."""
        return toc + behind_the_header(payload)[1:]

    for sent in recording.sealed:
        assert len(sent.audio) > AUDIO_PACKETS
        for read in (bytes, behind_the_header, as_opus_of_that_kind):
            # noise is as loud as it should be now and then
            sealed = heard(sent.audio, read)
            assert sealed.fitting < 0.2
            assert abs(sealed.follows) < 0.5


# --- video ---------------------------------------------------------------------------------------


def seen(frames: list[bytes], read: Callable[[bytes], bytes]) -> int:
    """How many pictures a decoder shows."""
    decoder, count = Vp8Decoder(), 0
    for number, frame in enumerate(frames):
        with suppress(av.FFmpegError):
            count += len(decoder.decode(JitterFrame(read(frame), number * 3_000)))
    return count


def key_frames(frames: list[bytes], read: Callable[[bytes], bytes]) -> int:
    return sum(read(frame)[3:6] == START_CODE for frame in frames)


def behind_the_clear_byte(frame: bytes) -> bytes:
    """A frame as it would be if nothing but a header had been put into it."""
    return frame[:1] + behind_the_header(frame[1:])


async def test_no_video_decodes(recording: Recording) -> None:
    # a page begins with a key frame, and what it sends from its first packet on is recorded
    assert key_frames(recording.unsealed.whole, bytes) >= 1
    assert seen(recording.unsealed.whole, bytes) > 0.9 * len(recording.unsealed.whole) > PICTURES
    for sent in recording.sealed:
        assert any(frame[0] & 1 == 0 for frame in sent.clear), "no key frame was recorded"
        for frames, read in (
            (sent.whole, bytes),
            (sent.whole, behind_the_header),
            (sent.clear, bytes),
            (sent.clear, behind_the_clear_byte),
        ):
            assert len(frames) > PICTURES
            assert key_frames(frames, read) == 0
            assert seen(frames, read) == 0


# --- SFrame --------------------------------------------------------------------------------------


def all_from(leaf: int, track: int, payloads: list[bytes], epochs: int) -> bool:
    """Whether all are SFrame of this leaf and track, and no counter was used twice."""
    offset = 1 if track & CLEAR_BYTE else 0
    kids = {key_id(track, leaf, epoch) for epoch in range(epochs)}
    try:
        headers = [read_header(payload[offset:]) for payload in payloads]
    except NotSFrame:
        return False
    return {one.kid for one in headers} <= kids and len(set(headers)) == len(headers)


async def test_everything_is_sframe_of_its_sender(recording: Recording) -> None:
    unsealed, epochs, camera = recording.unsealed, recording.epochs, Track.CAMERA
    audio = [packet.payload for packet in unsealed.audio]
    assert not all_from(unsealed.leaf, Track.MICROPHONE, audio, epochs)
    assert not all_from(unsealed.leaf, camera, unsealed.whole, epochs)
    assert not all_from(unsealed.leaf, camera | CLEAR_BYTE, unsealed.clear, epochs)
    for sent in recording.sealed:
        audio = [packet.payload for packet in sent.audio]
        assert all_from(sent.leaf, Track.MICROPHONE, audio, epochs)
        assert all_from(sent.leaf, camera, sent.whole, epochs)
        assert all_from(sent.leaf, camera | CLEAR_BYTE, sent.clear, epochs)


# --- bytes ---------------------------------------------------------------------------------------


def chi_squared(data: bytes) -> float:
    """How far the bytes' frequencies are from equal; of random ones 255, give or take 23."""
    expected = len(data) / 256
    counts = Counter(data)
    return sum((counts[byte] - expected) ** 2 for byte in range(256)) / expected


async def test_bytes_look_random(recording: Recording) -> None:
    random_at_most = 255 + 6 * 23
    unsealed = recording.unsealed
    assert chi_squared(b"".join(packet.payload for packet in unsealed.audio)) > 2 * random_at_most
    assert chi_squared(b"".join(unsealed.whole)) > 2 * random_at_most
    for sent in recording.sealed:
        audio = [packet.payload for packet in sent.audio]
        for payloads, offset in ((audio, 0), (sent.whole, 0), (sent.clear, 1)):
            sealed = [one[offset:] for one in payloads]
            assert chi_squared(b"".join(map(behind_the_header, sealed))) < random_at_most


# --- old keys ------------------------------------------------------------------------------------


class Leaver(Participant):
    """Keeps the keys of every epoch that it was in, and after its leaving is sent more."""

    def __init__(self, link: str, name: str, **more: Any) -> None:
        super().__init__(link, name, **more)
        self.keys: list[EpochKeys] = []

    def epoch_began(self, keys: EpochKeys | None) -> None:
        super().epoch_began(keys)
        if keys is not None:
            self.keys.append(keys)

    def opens(self, frame: bytes) -> bool:
        """Whether any key of any epoch, for any track and leaf, opens a frame."""
        for first in (frame[:0], frame[:1]):
            rest = frame[len(first) :]
            with suppress(NotSFrame):
                header = read_header(rest)
                if any(key.open(header, rest, first) is not None for key in self._frame_keys()):
                    return True
        return False

    def _frame_keys(self) -> Iterator[FrameKey]:
        for keys in self.keys:
            for track in (*Track, Track.CAMERA | CLEAR_BYTE, Track.SCREEN | CLEAR_BYTE):
                for leaf in range(LEAVES):
                    for epoch in range(self.keys[-1].epoch + 3):
                        yield _frame_key(key_id(track, leaf, epoch), keys.base_key)


@cache
def _frame_key(kid: int, base_key: bytes) -> FrameKey:
    return FrameKey(AES_128_GCM_SHA256_128, kid, base_key)


@asynccontextmanager
async def speaking(people: list[Participant]) -> AsyncIterator[None]:
    """Everyone talks and is to be seen, over and over."""
    frames = speak(VOICES[0], "I am here, and all of you can hear me.")
    pictures = [Picture(look) for look in range(len(people))]

    async def go_on() -> None:
        for number in count():
            for person, picture in zip(people, pictures, strict=True):
                frame = frames[number % len(frames)]
                person.send_audio(frame.opus, frame.level)
                if number % PICTURE_EVERY == 0:
                    wanted, person.key_frame_wanted = person.key_frame_wanted, False
                    person.send_picture(picture.next_frame(key_frame=wanted))
            await asyncio.sleep(FRAME_S)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_who_left_opens_nothing_with_old_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(forward, "lib", recorder)
    settings = on_loopback(
        tmp_path,
        ciphersuite=CIPHERSUITE,
    )
    certificate = RTCCertificate.generateCertificate()
    commits: dict[int, bytes] = {}

    def note(event: Message) -> None:
        if isinstance(event, Committed):
            commits[event.epoch] = event.commit

    async with running(settings) as server, AsyncExitStack() as stack:
        link = server.links.to(ROOM, "participant")
        ada = Participant(link, "Ada", certificate=certificate)
        leaver = Leaver(link, "Lea", certificate=certificate)
        ben = Participant(link, "Ben", certificate=certificate, on_event=note)
        people = [ada, leaver, ben]
        for person in people:
            await person.join()
            stack.push_async_callback(person.leave)
        await stack.enter_async_context(speaking(people))
        room = server.rooms.rooms[ROOM]

        async def seen_and_heard() -> bool:
            return all(
                one.hears(other.id) >= 25 and one.sees(other.id) >= 5
                for one in people
                for other in people
                if one is not other
            )

        await until(seen_and_heard, "everyone to be seen and heard", PATIENCE_S)

        def recorded() -> dict[str, list[bytes]]:
            """What Ada sent so far."""
            audio = [packet.payload for packet in recorder.packets(room, "Ada", "mi")]
            return {"mi": audio, "ca": recorder.camera(room, "Ada")}

        def lately(since: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
            """What Ada sent since then."""
            return {mid: frames[len(since[mid]) :] for mid, frames in recorded().items()}

        async def much_was_sent() -> bool:
            since = lately(start)
            return len(since["mi"]) > AUDIO_PACKETS and len(since["ca"]) > PICTURES

        start = recorded()
        await until(much_was_sent, "enough before the leaving", PATIENCE_S)
        before = lately(start)
        epoch = leaver.keys[-1].epoch
        member = leaver._member
        assert member is not None
        await leaver.leave()

        async def removed() -> bool:
            return ada.epoch == ben.epoch == epoch + 1

        await until(removed, "the removal to be committed", PATIENCE_S)
        start, heard_at_start = recorded(), ben.hears(ada.id)
        await until(much_was_sent, "enough after the leaving", PATIENCE_S)
        after = lately(start)
        assert ben.hears(ada.id) > heard_at_start + 50
        assert leaver.keys[-1].epoch == epoch

        # nor does the commit help that removed them, which the server could pass on to them
        with pytest.raises(GroupFailure, match="removed"):
            member.process(commits[epoch])
        assert not member.is_in

    # Trying every key takes long, during which nobody could have been heard.
    for mid in ("mi", "ca"):
        assert all(leaver.opens(frame) for frame in before[mid])
        assert not any(leaver.opens(frame) for frame in after[mid])
