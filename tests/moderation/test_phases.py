"""Phases, and changing format in mid-session."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.notices import Invited, TurnEnded
from tests.moderation.stage import Stage, of


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join("f", "a", "b")
    return stage


@pytest.mark.parametrize(
    ("phase", "format_name"),
    [("check_in", "circle"), ("work", "open"), ("check_out", "circle"), ("ended", "open")],
)
def test_each_phase_opens_with_its_format(stage: Stage, phase: str, format_name: str) -> None:
    assert (stage.floor.phase, stage.floor.format) == ("lobby", "open")
    stage.do(ev.SetPhase("f", phase))
    assert (stage.floor.phase, stage.floor.format) == (phase, format_name)


def test_phases_go_back_too_but_the_end_is_final(stage: Stage) -> None:
    stage.do(ev.SetPhase("f", "work"))
    stage.do(ev.SetPhase("f", "check_in"))
    assert stage.floor.phase == "check_in"
    stage.do(ev.SetPhase("f", "ended"))
    for event in (
        ev.SetPhase("f", "work"),
        ev.SetFormat("f", "queue"),
        ev.Pause("f"),
        ev.MuteAll("f"),
        ev.RequestFloor("a"),
    ):
        stage.do(event)
        assert stage.refusal() == "ended"
    stage.do(ev.AskHelp("a"))
    assert stage.refusal() is None


@pytest.mark.parametrize(("phase", "code"), [("lobby", "already"), ("lunch", "no_such_phase")])
def test_phases_that_make_no_sense(stage: Stage, phase: str, code: str) -> None:
    stage.do(ev.SetPhase("f", phase))
    assert stage.refusal() == code


def test_the_end_frees_everyone(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.Pause("f"))
    stage.do(ev.SetPhase("f", "ended"))
    assert stage.heard() == {"f", "a", "b"}
    assert (stage.floor.paused, stage.floor.queue) == (False, ())


def test_a_pause_outlasts_a_change_of_phase(stage: Stage) -> None:
    stage.do(ev.Pause("f"))
    stage.do(ev.SetPhase("f", "check_in"))
    assert stage.heard() == {"f"}
    stage.do(ev.Resume("f"))
    assert stage.floor.holder == "a"


@pytest.mark.parametrize("before", ["open", "queue", "circle", "presentation"])
@pytest.mark.parametrize("after", ["open", "queue", "circle", "presentation"])
def test_any_format_follows_any_other(stage: Stage, before: str, after: str) -> None:
    stage.do(ev.SetFormat("f", before))
    for person in ("b", "a"):
        stage.do(ev.RequestFloor(person))
    if before == "presentation":
        stage.do(ev.GrantFloor("f", "b"))
    held = stage.floor.holder
    hands = [person for person in ("b", "a") if stage.own[person].hand_raised]
    effects = stage.do(ev.SetFormat("f", after))
    if held:
        assert of(TurnEnded, effects, held)[0].why == "format"
    speakers = {
        "open": {"f", "a", "b"},
        "queue": {"f", *hands[:1]},
        "circle": {"f", "a"},
        "presentation": {"f"},
    }
    assert stage.heard() == speakers[after]
    assert (stage.floor.presenter, stage.floor.format) == (None, after)


def test_no_such_format(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "karaoke"))
    assert stage.refusal() == "no_such_format"


def test_in_an_open_floor_hands_are_raised_and_nobody_needs_the_floor(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    assert stage.floor.queue == ("a",)
    assert stage.floor.holder is None
    stage.do(ev.GrantFloor("f", "a"))
    assert stage.refusal() == "open_floor"


def test_an_invitation_answers_a_raised_hand_in_an_open_floor(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.Invite("f", "a"))
    assert list(stage.floor.queue) == []
    stage.do(ev.SetFormat("f", "presentation"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.Invite("f", "a"))
    assert list(stage.floor.queue) == ["a"]


def test_an_invitation_reaches_one_person(stage: Stage) -> None:
    effects = stage.do(ev.Invite("f", "a"))
    assert of(Invited, effects, "a")
    assert len(of(Invited, effects)) == 1
    for to, code in (("f", "bad_value"), ("x", "no_such_person")):
        stage.do(ev.Invite("f", to))
        assert stage.refusal() == code
