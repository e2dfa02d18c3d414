"""One presents, others ask."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.notices import TurnEnded
from tests.moderation.stage import Stage, of


@pytest.fixture
def stage() -> Stage:
    """A presentation by p, before a, b and a facilitator."""
    stage = Stage()
    stage.join("f", "p", "a", "b")
    stage.do(ev.SetFormat("f", "presentation"))
    stage.do(ev.GrantFloor("f", "p"))
    return stage


def who(stage: Stage) -> tuple[str | None, str | None]:
    return stage.floor.presenter, stage.floor.holder


def test_only_the_presenter_is_heard(stage: Stage) -> None:
    assert who(stage) == ("p", "p")
    assert stage.heard() == {"f", "p"}


def test_raised_hands_wait_while_the_presenter_speaks(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    assert who(stage) == ("p", "p")
    assert stage.floor.queue == ("a",)


def test_nobody_presents_until_a_facilitator_says_who() -> None:
    stage = Stage()
    stage.join("f", "a")
    stage.do(ev.SetFormat("f", "presentation"))
    stage.do(ev.RequestFloor("a"))
    assert who(stage) == (None, None)


def test_questions_and_answers_take_turns(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.ReleaseFloor("p"))
    assert who(stage) == ("p", "a")
    assert stage.floor.turn_ends_at == stage.now + 90
    assert stage.heard() == {"f", "a"}
    stage.do(ev.ReleaseFloor("a"))
    assert who(stage) == ("p", "p")
    stage.do(ev.ReleaseFloor("p"))
    assert who(stage) == ("p", "b")
    stage.wait(90)
    assert who(stage) == ("p", "p")
    stage.do(ev.ReleaseFloor("p"))
    assert who(stage) == (None, None)


def test_a_granted_question_leaves_the_presenter_their_time(stage: Stage) -> None:
    stage.wait(100)
    stage.do(ev.GrantFloor("f", "a"))
    assert who(stage) == ("p", "a")
    stage.wait(30)
    stage.do(ev.RevokeFloor("f"))
    assert who(stage) == ("p", "p")
    assert stage.floor.turn_ends_at == stage.now + 800


def test_the_facilitator_gives_the_floor_back_to_the_presenter(stage: Stage) -> None:
    stage.do(ev.GrantFloor("f", "a"))
    effects = stage.do(ev.GrantFloor("f", "p"))
    assert who(stage) == ("p", "p")
    assert stage.floor.turn_ends_at == stage.now + 900
    assert of(TurnEnded, effects, "a")[0].why == "granted_to_another"


def test_revoking_the_presenter_ends_the_presentation(stage: Stage) -> None:
    stage.do(ev.RevokeFloor("f"))
    assert who(stage) == (None, None)
    stage.do(ev.GrantFloor("f", "a"))
    assert who(stage) == ("a", "a")


def test_time_is_up_only_for_the_sake_of_raised_hands(stage: Stage) -> None:
    stage.wait(1000)
    assert who(stage) == ("p", "p")
    stage.do(ev.RequestFloor("a"))
    stage.wait(60)
    assert who(stage) == ("p", "a")


def test_the_presenter_leaves(stage: Stage) -> None:
    stage.do(ev.Left("p"))
    assert who(stage) == (None, None)


def test_the_presenter_leaves_during_a_question(stage: Stage) -> None:
    stage.do(ev.GrantFloor("f", "a"))
    stage.do(ev.Left("p"))
    assert who(stage) == (None, "a")
    stage.do(ev.ReleaseFloor("a"))
    assert who(stage) == (None, None)


def test_the_presenter_loses_the_network_during_a_question(stage: Stage) -> None:
    stage.do(ev.GrantFloor("f", "a"))
    stage.do(ev.NetworkLost("p"))
    stage.do(ev.ReleaseFloor("a"))
    assert who(stage) == ("p", None)
    stage.wait(14)
    stage.do(ev.NetworkBack("p"))
    assert who(stage) == ("p", "p")


def test_the_presenter_loses_the_network(stage: Stage) -> None:
    stage.do(ev.NetworkLost("p"))
    stage.wait(14)
    assert who(stage) == ("p", "p")
    stage.wait(1)
    assert who(stage) == (None, None)


def test_with_nobody_facilitating_whoever_raises_a_hand_speaks(stage: Stage) -> None:
    stage.do(ev.Left("f"))
    stage.do(ev.ReleaseFloor("p"))
    stage.wait(31)
    stage.do(ev.RequestFloor("b"))
    assert who(stage) == ("b", "b")
    assert stage.heard() >= {"b"}
