"""Pauses and mutes: one, all, and what facilitators can always lift."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.notices import Muted, Unmuted
from tests.moderation.stage import Stage, of


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join("f", "a", "b", "c")
    return stage


def test_a_pause_makes_all_but_facilitators_quiet_and_restores(stage: Stage) -> None:
    effects = stage.do(ev.Pause("f"))
    assert stage.floor.paused
    assert stage.heard() == {"f"}
    assert of(Muted, effects, "a")[0].reason == "paused"
    effects = stage.do(ev.Resume("f"))
    assert stage.heard() == {"f", "a", "b", "c"}
    assert of(Unmuted, effects, "a")


def test_a_pause_restores_holder_queue_and_the_rest_of_the_turn(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    for person in "abc":
        stage.do(ev.RequestFloor(person))
    stage.wait(50)
    before = stage.floor
    stage.do(ev.Pause("f"))
    assert stage.heard() == {"f"}
    assert (stage.floor.turn_ends_at, stage.floor.turn_left_s) == (None, 130)
    stage.wait(400)
    stage.do(ev.Resume("f"))
    assert (stage.floor.holder, stage.floor.queue) == (before.holder, before.queue)
    assert stage.floor.turn_ends_at == stage.now + 130
    assert stage.heard() == {"f", "a"}


def test_nobody_gets_the_floor_in_a_pause(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.Pause("f"))
    stage.do(ev.RequestFloor("a"))
    assert stage.refusal() is None
    assert stage.floor.holder is None
    stage.do(ev.GrantFloor("f", "a"))
    assert stage.refusal() == "paused"
    stage.do(ev.Resume("f"))
    assert stage.floor.holder == "a"


def test_the_format_can_be_chosen_in_a_pause(stage: Stage) -> None:
    stage.do(ev.Pause("f"))
    stage.do(ev.SetFormat("f", "circle"))
    assert stage.heard() == {"f"}
    assert stage.floor.holder is None
    stage.do(ev.Resume("f"))
    assert stage.floor.holder == "a"
    assert stage.floor.turn_ends_at == stage.now + 120


def test_pausing_twice_or_resuming_without_a_pause(stage: Stage) -> None:
    stage.do(ev.Resume("f"))
    assert stage.refusal() == "not_paused"
    stage.do(ev.Pause("f"))
    stage.do(ev.Pause("f"))
    assert stage.refusal() == "already"


def test_who_comes_into_a_pause_is_quiet_too(stage: Stage) -> None:
    stage.do(ev.Pause("f"))
    stage.join("d")
    assert stage.gates["d"].reason == "paused"


def test_a_mute_lasts_until_lifted(stage: Stage) -> None:
    effects = stage.do(ev.MutePerson("f", "a"))
    muted = of(Muted, effects, "a")[0]
    assert (muted.reason, muted.until) == ("facilitator_mute", None)
    assert "Help" in muted.text
    stage.wait(4000, 10)
    assert not stage.gates["a"].is_open
    assert stage.view("a").muted_by == "f"
    effects = stage.do(ev.UnmutePerson("f", "a"))
    assert stage.gates["a"].is_open
    assert of(Unmuted, effects, "a")


def test_a_mute_for_some_time(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a", 30))
    assert stage.own["a"].muted_until == stage.now + 30
    stage.wait(29.5)
    assert not stage.gates["a"].is_open
    stage.wait(0.5)
    assert stage.gates["a"].is_open
    assert stage.own["a"].muted is None


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 1e7])
def test_a_mute_must_make_sense(stage: Stage, seconds: float) -> None:
    stage.do(ev.MutePerson("f", "a", seconds))
    assert stage.refusal() == "bad_value"
    assert stage.gates["a"].is_open


def test_a_facilitators_voice_is_never_gated(stage: Stage) -> None:
    stage.join("f2")
    stage.do(ev.MutePerson("f", "f2"))
    assert stage.refusal() == "facilitator_voice"
    stage.do(ev.MuteAll("f"))
    stage.do(ev.Pause("f"))
    assert stage.heard() == {"f", "f2"}


def test_mute_all_and_unmute_all(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    stage.do(ev.MuteAll("f"))
    assert stage.heard() == {"f"}
    assert stage.floor.all_muted
    stage.join("d")
    assert stage.gates["d"].reason == "all_muted"
    stage.do(ev.UnmuteAll("f"))
    assert stage.heard() == {"f", "a", "b", "c", "d"}
    stage.do(ev.UnmuteAll("f"))
    assert stage.refusal() == "not_all_muted"


def test_one_is_let_out_of_mute_all(stage: Stage) -> None:
    stage.do(ev.MuteAll("f"))
    stage.do(ev.UnmutePerson("f", "b"))
    assert stage.heard() == {"f", "b"}
    stage.do(ev.MuteAll("f"))
    assert stage.heard() == {"f"}
    stage.do(ev.MuteAll("f"))
    assert stage.refusal() == "already"


def test_mute_all_stops_the_clock_of_a_turn(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "circle"))
    stage.wait(20)
    stage.do(ev.MuteAll("f"))
    stage.wait(300)
    assert stage.floor.holder == "a"
    stage.do(ev.UnmuteAll("f"))
    assert stage.floor.turn_ends_at == stage.now + 100


def test_while_all_are_muted_one_can_be_given_the_floor(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.MuteAll("f"))
    stage.do(ev.GrantFloor("f", "b"))
    assert stage.heard() == {"f", "b"}
    assert stage.floor.turn_ends_at == stage.now + 180
    stage.do(ev.RequestFloor("c"))
    stage.do(ev.ReleaseFloor("b"))
    assert stage.heard() == {"f"}
    stage.do(ev.UnmuteAll("f"))
    assert stage.heard() == {"f", "c"}


def test_a_holder_let_out_of_mute_all_goes_on(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "circle"))
    stage.do(ev.MuteAll("f"))
    stage.wait(50)
    stage.do(ev.UnmutePerson("f", "a"))
    assert stage.heard() == {"f", "a"}
    assert stage.floor.turn_ends_at == stage.now + 120


def test_unmuting_who_is_not_muted(stage: Stage) -> None:
    stage.do(ev.UnmutePerson("f", "a"))
    assert stage.refusal() == "not_muted"
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.UnmutePerson("f", "a"))
    assert stage.refusal() == "not_muted"


def test_the_group_is_not_told_of_a_mute(stage: Stage) -> None:
    before = stage.floor
    effects = stage.do(ev.MutePerson("f", "a"))
    assert stage.floor == before
    assert not of(Muted, effects, "b")


def test_a_muted_person_can_raise_a_hand_rate_and_press_help(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    for event in (ev.RequestFloor("a"), ev.AskHelp("a"), ev.RateDistress("a", 4)):
        stage.do(event)
        assert stage.refusal() is None
    assert stage.own["a"].hand_raised
    assert stage.alerts("help_asked")


def test_a_mute_outlasts_leaving_and_coming_back(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    stage.do(ev.Left("a"))
    stage.join("a")
    assert stage.gates["a"].reason == "facilitator_mute"
