"""Recordings turned back into frames."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.effects import SetGate, TellPerson
from moderation.notices import Muted, Nudge
from moderation.overlap import OverlapRules
from moderation.replay import AFTER_S, SILENCE_DBOV, SPEECH_DBOV, frames, listen, play
from moderation.voice import FRAME_S, VoiceRules
from tests.moderation.stage import FORMATS


def test_there_is_a_frame_of_everyone_every_20_ms_until_a_while_after_the_last_word() -> None:
    told = list(frames({"b": [(0.5, 1.0)], "a": []}))
    assert [now for now, _ in told] == pytest.approx([k * FRAME_S for k in range(len(told))])
    assert len(told) * FRAME_S == pytest.approx(1.0 + AFTER_S)
    assert all(list(levels) == ["a", "b"] for _, levels in told)


def test_levels_and_bits_say_who_is_voiced() -> None:
    told = list(frames({"a": [(0.5, 1.0)]}))
    for now, levels in told:
        level, active = levels["a"]
        assert active == (0.5 <= now + FRAME_S / 2 < 1.0)
        assert abs(level - (SPEECH_DBOV if active else SILENCE_DBOV)) <= 3
    assert len({level for _, levels in told for level, _ in levels.values()}) > 6  # with noise


def test_intervals_that_touch_or_overlap_are_one() -> None:
    told = list(frames({"a": [(0.5, 1.0), (0.8, 1.5), (1.5, 2.0)]}))
    assert [levels["a"][1] for _, levels in told].count(True) == 75


def test_nobody_and_nothing() -> None:
    assert list(listen({})) == []
    assert list(listen({"a": []})) == []


def test_rules_are_passed_on() -> None:
    recording = {"a": [(1.0, 5.0)], "b": [(4.0, 9.0)]}
    assert len(list(listen(recording))) == 3
    assert len(list(listen(recording, OverlapRules(mute_points=99)))) == 2
    deaf = VoiceRules(quietest_dbov=10)
    assert list(listen(recording, voice_rules=deaf)) == []


intervals = st.lists(
    st.tuples(st.floats(0, 5), st.floats(0, 3)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=4,
)


@given(st.dictionaries(st.sampled_from("abc"), intervals))
def test_judgements_come_in_order_and_the_same_each_time(
    recording: dict[str, list[tuple[float, float]]],
) -> None:
    found = list(listen(recording))
    assert found == list(listen(recording))
    assert all(one.decided_at <= other.decided_at for one, other in pairwise(found))
    assert all(judgement.onset <= judgement.decided_at for judgement in found)


def test_a_recording_through_the_whole_engine() -> None:
    """B talks over a and is nudged, then not heard for a moment; nobody else is told anything."""
    recording = {"a": [(2.0, 20.0)], "b": [(8.0, 12.0)], "f": []}
    played = list(play(recording, FORMATS, facilitators={"f"}))
    assert [now for now, _ in played] == sorted(now for now, _ in played)
    told = [
        (effect.to, type(effect.notice))
        for _, effect in played
        if isinstance(effect, TellPerson) and isinstance(effect.notice, Nudge | Muted)
    ]
    assert told == [("b", Nudge), ("b", Muted)]
    closed = [
        (now, effect.person)
        for now, effect in played
        if isinstance(effect, SetGate) and not effect.is_open
    ]
    assert [person for _, person in closed] == ["b"]
    assert 8.0 < closed[0][0] < 12.0
    assert played == list(play(recording, FORMATS, facilitators={"f"}))
