"""Levels and voice bits to talk spurts, by driven time."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.voice import FRAME_S, SpurtEnded, SpurtStarted, Voice, VoiceRules

SPEECH = 25
ROOM = 70
MISSING = None

Frame = int | tuple[int, bool] | None
"""A level with the voice bit set if it is loud, both, or a missing packet."""


class Microphone:
    def __init__(self, voice: Voice | None = None) -> None:
        self.voice = voice or Voice()
        self.now = 0.0
        self.count = 0

    def hear(self, frames: Iterable[Frame]) -> list[SpurtStarted | SpurtEnded]:
        found = []
        for frame in frames:
            self.now = self.count * FRAME_S
            self.count += 1
            if frame is None:
                event = self.voice.tick(self.now)
            elif isinstance(frame, tuple):
                event = self.voice.frame(*frame, self.now)
            else:
                event = self.voice.frame(frame, frame < 50, self.now)
            if event:
                found.append(event)
        return found


@pytest.fixture
def microphone() -> Microphone:
    microphone = Microphone()
    assert microphone.hear([ROOM] * 50) == []  # 1 s of quiet room
    return microphone


def test_talk_becomes_one_spurt_that_counts_from_its_first_frame(microphone: Microphone) -> None:
    (started,) = microphone.hear([SPEECH] * 50)
    assert isinstance(started, SpurtStarted)
    assert started.onset == pytest.approx(1.0)
    assert microphone.voice.voiced
    assert microphone.voice.onset == pytest.approx(1.0)
    (ended,) = microphone.hear([ROOM] * 30)
    assert isinstance(ended, SpurtEnded)
    assert (ended.onset, ended.end, ended.voiced_s) == pytest.approx((1.0, 2.0, 1.0))
    assert microphone.voice.onset is None


def test_a_spurt_is_known_within_200_ms(microphone: Microphone) -> None:
    microphone.hear([SPEECH] * 10)
    assert microphone.voice.onset == pytest.approx(1.0)


def test_a_pause_within_the_hangover_is_part_of_the_spurt(microphone: Microphone) -> None:
    assert len(microphone.hear([SPEECH] * 25 + [ROOM] * 14 + [SPEECH] * 25)) == 1
    events = microphone.hear([ROOM] * 15)
    assert [type(event) for event in events] == [SpurtEnded]


def test_a_pause_of_the_hangover_ends_it(microphone: Microphone) -> None:
    events = microphone.hear([SPEECH] * 25 + [ROOM] * 15 + [SPEECH] * 25)
    assert [type(event) for event in events] == [SpurtStarted, SpurtEnded, SpurtStarted]


@pytest.mark.parametrize(
    "tap", [[10], [8, 20], [6, 14, 22, 30], [5, 10, 16, 24, 31, 40]], ids=lambda tap: f"{len(tap)}"
)
def test_a_tap_on_the_desk_is_no_speech(microphone: Microphone, tap: list[int]) -> None:
    assert microphone.hear([*tap, *[ROOM] * 50]) == []


def test_a_cough_is_no_speech(microphone: Microphone) -> None:
    # An explosive burst, then noise that dies away, 0.28 s in all.
    cough = [12, 9, 10, 14, 17, 20, 21, 23, 24, 26, 28, 31, 35, 40]
    assert microphone.hear([*cough, *[ROOM] * 50]) == []


def test_typing_is_no_speech(microphone: Microphone) -> None:
    keystroke = [30, 42, ROOM, ROOM, ROOM, ROOM]
    assert microphone.hear(keystroke * 40 + [ROOM] * 50) == []


def test_a_short_word_is_speech_though_it_is_only_known_when_over(microphone: Microphone) -> None:
    events = microphone.hear([SPEECH] * 6 + [ROOM] * 30)
    assert [type(event) for event in events] == [SpurtStarted, SpurtEnded]
    assert events[0].onset == pytest.approx(1.0)


def test_speech_that_swells_is_known_after_80_ms(microphone: Microphone) -> None:
    microphone.hear([45, 38, 31, 26])
    assert microphone.voice.onset == pytest.approx(1.0)


def test_a_fan_is_absorbed_by_the_noise_floor_and_talk_over_it_is_not() -> None:
    microphone = Microphone()
    microphone.hear([(ROOM, True)] * 50)
    # The browser takes the fan for voice as well: 15 dB more for half a minute.
    events = microphone.hear([(54, True)] * 1_500)
    assert [type(event) for event in events] == [SpurtStarted, SpurtEnded]
    assert microphone.voice.noise_floor == pytest.approx(54, abs=1)
    assert [type(event) for event in microphone.hear([(30, True)] * 20)] == [SpurtStarted]


def test_the_noise_floor_comes_down_fast_when_the_fan_stops() -> None:
    microphone = Microphone()
    microphone.hear([(45, False)] * 500)
    microphone.hear([(ROOM, False)] * 25)
    assert microphone.voice.noise_floor == pytest.approx(ROOM, abs=1)
    assert microphone.hear([(50, True)] * 20)


def test_a_minute_without_a_pause_is_still_speech() -> None:
    microphone = Microphone()
    microphone.hear([ROOM] * 50)
    assert len(microphone.hear([SPEECH] * 3_000)) == 1


def test_loudness_without_the_voice_bit_is_no_speech_once_the_sender_has_used_it(
    microphone: Microphone,
) -> None:
    microphone.hear([SPEECH] * 50 + [ROOM] * 50)
    assert microphone.hear([(SPEECH, False)] * 100) == []


def test_a_sender_that_never_sets_the_bit_is_heard_by_level(microphone: Microphone) -> None:
    assert len(microphone.hear([(SPEECH, False)] * 50)) == 1


def test_a_sender_that_always_sets_the_bit_is_heard_by_level() -> None:
    microphone = Microphone()
    assert microphone.hear([(ROOM, True)] * 500) == []
    assert len(microphone.hear([(SPEECH, True)] * 50)) == 1
    assert len(microphone.hear([(ROOM, True)] * 50)) == 1


def test_whispering_far_below_speech_level_is_no_speech(microphone: Microphone) -> None:
    assert microphone.hear([(64, True)] * 200) == []


def test_missing_packets_are_no_end_of_speech_before_the_hangover(microphone: Microphone) -> None:
    assert len(microphone.hear([SPEECH] * 25 + [MISSING] * 14 + [SPEECH] * 25)) == 1
    events = microphone.hear([MISSING] * 15)
    assert [type(event) for event in events] == [SpurtEnded]


def test_discontinuous_transmission_teaches_the_noise_floor_nothing(microphone: Microphone) -> None:
    before = microphone.voice.noise_floor
    microphone.hear([MISSING] * 500)
    microphone.hear([(127, False)] * 500)
    assert microphone.voice.noise_floor == before
    assert len(microphone.hear([SPEECH] * 20)) == 1


def test_every_fourth_packet_lost_is_one_spurt(microphone: Microphone) -> None:
    talk = [SPEECH, SPEECH, SPEECH, MISSING] * 25
    assert [type(event) for event in microphone.hear(talk)] == [SpurtStarted]


def test_a_risen_voice_is_told_in_db(microphone: Microphone) -> None:
    microphone.hear([30] * 100)
    assert microphone.voice.rise_db == 0.0  # too little to compare with
    microphone.hear([30] * 250 + [ROOM] * 20)
    assert microphone.voice.rise_db == 0.0  # nobody talks
    microphone.hear([20] * 50)
    assert 6 < microphone.voice.rise_db <= 10


def test_other_rules() -> None:
    microphone = Microphone(Voice(VoiceRules(hangover_ms=500)))
    microphone.hear([ROOM] * 50)
    assert len(microphone.hear([SPEECH] * 25 + [ROOM] * 24 + [SPEECH] * 25)) == 1


frames_strategy = st.lists(
    st.one_of(
        st.none(),
        st.tuples(st.integers(0, 127), st.booleans()),
        st.sampled_from([(SPEECH, True), (ROOM, False)]),
    ),
    max_size=200,
)


@given(frames_strategy, frames_strategy)
def test_saved_and_restored_it_goes_on_the_same(before: list[Frame], after: list[Frame]) -> None:
    one = Microphone()
    one.hear(before)
    rules = VoiceRules()
    other = Microphone(Voice.restore(json.loads(json.dumps(one.voice.save())), rules))
    other.count = one.count
    assert one.hear(after) == other.hear(after)
    assert one.voice.save() == other.voice.save()


@given(frames_strategy)
def test_spurts_start_and_end_in_turn(frames: list[Frame]) -> None:
    events = Microphone().hear([*frames, *[MISSING] * 30])
    assert len(events) % 2 == 0
    for started, ended in zip(events[::2], events[1::2], strict=True):
        assert isinstance(started, SpurtStarted)
        assert isinstance(ended, SpurtEnded)
        assert started.onset == ended.onset < ended.end
        assert 0 < ended.voiced_s <= ended.end - ended.onset + 1e-6
