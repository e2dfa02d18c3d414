"""Voices can be heard and pictures seen, sealed and in packets."""

from __future__ import annotations

import math
from array import array
from random import Random

import pytest
from aiortc.codecs.opus import OpusDecoder
from aiortc.codecs.vpx import Vp8Decoder
from aiortc.jitterbuffer import JitterFrame
from av import AudioFrame, VideoFrame

from simulated.picture import BACKGROUNDS, FRAMES_PER_S, HEIGHT, KEY_FRAME_EVERY, WIDTH, Picture
from simulated.rtp import (
    MAX_PAYLOAD,
    SILENCE,
    FrameAssembler,
    Level,
    Packet,
    read_packet,
    split_frame,
    write_packet,
)
from simulated.sealing import EpochKeys, Opener, Sealer, Track
from simulated.voice import FRAME_SAMPLES, VOICES, Voice, level_of, silence, speak
from tests.relay.packets import rtp

KEYS = EpochKeys(1, bytes(16), 0, {"ada": 0})


@pytest.mark.parametrize(
    ("amplitude", "level"),
    [(0, SILENCE), (32_767, Level(0, True)), (3_277, Level(20, True)), (50, Level(56, False))],
)
def test_levels_of_square_waves(amplitude: int, level: Level) -> None:
    assert level_of(array("h", [amplitude, -amplitude] * 480).tobytes()) == level


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.name)
def test_a_voice_is_audible_and_its_levels_are_true(voice: Voice) -> None:
    frames = speak(voice, "I went for a walk by the river.")
    assert 1 < len(frames) * 0.02 < 5
    decoder = OpusDecoder()
    decoded = array("h")
    for frame in frames:
        (sound,) = decoder.decode(JitterFrame(frame.opus, 0))
        assert isinstance(sound, AudioFrame)
        assert sound.samples == FRAME_SAMPLES
        decoded.extend(memoryview(bytes(sound.planes[0])).cast("h")[: 2 * FRAME_SAMPLES : 2])
    told = 10 * math.log10(sum(10 ** (-f.level.below_overload / 10) for f in frames) / len(frames))
    heard = -level_of(decoded.tobytes()).below_overload
    assert abs(told - heard) < 3
    assert sum(frame.level.voice for frame in frames) > len(frames) / 2
    assert frames is speak(voice, "I went for a walk by the river.")


def test_voices_differ() -> None:
    assert len({speak(voice, "Hello.") for voice in VOICES}) == len(VOICES)
    with pytest.raises(ValueError, match="no voice"):
        speak(Voice("tlh-nobody", 50, 150), "Hello.")


def test_silence_is_silent() -> None:
    (sound,) = OpusDecoder().decode(JitterFrame(silence().opus, 0))
    assert isinstance(sound, AudioFrame)
    assert max(memoryview(bytes(sound.planes[0])).cast("h")) < 10
    assert silence().level == SILENCE


def test_a_picture_can_be_seen_after_sealing_and_packets() -> None:
    sealer, opener, picture = Sealer(), Opener(), Picture(3)
    sealer.set_epoch(KEYS)
    opener.set_epoch(KEYS, 0.0)
    assembler, decoder = FrameAssembler(), Vp8Decoder()
    shown: list[VideoFrame] = []
    seq = 0xFFF0
    for number in range(2 * FRAMES_PER_S):
        sealed = sealer.seal(Track.CAMERA, picture.next_frame(), clear=True)
        assert sealed is not None
        payloads = split_frame(sealed, number)
        packets = []
        for payload in payloads:
            seq += 1
            packets.append(
                Packet(payload is payloads[-1], 96, seq & 0xFFFF, number * 18_000, 5, None, payload)
            )
        Random(number).shuffle(packets)
        whole = [frame for packet in packets if (frame := assembler.take(packet)) is not None]
        assert whole == [sealed]
        opened = opener.open(Track.CAMERA, "ada", sealed, 0.0)
        decoded = decoder.decode(JitterFrame(opened, 0))
        shown += [frame for frame in decoded if isinstance(frame, VideoFrame)]
    assert len(shown) == 2 * FRAMES_PER_S
    corner = [bytes(plane)[0] for plane in shown[-1].planes]
    assert all(abs(a - b) < 8 for a, b in zip(corner, BACKGROUNDS[3], strict=True))
    assert (shown[-1].width, shown[-1].height) == (WIDTH, HEIGHT)
    assert bytes(shown[0].planes[0]) != bytes(shown[-1].planes[0])


def test_key_frames_come_every_ten_seconds_and_when_asked_for() -> None:
    picture = Picture(0)
    asked_for = 7
    keys = [
        number
        for number in range(KEY_FRAME_EVERY + 5)
        if not picture.next_frame(key_frame=number == asked_for)[0] & 1  # RFC 6386 section 9.1
    ]
    assert keys == [0, asked_for, KEY_FRAME_EVERY]


def test_a_frame_with_a_gap_is_left_out() -> None:
    assembler = FrameAssembler()
    payloads = split_frame(bytes(3 * MAX_PAYLOAD), 1)
    assert len(payloads) == 3
    for number, payload in enumerate(payloads):
        if number != 1:
            packet = Packet(number == 2, 96, number, 0, 5, None, payload)
            assert assembler.take(packet) is None
    (payload,) = split_frame(b"frame", 2)
    assert assembler.take(Packet(True, 96, 3, 1, 5, None, payload)) == b"frame"
    assert assembler.take(Packet(True, 96, 4, 2, 5, None, b"")) is None


def test_packets() -> None:
    packet = Packet(True, 111, 65_535, 2**32 - 1, 7, Level(35, True), b"opus")
    assert read_packet(write_packet(packet)) == packet
    silent = Packet(False, 96, 0, 0, 7, None, b"")
    assert read_packet(write_packet(silent)) == silent
    made = rtp(9, 1, 2, b"x\0\0\3", padded=True, extensions=[(2, b"abc"), (1, b"\x94")], csrcs=[4])
    assert read_packet(made) == Packet(False, 111, 1, 2, 9, Level(20, True), b"x")
