"""Both halves of the engine together: from levels of microphones to closed gates."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.notices import Muted, Nudge
from tests.moderation.stage import Stage, of

ROOM = ("f", "a", "b", "c")


@pytest.fixture
def stage() -> Stage:
    """An open floor; everyone's microphone has been on for a while, a has begun to speak."""
    stage = Stage()
    stage.join(*ROOM)
    stage.do(ev.SetPhase("f", "work"))
    stage.talk(2, silent=ROOM)
    stage.talk(6, "a", silent=ROOM)
    return stage


def test_who_talks_over_someone_is_nudged_then_not_heard_for_a_moment(stage: Stage) -> None:
    began = stage.now
    effects = stage.talk(4, "a", "b", silent=ROOM)
    assert of(Nudge, effects, "b")
    muted = of(Muted, effects, "b")
    assert [notice.reason for notice in muted] == ["short_mute"]
    closed = next(when for when, effect in stage.log if effect is stage.gates["b"])
    assert 0.5 < closed - began < 3
    assert stage.heard() == {"f", "a", "c"}
    assert stage.view("b").muted_why
    assert stage.view("b").session.interruptions_made == 1
    assert stage.view("a").session.interruptions_suffered == 1


def test_mm_hm_mutes_nobody(stage: Stage) -> None:
    effects = []
    for _ in range(5):
        effects += stage.talk(0.4, "a", "b", silent=ROOM)
        effects += stage.talk(3, "a", silent=ROOM)
    assert not of(Nudge, effects)
    assert not of(Muted, effects)
    assert stage.view("b").session.interruptions_made == 0


def test_taking_turns_mutes_nobody(stage: Stage) -> None:
    effects = []
    for speaker in "bcab":
        effects += stage.talk(0.6, silent=ROOM)
        effects += stage.talk(6, speaker, silent=ROOM)
    assert not of(Nudge, effects)
    assert not of(Muted, effects)
    assert stage.view("b").session.turns == 2


def test_talking_behind_a_closed_gate_is_no_interruption(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "circle"))
    assert stage.floor.holder == "a"
    effects = stage.talk(10, "a", "b", silent=ROOM)
    assert not of(Nudge, effects)
    assert stage.heard() == {"f", "a"}
    assert stage.view("b").session.talk_s == 0


def test_talking_on_through_a_mute_is_not_punished_when_it_ends(stage: Stage) -> None:
    stage.talk(4, "a", "b", silent=ROOM)
    effects = stage.talk(12, "a", "b", silent=ROOM)
    assert "b" in stage.heard()
    assert not of(Muted, effects)


def test_talk_that_goes_on_through_a_pardon_is_not_judged_anew(stage: Stage) -> None:
    stage.talk(4, "a", "b", silent=ROOM)
    assert stage.heard() == {"f", "a", "c"}
    stage.do(ev.Forgive("f", "b"))
    effects = stage.talk(4, "a", "b", silent=ROOM)
    assert not of(Nudge, effects, "b")
    assert not of(Muted, effects, "b")


def test_a_save_in_the_middle_of_it_changes_nothing(stage: Stage) -> None:
    twin = Stage()
    twin.session, twin.now = stage.session, stage.now
    stage.restore()
    for _ in range(20):
        effects = stage.talk(0.2, "a", "b", silent=ROOM)
        assert effects == twin.talk(0.2, "a", "b", silent=ROOM)
        stage.restore()
    assert "b" not in stage.heard()


def test_missing_packets_are_no_talk(stage: Stage) -> None:
    talked = stage.view("a").session.talk_s
    stage.talk(5)
    assert stage.view("a").session.talk_s == pytest.approx(talked, abs=2.1)
    stage.talk(5)
    assert stage.view("a").session.talk_s == pytest.approx(6, abs=0.2)
