"""What it is when someone talks while another does, on made-up conversations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.entry import Signals
from moderation.judgement import Evidence, Judgement, Kind, Rung
from moderation.overlap import OverlapRules, Overlaps
from moderation.replay import Recording, frames, listen
from moderation.rhythm import HISTORY_FRAMES, first_pause, last, silence
from moderation.scorecard import BASE_POINTS, factors, score
from moderation.voice import Voice

NUDGE, MUTE = Rung.NUDGE, Rung.MUTE


def judged(recording: Recording, rules: OverlapRules | None = None) -> list[tuple[str, ...]]:
    """Kind, rung and who, of each judgement."""
    return [
        (found.kind, found.rung or "", found.challenger, found.victim)
        for found in listen(recording, rules)
    ]


def rungs(recording: Recording, rules: OverlapRules | None = None) -> list[tuple[str, Rung]]:
    return [(found.challenger, found.rung) for found in listen(recording, rules) if found.rung]


def kinds(recording: Recording) -> list[Kind]:
    return [found.kind for found in listen(recording) if not found.rung]


# --- Listening -----------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0.15, 0.3, 0.45, 0.6])
@pytest.mark.parametrize("at", [1.5, 3.0, 5.3, 9.8])
def test_mm_hm_is_a_backchannel_and_never_nudged(at: float, length: float) -> None:
    recording: Recording = {"a": [(1, 11)], "b": [(at, at + length)]}
    assert judged(recording) == [("backchannel", "", "b", "a")]


def test_many_mm_hms_are_never_nudged() -> None:
    recording: Recording = {"a": [(1, 61)], "b": [(at, at + 0.4) for at in range(2, 60)]}
    assert judged(recording) == [("backchannel", "", "b", "a")] * 58


def test_two_mm_hms_in_a_row_are_one_backchannel() -> None:
    assert judged({"a": [(1, 11)], "b": [(3, 3.25), (3.4, 3.65)]}) == [
        ("backchannel", "", "b", "a")
    ]


def test_laughter_of_everyone_is_not_nudged() -> None:
    def laugh(at: float) -> list[tuple[float, float]]:
        return [(at, at + 0.2), (at + 0.28, at + 0.45), (at + 0.55, at + 0.7)]

    recording: Recording = {"a": [(1, 9)], "b": laugh(5), "c": laugh(5.1), "d": laugh(5.16)}
    assert kinds(recording) == [Kind.BACKCHANNEL] * 3
    assert rungs(recording) == []


def test_a_completed_sentence_is_cooperative() -> None:
    recording: Recording = {"a": [(1, 5), (5.3, 9)], "b": [(4.6, 5.5)]}
    assert judged(recording) == [("cooperative", "", "b", "a")]


# --- Interruptions -------------------------------------------------------------------------------


def test_an_interruption_that_takes_the_floor() -> None:
    found = list(listen({"a": [(1, 5)], "b": [(4, 9)]}))
    assert [(judgement.kind, judgement.rung) for judgement in found] == [
        (Kind.INTERRUPTION, NUDGE),
        (Kind.INTERRUPTION, MUTE),
        (Kind.INTERRUPTION, None),
    ]
    nudge, mute, closing = found
    assert {(judgement.challenger, judgement.victim) for judgement in found} == {("b", "a")}
    assert nudge.onset == mute.onset == pytest.approx(4.0)
    assert nudge.decided_at == pytest.approx(5.0, abs=0.05)
    assert mute.decided_at == pytest.approx(5.8, abs=0.05)
    assert not nudge.evidence.victim_stopped
    assert mute.evidence.victim_stopped
    assert mute.evidence.victim_had_talked_s == pytest.approx(3.0)
    assert mute.evidence.in_pause_s == 0
    assert mute.evidence.overlapped_s == pytest.approx(1.0, abs=0.03)
    assert mute.evidence.talked_s == pytest.approx(1.8, abs=0.03)
    assert mute.evidence.points >= mute.evidence.needed > nudge.evidence.needed
    assert closing.evidence.victim_stopped


def test_a_bid_for_the_turn_that_fails() -> None:
    recording: Recording = {"a": [(1, 9)], "b": [(4, 5.6)]}
    assert judged(recording) == [
        ("interruption", "nudge", "b", "a"),
        ("failed_interruption", "", "b", "a"),
    ]


@pytest.mark.parametrize("begins", [5.0, 5.1, 5.25, 5.6, 7.0])
def test_taking_the_turn_after_a_finished_act_is_nothing(begins: float) -> None:
    assert judged({"a": [(1, 5)], "b": [(begins, 9)]}) == []


@pytest.mark.parametrize("overlap", [0.1, 0.2, 0.3])
def test_taking_it_a_little_early_is_nothing_either(overlap: float) -> None:
    assert judged({"a": [(1, 5)], "b": [(5 - overlap, 9)]}) == []


@pytest.mark.parametrize("apart", [-0.18, -0.1, -0.02, 0.02, 0.1, 0.18])
def test_a_simultaneous_start_interrupts_nobody(apart: float) -> None:
    assert judged({"a": [(2, 6)], "b": [(2 + apart, 7)]}) == []


def test_who_begins_in_a_pause_may_be_nudged_but_not_muted() -> None:
    recording: Recording = {"a": [(1, 4), (4.25, 8)], "b": [(4.1, 7)]}
    assert rungs(recording) == [("b", NUDGE)]


@pytest.mark.parametrize(("overlap", "mute"), [(0.5, False), (0.54, True)])
def test_no_mute_for_coming_in_on_last_words(overlap: float, mute: bool) -> None:
    recording: Recording = {"a": [(1, 5)], "b": [(5 - overlap, 9)]}
    assert rungs(recording) == [("b", NUDGE)] + [("b", MUTE)] * mute
    strict = OverlapRules(mute_victim_talk_ms=0)
    assert rungs(recording, strict) == [("b", NUDGE), ("b", MUTE)]


def test_no_mute_either_if_the_victim_then_begins_something_new() -> None:
    recording: Recording = {"a": [(1, 4.5), (5.3, 5.6)], "b": [(4, 7)]}
    assert rungs(recording) == [("b", NUDGE)]
    assert ("b", MUTE) in rungs(recording, OverlapRules(mute_victim_talk_ms=0))


def test_three_talkers_each_against_who_talked_before() -> None:
    recording: Recording = {"a": [(1, 9)], "b": [(4, 7.5)], "c": [(5.5, 8.5)]}
    assert rungs(recording) == [("b", NUDGE), ("b", MUTE), ("c", NUDGE), ("c", MUTE)]
    victims = {found.challenger: found.victim for found in listen(recording)}
    assert victims == {"b": "a", "c": "a"}


def test_a_pair_overlapping_often_is_judged_each_time_alike() -> None:
    recording: Recording = {"a": [(1, 60)], "b": [(at, at + 2.5) for at in range(5, 55, 5)]}
    assert rungs(recording) == [("b", NUDGE), ("b", MUTE)] * 10
    evidence = [found.evidence for found in listen(recording) if found.rung is MUTE]
    assert len({(found.points, found.factors) for found in evidence}) == 1


def test_the_interrupted_speaker_resuming_is_the_victim_not_the_culprit() -> None:
    recording: Recording = {"a": [(1, 5), (5.5, 9)], "b": [(4, 5.9)]}
    assert {challenger for challenger, _ in rungs(recording)} == {"b"}


def test_at_most_one_judgement_for_each_spurt_and_rung() -> None:
    found = list(listen({"a": [(1, 20)], "b": [(4, 19)], "c": [(6, 8), (9, 12), (12.2, 18)]}))
    keys = [(judgement.challenger, judgement.onset, judgement.rung) for judgement in found]
    assert len(keys) == len(set(keys))


def test_who_stops_before_the_nudge_is_due_gets_none() -> None:
    assert rungs({"a": [(1, 9)], "b": [(4, 4.95)]}) == []


def test_the_sentence_tells_what_happened_and_why() -> None:
    recording: Recording = {"a": [(1, 5)], "b": [(4, 9)]}
    mute = next(found for found in listen(recording) if found.rung is MUTE)
    assert mute.evidence.sentence("Bo", "Ada") == (
        "Bo came in 3.0 s into Ada's talk, talked for 1.8 s, 1.0 s of it at the same time;"
        " Ada fell silent. What weighed most: Ada talked on for 1.0 s;"
        " Ada gave way only after 1.0 s; both talked for 0.5 s of the first half second;"
        " Bo began while Ada was speaking."
    )
    (backchannel,) = listen({"a": [(1, 9)], "b": [(4, 4.3)]})
    assert "Bo first said no more than 0.3 s" in backchannel.evidence.sentence("Bo", "Ada")


# --- The floor -----------------------------------------------------------------------------------


def holders(recording: Recording) -> dict[int, str | None]:
    """Who held the floor at the end of each second."""
    voices = {name: Voice() for name in sorted(recording)}
    overlaps = Overlaps()
    found: dict[int, str | None] = {}
    for now, told in frames(recording):
        for name, (level, active) in told.items():
            voices[name].frame(level, active, now)
        overlaps.frame(voices, now)
        if round(now * 50) % 50 == 0:
            found[round(now)] = overlaps.holder
    return found


def test_the_floor_outlasts_pauses_and_backchannels() -> None:
    found = holders({"a": [(1, 4), (5.5, 8)], "b": [(3, 3.4), (4.3, 4.8)]})
    assert found[0] is None
    assert {found[second] for second in range(2, 9)} == {"a"}


def test_the_floor_passes_to_who_talks_on_alone() -> None:
    found = holders({"a": [(1, 4)], "b": [(3.5, 8)]})
    assert found[4] == "a"
    assert {found[second] for second in range(6, 9)} == {"b"}


def test_the_floor_is_empty_after_long_silence() -> None:
    found = holders({"a": [(1, 4)], "b": [(12, 12.2)]})
    assert found[6] == "a"
    assert found[8] is None


# --- What the room does --------------------------------------------------------------------------


class Microphone:
    """A microphone that is what it is told."""

    def __init__(self, onset: float | None = None, rise_db: float = 0.0) -> None:
        self.onset = onset
        self.voiced = onset is not None
        self.rise_db = rise_db


def play(
    overlaps: Overlaps, start: float, length: float, talkers: Mapping[str, float], *silent: str
) -> list[Judgement]:
    found = []
    voices = {name: Microphone(onset) for name, onset in talkers.items()}
    voices |= {name: Microphone() for name in silent}
    for frame in range(round(length * 50)):
        found += overlaps.frame(voices, start + frame * 0.02)
    return found


def test_someone_whose_gate_closes_is_heard_no_more() -> None:
    overlaps = Overlaps()
    play(overlaps, 0, 3, {"a": 0.0}, "b")
    found = play(overlaps, 3, 1.5, {"a": 0.0, "b": 3.0})
    assert [judgement.rung for judgement in found] == [NUDGE]
    found = play(overlaps, 4.5, 3, {"a": 0.0})
    assert [(judgement.kind, judgement.rung) for judgement in found] == [
        (Kind.FAILED_INTERRUPTION, None)
    ]


def test_someone_who_leaves_takes_their_entries_along() -> None:
    for gone in "ab":
        overlaps = Overlaps()
        play(overlaps, 0, 3, {"a": 0.0}, "b")
        play(overlaps, 3, 0.8, {"a": 0.0, "b": 3.0})
        overlaps.leave(gone)
        assert overlaps.holder == (None if gone == "a" else "a")
        rest = {"a": 0.0, "b": 3.0}
        del rest[gone]
        assert play(overlaps, 3.8, 4, rest) == []
    overlaps.leave("nobody")


def test_ticks_that_were_left_out_are_silence() -> None:
    overlaps = Overlaps()
    play(overlaps, 0, 3, {"a": 0.0}, "b")
    assert play(overlaps, 33, 4, {"b": 33.0}, "a") == []
    assert overlaps.holder == "b"


@pytest.mark.parametrize("late_s", [0.0, 0.011, 0.03])
def test_ticks_of_a_busy_server_are_a_frame_each(late_s: float) -> None:
    recording: Recording = {"a": [(1, 5)], "b": [(4, 9)]}
    voices = {name: Voice() for name in recording}
    overlaps = Overlaps()
    found = []
    for frame, (exact, told) in enumerate(frames(recording)):
        now = exact + (late_s if frame % 3 == 0 else 0)
        for name, (level, active) in told.items():
            voices[name].frame(level, active, now)
        found += overlaps.frame(voices, now)
    assert [judgement.rung for judgement in found] == [NUDGE, MUTE, None]
    times = [judgement.decided_at - judgement.onset for judgement in found[:2]]
    assert times == pytest.approx([1.0, 1.8], abs=0.1)


def test_a_clock_that_runs_a_little_fast_or_slow_is_followed() -> None:
    for every_s in (0.0196, 0.0204):
        overlaps = Overlaps()
        voices = {"a": Microphone(0.0), "b": Microphone()}
        talk = 3.0
        found = []
        for frame in range(500):
            now = frame * every_s
            if now >= talk and voices["b"].onset is None:
                voices["b"] = Microphone(now)
            found += overlaps.frame(voices, now)
        times = [judgement.decided_at - judgement.onset for judgement in found if judgement.rung]
        assert times == pytest.approx([1.0, 1.8], abs=0.1)


def test_a_risen_voice_weighs_and_an_unknown_one_does_not() -> None:
    signals = Signals(50, 50, 50, 25, 50, 50, 50, 0, 0, 0, 100, 120, 0.0)
    assert score(signals._replace(rise_db=9.0)) == score(signals) + 3
    assert score(signals._replace(rise_db=-9.0)) == score(signals)
    named = factors(signals._replace(rise_db=9.0), most=99)
    assert "{challenger} was 9 dB louder than usual" in [factor.says for factor in named]


@given(
    st.builds(
        Signals,
        age=st.integers(25, 250),
        **{
            name: st.integers(0, 250)
            for name in Signals._fields
            if name not in ("age", "rise_db", "talk")
        },
        talk=st.integers(0, 25),
        rise_db=st.floats(-20, 20),
    )
)
def test_the_factors_add_up_to_the_score(signals: Signals) -> None:
    named = factors(signals, most=99)
    assert BASE_POINTS + sum(factor.points for factor in named) == score(signals)
    assert [abs(factor.points) for factor in factors(signals)] == sorted(
        (abs(factor.points) for factor in named), reverse=True
    )[:4]
    evidence = Evidence(1.0, 1.0, True, 1.0, 0.0, score(signals), 0.0, named)
    assert "{" not in evidence.sentence("Bo", "Ada")


# --- Histories -----------------------------------------------------------------------------------


@given(st.lists(st.booleans(), min_size=1, max_size=120), st.integers(1, 15))
def test_questions_to_a_history_are_answered_as_by_looking(voiced: list[bool], pause: int) -> None:
    bits = int("".join("1" if frame else "0" for frame in voiced), 2)
    count = len(voiced)
    newest_first = voiced[::-1]
    assert silence(bits) == (newest_first.index(True) if any(voiced) else HISTORY_FRAMES)
    assert last(bits, count) == bits
    runs = (at for at in range(count - pause + 1) if not any(voiced[at : at + pause]))
    assert first_pause(bits, count, pause) == next(runs, count)


# --- The rules -----------------------------------------------------------------------------------


def test_rules_come_from_a_table() -> None:
    assert OverlapRules.from_mapping({}) == OverlapRules()
    rules = OverlapRules.from_mapping({"nudge_after_ms": 1_500, "mute_points": 20})
    assert (rules.nudge_after_ms, rules.mute_points) == (1_500, 20)


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"nudge_afer_ms": 900}, "overlap.nudge_afer_ms is not known"),
        ({"nudge_after_ms": 0.9}, "overlap.nudge_after_ms must be a whole number of ms"),
        ({"nudge_after_ms": True}, "overlap.nudge_after_ms must be a whole number of ms"),
        ({"nudge_after_ms": 100}, "overlap.nudge_after_ms must be from 500 to 5000 ms, not 100"),
        ({"mute_points": "many"}, "overlap.mute_points must be a number, not 'many'"),
        ({"mute_points": float("nan")}, "overlap.mute_points must be a number, not nan"),
        ({"mute_points": -1}, "overlap.mute_points must not be less than overlap.nudge_points"),
        ({"mute_after_ms": 900}, "overlap.mute_after_ms must not be less than"),
        ({"mute_victim_talk_ms": -1}, "overlap.mute_victim_talk_ms must be from 0 to 3000 ms"),
        ({"look_ms": 60_000}, "overlap.look_ms must be from 1000 to 5000 ms"),
    ],
)
def test_a_bad_table_is_refused_by_the_name_of_its_key(
    table: dict[str, object], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        OverlapRules.from_mapping(table)


def test_rules_are_followed() -> None:
    recording: Recording = {"a": [(1, 5)], "b": [(4, 9)]}
    assert rungs(recording, OverlapRules(nudge_points=99, mute_points=99)) == []
    later = OverlapRules(nudge_after_ms=1_500, mute_after_ms=2_500)
    times = [found.decided_at - found.onset for found in listen(recording, later) if found.rung]
    assert times == pytest.approx([1.5, 2.5], abs=0.05)
    patient = OverlapRules(victim_talking_ms=2_000)
    assert rungs({"a": [(1, 5)], "b": [(2, 9)]}, patient) == []


# --- The same again ------------------------------------------------------------------------------

people = st.dictionaries(
    st.sampled_from("abcd"),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), min_size=1, max_size=4),
    min_size=2,
)


def recording_of(drawn: Mapping[str, Sequence[tuple[int, int]]]) -> Recording:
    return {
        name: [(at / 10, (at + length) / 10) for at, length in spurts]
        for name, spurts in drawn.items()
    }


@settings(max_examples=40, deadline=None)
@given(people, st.integers(0, 600))
def test_saved_and_restored_midway_it_judges_the_same(
    drawn: Mapping[str, Sequence[tuple[int, int]]], moment: int
) -> None:
    recording = recording_of(drawn)
    straight = list(listen(recording))
    assert straight == list(listen(recording))  # and the same each time
    voices = {name: Voice() for name in sorted(recording)}
    overlaps = Overlaps()
    found = []
    for frame, (now, told) in enumerate(frames(recording)):
        if frame == moment:
            saved = json.dumps([{n: v.save() for n, v in voices.items()}, overlaps.save()])
            microphones, room = json.loads(saved)
            voices = {name: Voice.restore(data) for name, data in microphones.items()}
            overlaps = Overlaps.restore(room)
            again = [{n: v.save() for n, v in voices.items()}, overlaps.save()]
            assert json.dumps(again) == saved
        for name, (level, active) in told.items():
            voices[name].frame(level, active, now)
        found += overlaps.frame(voices, now)
    assert found == straight
