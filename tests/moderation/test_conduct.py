"""The ladder: nudge, short mutes, muted until lifted; and back down again with time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from moderation import events as ev
from moderation.judgement import Evidence, Judgement, Kind, Rung
from moderation.notices import Muted, Nudge, Unmuted
from moderation.overlap_rules import OverlapRules
from tests.moderation.stage import Stage, of

EVIDENCE = Evidence(
    overlapped_s=1.2,
    talked_s=2.0,
    victim_stopped=True,
    victim_had_talked_s=4.0,
    in_pause_s=0.0,
    points=20.0,
    needed=10.0,
    factors=(),
)


class Script:
    """In the place of ``Overlaps``: says what it is told to say at the next tick."""

    told: list[Judgement]
    heard: list[str]

    def __init__(self, _rules: OverlapRules | None = None) -> None:
        Script.told = []

    def frame(self, voices: Mapping[str, Any], _now: float) -> list[Judgement]:
        Script.heard = list(voices)
        told, Script.told = Script.told, []
        return told

    def leave(self, _name: str) -> None: ...

    def save(self) -> dict[str, Any]:
        return {}

    @classmethod
    def restore(cls, _data: Mapping[str, Any], rules: OverlapRules | None = None) -> Script:
        return cls(rules)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr("moderation.listening.Overlaps", Script)
    stage = Stage()
    stage.join("f", "a", "b")
    stage.do(ev.SetPhase("f", "work"))
    return stage


def judge(
    stage: Stage,
    rung: Rung | None,
    challenger: str = "a",
    victim: str = "b",
    kind: Kind = Kind.INTERRUPTION,
    onset: float | None = None,
) -> list[Any]:
    """One judgement, at the next tick."""
    at = stage.now if onset is None else onset
    Script.told = [Judgement(kind, rung, challenger, victim, at, stage.now, EVIDENCE)]
    return stage.talk(0.02)


def test_a_nudge_is_private_and_closes_nothing(stage: Stage) -> None:
    effects = judge(stage, Rung.NUDGE)
    assert [nudge.about for nudge in of(Nudge, effects, "a")] == ["interruption"]
    assert len(of(Nudge, effects)) == 1
    assert stage.heard() == {"f", "a", "b"}
    assert stage.view("a").strikes == 0


def test_nudges_are_not_given_one_after_the_other(stage: Stage) -> None:
    judge(stage, Rung.NUDGE)
    stage.wait(19)
    assert not of(Nudge, judge(stage, Rung.NUDGE))
    stage.wait(1)
    assert of(Nudge, judge(stage, Rung.NUDGE))


def test_a_short_mute_has_a_kind_reason_and_a_countdown_and_ends(stage: Stage) -> None:
    floor = stage.floor
    effects = judge(stage, Rung.MUTE)
    began = stage.now - 0.02
    muted = of(Muted, effects, "a")[0]
    assert muted.reason == "short_mute"
    assert muted.until == pytest.approx(began + 8)
    assert stage.gates["a"].reason == "short_mute"
    assert len(of(Muted, effects)) == 1
    assert stage.floor == floor, "the group sees no reprimand"
    assert "{challenger} came in" in stage.view("a").muted_why
    assert stage.gates["a"] is effects[0], "the gate comes first"
    stage.wait(7.9)
    assert not stage.gates["a"].is_open
    effects = stage.wait(0.1)
    assert stage.gates["a"].is_open
    assert of(Unmuted, effects, "a")


def test_the_ladder_to_its_top(stage: Stage) -> None:
    lengths = []
    for _ in range(2):
        effects = judge(stage, Rung.MUTE)
        until = of(Muted, effects, "a")[0].until
        assert until is not None
        lengths.append(round(until - stage.now))
        stage.wait(30)
    assert lengths == [8, 20]
    effects = judge(stage, Rung.MUTE)
    held = of(Muted, effects, "a")[0]
    assert (held.reason, held.until) == ("held_mute", None)
    alert = stage.alerts("repeated_interruptions")[-1].alert
    assert (alert.about, alert.severity) == ("a", "attention")
    assert alert.evidence["muted_until_lifted"] is True
    stage.wait(2000, 5)
    assert not stage.gates["a"].is_open
    stage.do(ev.UnmutePerson("f", "a"))
    assert stage.gates["a"].is_open


def test_steps_are_forgotten_with_time(stage: Stage) -> None:
    judge(stage, Rung.MUTE)
    stage.wait(30)
    judge(stage, Rung.MUTE)
    assert stage.view("a").strikes == 2
    stage.wait(301)
    assert stage.view("a").strikes == 1
    stage.wait(301)
    assert stage.view("a").strikes == 0
    until = of(Muted, judge(stage, Rung.MUTE), "a")[0].until
    assert until == pytest.approx(stage.now + 8, abs=0.1)


def test_to_forgive_is_to_begin_anew(stage: Stage) -> None:
    for _ in range(3):
        judge(stage, Rung.MUTE)
        stage.wait(30)
    stage.do(ev.Forgive("f", "a"))
    assert stage.gates["a"].is_open
    assert stage.view("a").strikes == 0
    assert of(Muted, judge(stage, Rung.MUTE), "a")[0].reason == "short_mute"


def test_forgiving_does_not_lift_a_facilitators_own_mute(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    stage.do(ev.Forgive("f", "a"))
    assert not stage.gates["a"].is_open


def test_the_ladder_is_switched_off_and_on(stage: Stage) -> None:
    judge(stage, Rung.MUTE)
    stage.do(ev.SetLadder("f", False))
    assert stage.gates["a"].is_open
    assert not stage.people.ladder_on
    for rung in (Rung.NUDGE, Rung.MUTE):
        effects = judge(stage, rung)
        assert not of(Nudge, effects)
        assert not of(Muted, effects)
    stage.do(ev.SetLadder("f", False))
    assert stage.refusal() == "already"
    stage.do(ev.SetLadder("f", True))
    assert of(Muted, judge(stage, Rung.MUTE), "a")


def test_facilitators_see_at_once_whether_the_ladder_is_on(stage: Stage) -> None:
    stage.do(ev.SetLadder("f", False))
    assert not stage.people.ladder_on
    stage.do(ev.SetLadder("f", True))
    assert stage.people.ladder_on
    stage.do(ev.SetLadder("f", 1))
    assert stage.refusal() == "bad_value"


def test_a_facilitator_is_never_nudged_or_muted(stage: Stage) -> None:
    for rung in (Rung.NUDGE, Rung.MUTE):
        effects = judge(stage, rung, challenger="f")
        assert not of(Nudge, effects)
    assert "f" in stage.heard()


def test_a_holder_of_the_floor_is_never_judged(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    judge(stage, Rung.MUTE, victim="f")
    assert stage.heard() == {"f", "a"}


def test_interruptions_are_counted_once_each(stage: Stage) -> None:
    onset = stage.now
    judge(stage, Rung.NUDGE, onset=onset)
    judge(stage, Rung.MUTE, onset=onset)
    judge(stage, None, onset=onset)
    judge(stage, None, onset=onset + 1)
    judge(stage, None, kind=Kind.BACKCHANNEL)
    judge(stage, None, kind=Kind.COOPERATIVE)
    judge(stage, None, kind=Kind.FAILED_INTERRUPTION)
    stage.wait(2)
    assert stage.view("a").session.interruptions_made == 2
    assert stage.view("b").session.interruptions_suffered == 2
    assert stage.view("b").recent.interruptions_suffered == 2
    assert stage.view("b").session.interruptions_made == 0


def test_several_within_a_while_are_an_alert_with_its_evidence(stage: Stage) -> None:
    for _ in range(2):
        judge(stage, None)
        stage.wait(60)
    assert not stage.alerts()
    judge(stage, None)
    alert = stage.alerts("repeated_interruptions")[0].alert
    assert (alert.about, alert.severity) == ("a", "attention")
    assert (alert.evidence["times"], alert.evidence["victim"]) == (3, "b")
    assert "{victim} fell silent" in str(alert.evidence["what"])


def test_far_apart_they_are_none(stage: Stage) -> None:
    for _ in range(6):
        judge(stage, None)
        stage.wait(301, 1)
    assert not stage.alerts("repeated_interruptions")


def test_only_those_whose_gates_are_open_are_listened_to(stage: Stage) -> None:
    judge(stage, Rung.MUTE)
    stage.talk(0.02)
    assert Script.heard == ["f", "b"]
    stage.wait(8)
    stage.talk(0.02)
    assert Script.heard == ["f", "a", "b"]


def test_ones_own_turn_ends_a_short_mute(stage: Stage) -> None:
    judge(stage, Rung.MUTE)
    stage.do(ev.SetFormat("f", "circle"))
    assert stage.floor.holder == "a"
    assert "a" in stage.heard()


def test_the_top_of_the_ladder_has_an_end_when_nobody_facilitates(stage: Stage) -> None:
    stage.do(ev.Left("f"))
    stage.wait(31)
    for _ in range(3):
        judge(stage, Rung.MUTE)
        stage.wait(30)
    assert stage.own["a"].muted == "held_mute"
    assert "facilitator" not in stage.own["a"].text
    stage.wait(61)
    assert "a" in stage.heard()
