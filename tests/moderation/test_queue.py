"""The queue: hands, grants, turns and their clock."""

from __future__ import annotations

from typing import Any

import pytest

from moderation import events as ev
from moderation.notices import TurnEnded, TurnEndingSoon, YourTurn
from tests.moderation.stage import Stage, of


@pytest.fixture
def stage() -> Stage:
    """A queue with a facilitator and three participants."""
    stage = Stage()
    stage.join("f", "a", "b", "c")
    stage.do(ev.SetFormat("f", "queue"))
    return stage


def test_nobody_but_facilitators_is_heard_until_the_floor_is_granted(stage: Stage) -> None:
    assert stage.heard() == {"f"}
    assert {stage.gates[person].reason for person in "abc"} == {"not_your_turn"}


def test_a_raised_hand_gets_the_free_floor_at_once(stage: Stage) -> None:
    effects = stage.do(ev.RequestFloor("b"))
    assert stage.floor.holder == "b"
    assert stage.floor.queue == ()
    assert stage.heard() == {"f", "b"}
    assert of(YourTurn, effects, "b")[0].ends_at == stage.now + 180
    assert stage.floor.turn_ends_at == stage.now + 180


def test_hands_are_served_first_come(stage: Stage) -> None:
    for person in "bca":
        stage.do(ev.RequestFloor(person))
    assert stage.floor.queue == ("c", "a")
    assert stage.own["a"].place == 2
    assert [stage.view(person).hand_raised for person in "abc"] == [True, False, True]
    stage.do(ev.ReleaseFloor("b"))
    assert stage.floor.holder == "c"
    assert stage.heard() == {"f", "c"}
    stage.do(ev.ReleaseFloor("c"))
    assert stage.floor.holder == "a"


def test_requests_at_the_same_time_are_served_in_the_order_they_came(stage: Stage) -> None:
    stage.do(ev.RequestFloor("c"))
    stage.do(ev.RequestFloor("b"))
    assert (stage.floor.holder, stage.floor.queue) == ("c", ("b",))


def test_the_gate_of_the_old_holder_closes_before_the_new_one_opens(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    first, second = stage.do(ev.ReleaseFloor("a"))[:2]
    assert (first, second) == (stage.gates["a"], stage.gates["b"])


def test_a_hand_can_be_lowered(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.CancelRequest("b"))
    assert stage.floor.queue == ()
    stage.do(ev.CancelRequest("b"))
    assert stage.refusal() == "hand_not_up"


def test_hands_are_not_raised_twice(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("a"))
    assert stage.refusal() == "has_floor"
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.RequestFloor("b"))
    assert stage.refusal() == "hand_already_up"
    assert stage.floor.queue == ("b",)


