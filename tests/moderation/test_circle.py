"""The talking piece goes round."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.notices import TurnEnded, TurnEndingSoon, YourTurn
from tests.moderation.stage import Stage, formats_with, of


@pytest.fixture
def stage() -> Stage:
    """A check-in circle with a facilitator and three participants; a has the piece."""
    stage = Stage()
    stage.join("f", "a", "b", "c")
    stage.do(ev.SetPhase("f", "check_in"))
    return stage


def piece(stage: Stage) -> tuple[str | None, tuple[str, ...]]:
    assert stage.floor.piece is not None
    return stage.floor.holder, stage.floor.piece.waiting


def test_everyone_has_one_turn_in_order(stage: Stage) -> None:
    assert stage.floor.kind == "circle"
    assert piece(stage) == ("a", ("b", "c"))
    assert stage.own["c"].place == 2
    turns = []
    while (holder := stage.floor.holder) is not None:
        assert stage.heard() == {"f", holder}
        turns.append(holder)
        stage.do(ev.ReleaseFloor(holder))
    assert turns == ["a", "b", "c"]
    assert stage.floor.piece is not None
    assert stage.floor.piece.resting
    assert stage.heard() == {"f"}


def test_a_turn_is_timed_with_a_gentle_warning(stage: Stage) -> None:
    began = stage.now
    assert stage.floor.turn_ends_at == began + 120
    assert of(TurnEndingSoon, stage.wait(100), "a")[0].ends_at == began + 120
    effects = stage.wait(20)
    assert of(TurnEnded, effects, "a")[0].why == "time"
    assert of(YourTurn, effects, "b")
    assert piece(stage) == ("b", ("c",))


def test_the_right_to_pass_in_turn_and_beforehand(stage: Stage) -> None:
    stage.do(ev.PassTurn("a"))
    assert piece(stage) == ("b", ("c",))
    stage.do(ev.PassTurn("c"))
    assert stage.refusal() is None
    assert piece(stage) == ("b", ())
    stage.do(ev.PassTurn("c"))
    assert stage.refusal() == "not_your_turn"


def test_the_right_to_pass_holds_in_a_pause(stage: Stage) -> None:
    stage.do(ev.Pause("f"))
    stage.do(ev.PassTurn("a"))
    assert stage.refusal() is None
    assert stage.floor.holder is None
    stage.do(ev.Resume("f"))
    assert stage.floor.holder == "b"


def test_a_second_round(stage: Stage) -> None:
    stage.do(ev.NextRound("f"))
    assert stage.refusal() == "round_going"
    for person in "abc":
        stage.do(ev.PassTurn(person))
    stage.do(ev.NextRound("f"))
    assert piece(stage) == ("a", ("b", "c"))
    assert stage.floor.piece is not None
    assert stage.floor.piece.round == 2
    stage.do(ev.SetFormat("f", "open"))
    stage.do(ev.NextRound("f"))
    assert stage.refusal() == "not_circle"


def test_a_second_round_by_itself_when_the_format_says_so() -> None:
    stage = Stage(formats_with("circle", "circle", rounds=2))
    stage.join("f", "a", "b")
    stage.do(ev.SetFormat("f", "circle"))
    for person in "abab":
        assert stage.floor.holder == person
        stage.do(ev.ReleaseFloor(person))
    assert stage.floor.piece is not None
    assert (stage.floor.piece.round, stage.floor.piece.resting) == (2, True)


def test_a_piece_at_rest_makes_room_for_the_open_floor(stage: Stage) -> None:
    for person in "abc":
        stage.do(ev.PassTurn(person))
    stage.wait(119)
    assert stage.floor.format == "circle"
    stage.wait(1)
    assert stage.floor.format == "open"
    assert stage.floor.phase == "check_in"
    assert stage.heard() == {"f", "a", "b", "c"}


def test_at_rest_the_facilitator_can_give_the_piece_to_someone(stage: Stage) -> None:
    for person in "abc":
        stage.do(ev.PassTurn(person))
    stage.do(ev.GrantFloor("f", "b"))
    assert stage.heard() == {"f", "b"}


def test_a_late_joiner_sits_down_at_the_end_of_the_round(stage: Stage) -> None:
    stage.do(ev.ReleaseFloor("a"))
    stage.join("d")
    assert piece(stage) == ("b", ("c", "d"))
    assert not stage.gates["d"].is_open
    assert stage.own["d"].place == 2


def test_who_comes_at_rest_waits_for_the_next_round(stage: Stage) -> None:
    for person in "abc":
        stage.do(ev.PassTurn(person))
    stage.join("d")
    assert piece(stage) == (None, ())
    stage.do(ev.NextRound("f"))
    assert piece(stage) == ("a", ("b", "c", "d"))


def test_leaving_and_coming_back_gives_no_second_turn(stage: Stage) -> None:
    stage.do(ev.ReleaseFloor("a"))
    stage.do(ev.Left("a"))
    stage.join("a")
    assert piece(stage) == ("b", ("c",))


def test_the_holder_leaves(stage: Stage) -> None:
    stage.do(ev.Left("a"))
    assert piece(stage) == ("b", ("c",))
    assert "b" in stage.heard()


def test_the_holder_loses_the_network_and_is_visited_again_at_the_end(stage: Stage) -> None:
    stage.do(ev.NetworkLost("a"))
    stage.wait(9.5)
    assert piece(stage) == ("a", ("b", "c"))
    stage.wait(0.5)
    assert piece(stage) == ("b", ("c", "a"))
    stage.do(ev.NetworkBack("a"))
    stage.do(ev.ReleaseFloor("b"))
    stage.do(ev.ReleaseFloor("c"))
    assert piece(stage) == ("a", ())


def test_the_last_one_is_waited_for_a_while_then_the_round_is_over(stage: Stage) -> None:
    stage.do(ev.ReleaseFloor("a"))
    stage.do(ev.NetworkLost("c"))
    stage.do(ev.ReleaseFloor("b"))
    assert piece(stage) == (None, ("c",))
    stage.wait(11)
    assert stage.floor.piece is not None
    assert stage.floor.piece.resting


def test_the_network_of_the_whole_room_breaking_does_not_end_the_round(stage: Stage) -> None:
    for person in "abc":
        stage.do(ev.NetworkLost(person))
    stage.wait(60)
    for person in "abc":
        stage.do(ev.NetworkBack(person))
    assert stage.floor.format == "circle"
    assert piece(stage) == ("a", ("b", "c"))


def test_a_granted_piece_goes_on_to_those_still_waiting(stage: Stage) -> None:
    stage.do(ev.GrantFloor("f", "c"))
    assert piece(stage) == ("c", ("b",))
    stage.do(ev.ReleaseFloor("c"))
    assert piece(stage) == ("b", ())


def test_a_facilitator_reorders_the_seats(stage: Stage) -> None:
    stage.do(ev.ReorderQueue("f", ("c", "b")))
    assert piece(stage) == ("a", ("c", "b"))


def test_one_participant_alone(stage: Stage) -> None:
    stage.do(ev.Left("b"))
    stage.do(ev.Left("c"))
    assert piece(stage) == ("a", ())
    assert "a" in stage.heard()


def test_a_circle_without_participants_begins_with_the_first() -> None:
    stage = Stage()
    stage.join("f")
    stage.do(ev.SetFormat("f", "circle"))
    stage.wait(500)
    stage.join("a")
    assert piece(stage) == ("a", ())


def test_with_no_facilitator_the_circle_goes_on_and_ends_in_the_open(stage: Stage) -> None:
    stage.do(ev.Left("f"))
    stage.wait(120)
    assert stage.floor.holder == "b"
    stage.do(ev.ReleaseFloor("b"))
    stage.do(ev.ReleaseFloor("c"))
    stage.wait(1)
    assert stage.floor.format == "open"
    assert stage.heard() >= {"a", "b", "c"}


def test_a_participant_muted_by_a_facilitator_is_skipped(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "b"))
    stage.do(ev.ReleaseFloor("a"))
    assert piece(stage) == ("c", ("b",))
    stage.do(ev.UnmutePerson("f", "b"))
    stage.do(ev.ReleaseFloor("c"))
    assert piece(stage) == ("b", ())


def test_raised_hands_outlast_the_circle(stage: Stage) -> None:
    stage.do(ev.RequestFloor("c"))
    assert stage.own["c"].hand_raised
    stage.do(ev.SetFormat("f", "queue"))
    assert stage.floor.holder == "c"


def test_a_participant_who_comes_back_as_facilitator_gives_up_the_seat(stage: Stage) -> None:
    stage.do(ev.Joined("b", "facilitator"))
    assert piece(stage) == ("a", ("c",))
    assert "b" in stage.heard()
