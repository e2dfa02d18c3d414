"""Private things reach exactly those they are for, for every command and every role."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.effects import Audit, CallOnCall, TellEveryone, TellFacilitators, TellPerson
from tests.moderation.stage import Stage


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join("f1", "f2", "a", "b")
    return stage


def test_facilitators_rate_no_distress(stage: Stage) -> None:
    stage.do(ev.RateDistress("f1", 3))
    assert stage.refusal() == "not_participant"
    assert len(stage.last) == 1


def test_help_and_distress_are_seen_by_facilitators_and_oneself_alone(stage: Stage) -> None:
    for event in (ev.AskHelp("a"), ev.RateDistress("a", 10), ev.RateDistress("a", None)):
        for effect in stage.do(event):
            assert not isinstance(effect, TellEveryone)
            if isinstance(effect, TellPerson):
                assert effect.to == "a"
            elif isinstance(effect, TellFacilitators):
                assert effect.to == ("f1", "f2")
            else:
                assert isinstance(effect, Audit | CallOnCall)


def test_the_audit_log_says_who_asked_for_help_and_who_answered(stage: Stage) -> None:
    stage.do(ev.AskHelp("a"))
    stage.do(ev.AcknowledgeAlert("f1", 1))
    asked, answered = stage.audits("help_asked"), stage.audits("alert_acknowledged")
    assert [audit.by for audit in asked] == ["a"]
    assert [(audit.by, audit.about) for audit in answered] == [("f1", "a")]


def test_the_audit_log_holds_no_rating(stage: Stage) -> None:
    stage.do(ev.RateDistress("a", 10))
    details = [effect.detail for effect in stage.effects() if isinstance(effect, Audit)]
    assert not any("rating" in detail for detail in details)


FACILITATORS_ONLY: list[ev.Command] = [
    ev.GrantFloor("a", "b"),
    ev.RevokeFloor("a"),
    ev.ReorderQueue("a", ("b",)),
    ev.SetQueueOrder("a", "first_come"),
    ev.ExtendTurn("a", 60),
    ev.NextRound("a"),
    ev.Invite("a", "b"),
    ev.SetFormat("a", "queue"),
    ev.SetPhase("a", "work"),
    ev.Pause("a"),
    ev.Resume("a"),
    ev.MutePerson("a", "b"),
    ev.UnmutePerson("a", "b"),
    ev.MuteAll("a"),
    ev.UnmuteAll("a"),
    ev.Forgive("a", "b"),
    ev.SetLadder("a", False),
    ev.AcknowledgeAlert("a", 1),
]


def test_the_list_above_is_whole() -> None:
    from typing import get_args

    assert {type(event) for event in FACILITATORS_ONLY} == set(get_args(ev.FacilitatorCommand))


@pytest.mark.parametrize("event", FACILITATORS_ONLY, ids=lambda event: type(event).__name__)
def test_participants_cannot_do_what_facilitators_do(stage: Stage, event: ev.Command) -> None:
    stage.do(ev.AskHelp("b"))
    before = stage.session.save()
    stage.do(event)
    assert stage.refusal() == "not_facilitator"
    assert len(stage.last) == 1
    assert stage.session.save() == before