def test_only_the_holder_releases_or_passes(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    for event in (ev.ReleaseFloor("b"), ev.PassTurn("b")):
        stage.do(event)
        assert stage.refusal() == "not_your_turn"
    assert stage.floor.holder == "a"


def test_a_turn_ends_in_time_with_a_warning_before(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    began = stage.now
    stage.do(ev.RequestFloor("b"))
    effects = stage.wait(159.9)
    assert not of(TurnEndingSoon, effects)
    warnings = of(TurnEndingSoon, stage.wait(0.1), "a")
    assert [warning.ends_at for warning in warnings] == [began + 180]
    effects = stage.wait(19.9)
    assert not of(TurnEndingSoon, effects)
    assert stage.floor.holder == "a"
    effects = stage.wait(0.1)
    assert of(TurnEnded, effects, "a")[0].why == "time"
    assert stage.floor.holder == "b"


def test_nobody_is_cut_off_while_nobody_waits(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.wait(500)
    assert stage.floor.holder == "a"
    assert stage.floor.turn_ends_at is None
    effects = stage.do(ev.RequestFloor("b"))
    assert of(TurnEndingSoon, effects, "a")[0].ends_at == stage.now + 20
    assert stage.floor.turn_ends_at == stage.now + 20
    stage.wait(20)
    assert stage.floor.holder == "b"


def test_the_one_who_waits_only_without_network_cuts_nobody_off(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.NetworkLost("b"))
    stage.wait(300)
    assert stage.floor.holder == "a"
    stage.do(ev.NetworkBack("b"))
    stage.wait(20)
    assert stage.floor.holder == "b"


def test_a_facilitator_extends_a_turn(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.wait(170)
    stage.do(ev.ExtendTurn("f", 60))
    effects = stage.wait(49.5)
    assert not of(TurnEndingSoon, effects)
    assert of(TurnEndingSoon, stage.wait(0.5), "a")
    stage.wait(19.5)
    assert stage.floor.holder == "a"
    stage.wait(0.5)
    assert stage.floor.holder == "b"


def test_an_extension_of_a_turn_without_an_end_is_a_promise(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.wait(200)
    stage.do(ev.ExtendTurn("f", 100))
    assert stage.floor.turn_ends_at == stage.now + 100
    stage.do(ev.RequestFloor("b"))
    stage.wait(99)
    assert stage.floor.holder == "a"
    stage.wait(1)
    assert stage.floor.holder == "b"


@pytest.mark.parametrize("seconds", [0, -5, float("nan"), float("inf"), 3601, True, "10", None])
def test_an_extension_must_make_sense(stage: Stage, seconds: Any) -> None:
    stage.do(ev.RequestFloor("a"))
    before = stage.floor
    stage.do(ev.ExtendTurn("f", seconds))
    assert stage.refusal() == "bad_value"
    assert stage.floor == before


def test_a_facilitator_grants_directly(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.RequestFloor("c"))
    effects = stage.do(ev.GrantFloor("f", "c"))
    assert of(TurnEnded, effects, "a")[0].why == "granted_to_another"
    assert (stage.floor.holder, stage.floor.queue) == ("c", ("b",))


def test_a_facilitator_revokes(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    effects = stage.do(ev.RevokeFloor("f"))
    assert of(TurnEnded, effects, "a")[0].why == "revoked"
    assert stage.floor.holder is None
    assert stage.heard() == {"f"}
    stage.do(ev.RevokeFloor("f"))
    assert stage.refusal() == "no_holder"


def test_a_facilitator_reorders_and_that_order_stands(stage: Stage) -> None:
    stage.join("d")
    for person in "abcd":
        stage.do(ev.RequestFloor(person))
    stage.do(ev.SetQueueOrder("f", "quietest_first"))
    stage.do(ev.ReorderQueue("f", ("d", "b")))
    assert stage.floor.queue == ("d", "b", "c")
    assert stage.floor.queue_order == "first_come"
    stage.do(ev.ReorderQueue("f", ("nobody",)))
    assert stage.refusal() == "bad_value"


def test_quietest_first(stage: Stage) -> None:
    for person in "ab":
        stage.do(ev.RequestFloor(person))
        stage.talk(3 if person == "a" else 1, person)
        stage.do(ev.ReleaseFloor(person))
    stage.do(ev.SetQueueOrder("f", "quietest_first"))
    stage.join("d")
    stage.do(ev.RequestFloor("d"))
    for person in "abc":
        stage.do(ev.RequestFloor(person))
    assert stage.floor.queue == ("c", "b", "a")
    stage.do(ev.SetQueueOrder("f", "first_come"))
    assert stage.floor.queue == ("a", "b", "c")
    stage.do(ev.SetQueueOrder("f", "loudest_first"))
    assert stage.refusal() == "bad_value"


def test_a_holder_who_loses_the_network_keeps_the_floor_for_a_while(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.wait(100)
    stage.do(ev.NetworkLost("a"))
    assert stage.floor.turn_ends_at is None
    assert stage.floor.turn_left_s == 80
    stage.wait(9)
    stage.do(ev.NetworkBack("a"))
    assert stage.floor.holder == "a"
    assert stage.floor.turn_ends_at == stage.now + 80


def test_after_that_the_floor_goes_on_and_they_are_next(stage: Stage) -> None:
    for person in "abc":
        stage.do(ev.RequestFloor(person))
    stage.do(ev.NetworkLost("a"))
    stage.wait(10)
    assert stage.floor.holder == "b"
    assert stage.floor.queue == ("a", "c")
    stage.do(ev.NetworkBack("a"))
    stage.do(ev.ReleaseFloor("b"))
    assert stage.floor.holder == "a"


def test_a_holder_who_leaves_frees_the_floor(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    effects = stage.do(ev.Left("a"))
    assert stage.floor.holder == "b"
    assert not of(TurnEnded, effects)


def test_who_leaves_is_out_of_the_queue(stage: Stage) -> None:
    for person in "abc":
        stage.do(ev.RequestFloor(person))
    stage.do(ev.Left("b"))
    assert stage.floor.queue == ("c",)


def test_a_muted_person_can_raise_a_hand_and_waits_until_it_is_lifted(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "b"))
    stage.do(ev.RequestFloor("b"))
    assert stage.refusal() is None
    assert (stage.floor.holder, stage.floor.queue) == (None, ("b",))
    stage.do(ev.UnmutePerson("f", "b"))
    assert stage.floor.holder == "b"
    assert "b" in stage.heard()


def test_granting_lifts_a_mute(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "b"))
    stage.do(ev.GrantFloor("f", "b"))
    assert "b" in stage.heard()


def test_muting_the_holder_lets_the_floor_go_on(stage: Stage) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.MutePerson("f", "a"))
    assert stage.floor.holder == "b"
    assert stage.gates["a"].reason == "facilitator_mute"


def test_a_facilitator_may_hold_the_floor(stage: Stage) -> None:
    stage.do(ev.RequestFloor("f"))
    assert stage.floor.holder == "f"
    stage.do(ev.ReleaseFloor("f"))
    assert "f" in stage.heard()


@pytest.mark.parametrize(
    ("to", "code"), [("nobody", "no_such_person"), ("a", "already"), ("c", "not_connected")]
)
def test_grants_that_make_no_sense(stage: Stage, to: str, code: str) -> None:
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.NetworkLost("c"))
    stage.do(ev.GrantFloor("f", to))
    assert stage.refusal() == code
    assert stage.floor.holder == "a"


def test_one_person_alone_can_speak() -> None:
    stage = Stage()
    stage.join("f", "a")
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.Left("f"))
    stage.do(ev.RequestFloor("a"))
    assert stage.heard() >= {"a"}
