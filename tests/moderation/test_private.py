"""Private things reach exactly those they are for, for every message kind and every role."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.effects import Audit, CallOnCall, TellEveryone, TellFacilitators, TellPerson
from moderation.notices import PrivateText
from tests.moderation.stage import Stage, of

SECRET = "only-for-those-it-is-for"


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join("f1", "f2", "a", "b")
    return stage


def readers(stage: Stage, event: ev.Event) -> set[str]:
    """Who gets any effect that holds the secret text; fails if anyone else could."""
    people: set[str] = set()
    for effect in stage.do(event):
        if SECRET in repr(effect):
            assert isinstance(effect, TellPerson | TellFacilitators)
            assert isinstance(effect.notice, PrivateText)
            people |= {effect.to} if isinstance(effect, TellPerson) else set(effect.to)
    return people


def test_participant_to_facilitators(stage: Stage) -> None:
    assert readers(stage, ev.MessageFacilitators("a", SECRET)) == {"f1", "f2"}
    text = of(PrivateText, stage.last)[0]
    assert text == PrivateText("a", "to_facilitators", "a", SECRET)


def test_facilitator_to_one_participant(stage: Stage) -> None:
    assert readers(stage, ev.MessagePerson("f1", "a", SECRET)) == {"a"}
    text = of(PrivateText, stage.last)[0]
    assert text == PrivateText("f1", "to_participant", "a", SECRET)


def test_among_facilitators(stage: Stage) -> None:
    assert readers(stage, ev.MessageAmongFacilitators("f1", SECRET)) == {"f2"}


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (ev.MessagePerson("a", "b", SECRET), "not_facilitator"),
        (ev.MessageAmongFacilitators("a", SECRET), "not_facilitator"),
        (ev.MessageFacilitators("f1", SECRET), "not_participant"),
        (ev.MessageFacilitators("x", SECRET), "not_here"),
        (ev.MessagePerson("f1", "f2", SECRET), "bad_value"),
        (ev.MessagePerson("f1", "x", SECRET), "no_such_person"),
        (ev.MessageFacilitators("a", "  "), "empty_text"),
        (ev.MessageFacilitators("a", "x" * 2001), "long_text"),
        (ev.MessagePerson("f1", "a", ""), "empty_text"),
        (ev.RateDistress("f1", 3), "not_participant"),
    ],
)
def test_refused_and_heard_of_by_nobody(stage: Stage, event: ev.Command, code: str) -> None:
    assert readers(stage, event) == set()
    assert stage.refusal() == code
    assert len(stage.last) == 1


def test_a_message_nobody_could_read_is_refused_not_lost(stage: Stage) -> None:
    stage.do(ev.NetworkLost("f1"))
    stage.do(ev.MessageAmongFacilitators("f2", SECRET))
    assert stage.refusal() == "no_other_facilitator"
    stage.do(ev.NetworkLost("f2"))
    stage.do(ev.MessageFacilitators("a", SECRET))
    assert stage.refusal() == "nobody_there"
    stage.do(ev.NetworkLost("a"))
    stage.do(ev.MessagePerson("f1", "a", SECRET))
    assert stage.refusal() == "not_connected"


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


def test_the_audit_log_holds_no_rating_and_no_text(stage: Stage) -> None:
    stage.do(ev.RateDistress("a", 10))
    stage.do(ev.MessageFacilitators("a", SECRET))
    details = [effect.detail for effect in stage.effects() if isinstance(effect, Audit)]
    assert not any("rating" in detail or SECRET in str(detail) for detail in details)


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
    ev.MessagePerson("a", "b", SECRET),
    ev.MessageAmongFacilitators("a", SECRET),
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
