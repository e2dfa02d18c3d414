"""Frames are opened only from whom they are expected, and only once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulated.sealing import Dropped, EpochKeys, Opener, Sealer, Track, key_id
from simulated.sframe import read_header

FIRST = EpochKeys(7, b"k" * 16, 2, {"ada": 2, "ben": 3})
SPEECH = Track.MICROPHONE
SECOND = replace(FIRST, epoch=8, base_key=b"l" * 16)


def reason(
    opener: Opener, person: str | None, frame: bytes, now: float = 0.0, track: Track = SPEECH
) -> str:
    """Why a frame is dropped."""
    with pytest.raises(Dropped) as caught:
        opener.open(track, person, frame, now)
    return caught.value.reason


@pytest.fixture
def sealer() -> Sealer:
    sealer = Sealer()
    sealer.set_epoch(FIRST)
    return sealer


@pytest.fixture
def opener() -> Opener:
    opener = Opener()
    opener.set_epoch(FIRST, 0.0)
    return opener


def test_key_ids() -> None:
    assert key_id(0, 0, 0) == 0
    assert key_id(Track.SCREEN, 31, 0x1FE) == 0x021FFE


@pytest.mark.parametrize("base_key", [b"k" * 16, b"k" * 32])
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("track", [Track.CAMERA, Track.SCREEN])
def test_what_is_sealed_can_be_opened(base_key: bytes, clear: bool, track: Track) -> None:
    keys = replace(FIRST, base_key=base_key)
    sealer, opener = Sealer(), Opener()
    sealer.set_epoch(keys)
    opener.set_epoch(keys, 0.0)
    for frame in (b"\x10abc", b"\x11", b"\x00" * 2_000):
        sealed = sealer.seal(track, frame, clear=clear)
        assert sealed is not None
        assert frame[1:] == b"" or frame[1:] not in sealed
        assert (sealed[:1] == frame[:1]) or not clear
        assert opener.open(track, "ada", sealed, 0.0) == frame


def test_without_a_key_nothing_is_sealed_or_opened(sealer: Sealer) -> None:
    sealed = sealer.seal(Track.MICROPHONE, b"opus")
    assert sealed is not None
    assert reason(Opener(), "ada", sealed) == "no_key"
    sealer.set_epoch(None)
    assert sealer.seal(Track.MICROPHONE, b"opus") is None


def test_only_the_expected_person_and_track_pass(sealer: Sealer, opener: Opener) -> None:
    sealed = sealer.seal(Track.MICROPHONE, b"opus")
    assert sealed is not None
    for person, why in (("ben", "wrong_sender"), ("eve", "wrong_sender"), (None, "nobody")):
        assert reason(opener, person, sealed) == why
    assert reason(opener, "ada", sealed, track=Track.CAMERA) == "malformed"
    assert reason(opener, "ada", b"") == "malformed"
    for at in range(3, len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        assert reason(opener, "ada", bytes(changed)) in (
            "forged",
            "malformed",
            "wrong_sender",
            "unknown_epoch",
        )
    assert opener.open(Track.MICROPHONE, "ada", sealed, 0.0) == b"opus"


def test_audio_is_not_taken_with_a_clear_byte(sealer: Sealer, opener: Opener) -> None:
    sealed = sealer.seal(Track.MICROPHONE, b"\xffopus", clear=True)
    assert sealed is not None
    assert reason(opener, "ada", sealed) == "malformed"


def test_a_frame_is_opened_once(sealer: Sealer, opener: Opener) -> None:
    frames = [sealer.seal(Track.MICROPHONE, bytes([n])) or b"" for n in range(200)]
    order = [*range(0, 200, 2), *range(73, 200, 2)]
    for n in order:
        assert opener.open(Track.MICROPHONE, "ada", frames[n], 0.0) == bytes([n])
    for n in (*order, 69):
        frame = frames[n]
        assert reason(opener, "ada", frame) == "replayed"


def test_counters_go_on_over_connections_and_epochs(sealer: Sealer) -> None:
    def counter() -> int:
        return read_header(sealer.seal(Track.MICROPHONE, b"opus") or b"").counter

    assert [counter(), counter()] == [0, 1]
    sealer.set_epoch(None)
    sealer.set_epoch(FIRST)
    assert counter() == 2
    sealer.set_epoch(SECOND)
    assert counter() == 0
    sealer.set_epoch(FIRST)
    assert counter() == 3


def test_the_last_epoch_opens_for_ten_seconds_more(sealer: Sealer, opener: Opener) -> None:
    sealed = [sealer.seal(Track.MICROPHONE, b"opus") or b"" for _ in range(2)]
    sealer.set_epoch(SECOND)
    early = sealer.seal(Track.MICROPHONE, b"next") or b""
    assert reason(opener, "ada", early, 1.0) == "unknown_epoch"
    opener.set_epoch(SECOND, 2.0)
    assert opener.open(Track.MICROPHONE, "ada", early, 2.0) == b"next"
    assert opener.open(Track.MICROPHONE, "ada", sealed[0], 11.9) == b"opus"
    assert reason(opener, "ada", sealed[1], 12.0) == "unknown_epoch"


def test_the_sender_is_who_has_the_leaf_in_the_frames_own_epoch(
    sealer: Sealer, opener: Opener
) -> None:
    sealed = [sealer.seal(Track.MICROPHONE, b"opus") or b"" for _ in range(2)]
    opener.set_epoch(replace(SECOND, leaves={"eve": 2, "ben": 3}), 1.0)
    assert opener.open(Track.MICROPHONE, "ada", sealed[0], 1.0) == b"opus"
    frame = sealed[1]
    assert reason(opener, "eve", frame, 1.0) == "wrong_sender"
