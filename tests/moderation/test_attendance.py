"""Coming, going, coming back, and rooms that nobody facilitates."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.notices import AlertNotice, FloorState, OwnState, PeopleState
from tests.moderation.stage import Stage, of


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join("f", "a", "b")
    stage.do(ev.SetPhase("f", "work"))
    return stage


def test_a_newcomer_is_told_how_things_stand(stage: Stage) -> None:
    effects = stage.do(ev.Joined("c", "participant"))
    assert of(FloorState, effects, "c") == [stage.floor]
    assert len(of(OwnState, effects, "c")) == 1
    assert not of(PeopleState, effects, "c")
    assert stage.gates["c"].is_open
    assert of(PeopleState, stage.do(ev.Joined("f2", "facilitator")), "f2")


def test_a_person_present_twice_is_one_person_and_keeps_everything(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.RateDistress("b", 3))
    effects = stage.do(ev.Joined("b", "participant"))
    assert of(FloorState, effects, "b") == [stage.floor]
    assert stage.floor.queue == ("b",)
    assert stage.own["b"].rating == 3
    effects = stage.do(ev.Joined("a", "participant"))
    assert stage.floor.holder == "a"
    assert stage.gates["a"] in effects
    assert len(stage.people.people) == 3


def test_reconnecting_keeps_everything(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.NetworkLost("a"))
    assert not stage.view("a").connected
    stage.wait(15)
    effects = stage.do(ev.NetworkBack("a"))
    assert stage.gates["a"] in effects
    assert stage.gates["a"].reason == "facilitator_mute"
    assert stage.own["a"].hand_raised
    assert stage.view("a").connected


def test_a_mute_does_not_follow_someone_into_another_role(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    stage.do(ev.Joined("a", "facilitator"))
    assert stage.gates["a"].is_open
    stage.do(ev.SetFormat("a", "queue"))
    assert stage.refusal() is None
    stage.do(ev.SetFormat("a", "open"))
    stage.do(ev.Joined("a", "participant"))
    assert stage.gates["a"].is_open
    stage.do(ev.SetFormat("a", "queue"))
    assert stage.refusal() == "not_facilitator"


def test_a_room_holds_sixteen(stage: Stage) -> None:
    stage.join(*(f"p{number}" for number in range(13)))
    assert stage.refusal() is None
    stage.join("one-too-many")
    assert stage.refusal() == "room_full"
    assert "one-too-many" not in stage.gates
    stage.join("a")
    assert stage.refusal() is None
    stage.do(ev.Left("a"))
    stage.join("one-too-many")
    assert stage.refusal() is None


def test_events_about_strangers_change_nothing(stage: Stage) -> None:
    for event in (ev.Left("x"), ev.NetworkLost("x"), ev.NetworkBack("x")):
        assert stage.do(event) == []
    stage.do(ev.RequestFloor("x"))
    assert stage.refusal() == "not_here"


def test_everyone_leaving_leaves_a_clean_room(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.RequestFloor("b"))
    stage.do(ev.MutePerson("f", "b"))
    stage.do(ev.RateDistress("b", 7))
    stage.do(ev.MuteAll("f"))
    stage.do(ev.Pause("f"))
    stage.do(ev.SetLadder("f", False))
    for person in ("f", "b", "a"):
        stage.do(ev.Left(person))
    stage.join("b")
    assert stage.gates["b"].is_open
    assert stage.floor == FloorState(
        phase="work",
        format="open",
        kind="open",
        holder=None,
        turn_ends_at=None,
        turn_left_s=None,
        queue=(),
        queue_order="first_come",
        piece=None,
        presenter=None,
        paused=False,
        all_muted=False,
        attended=False,
    )
    assert stage.own["b"].rating is None
    stage.join("f")
    assert stage.people.ladder_on
    assert not of(AlertNotice, stage.last, "f") or stage.alerts()[-1].change == "withdrawn"


def test_an_unanswered_cry_for_help_of_the_last_one_calls_the_one_on_call(stage: Stage) -> None:
    stage.do(ev.AskHelp("a"))
    for person in ("f", "b", "a"):
        stage.do(ev.Left(person))
    assert [call.kind for call in stage.calls()] == ["help_asked"]


# --- Nobody facilitates ---------------------------------------------------------------------------


def test_the_group_sees_that_no_facilitator_is_there(stage: Stage) -> None:
    stage.do(ev.NetworkLost("f"))
    assert stage.floor.attended
    stage.wait(31)
    assert not stage.floor.attended
    stage.do(ev.NetworkBack("f"))
    assert stage.floor.attended
    stage.do(ev.Left("f"))
    assert not stage.floor.attended


def test_a_short_absence_is_nothing(stage: Stage) -> None:
    stage.do(ev.NetworkLost("f"))
    stage.wait(29)
    stage.do(ev.NetworkBack("f"))
    stage.wait(5)
    stage.do(ev.NetworkLost("f"))
    stage.wait(29)
    stage.do(ev.NetworkBack("f"))
    assert not stage.alerts("nobody_facilitating")
    assert not stage.audits("unattended")


def test_nobody_facilitating_is_an_alert_that_calls_and_is_withdrawn(stage: Stage) -> None:
    stage.do(ev.Left("f"))
    stage.wait(31)
    assert [audit.detail["kind"] for audit in stage.audits("alert_raised")] == [
        "nobody_facilitating"
    ]
    assert not stage.calls()
    stage.wait(61)
    assert [call.kind for call in stage.calls()] == ["nobody_facilitating"]
    stage.join("f2")
    stage.wait(1000)
    assert len(stage.calls()) == 1


def test_a_session_goes_on_when_people_come_back_to_an_empty_room(stage: Stage) -> None:
    for person in ("f", "a", "b"):
        stage.do(ev.Left(person))
    stage.join("a")
    stage.wait(31)
    assert [audit.detail["kind"] for audit in stage.audits("alert_raised")] == [
        "nobody_facilitating"
    ]


def test_in_the_lobby_nobody_is_missed() -> None:
    stage = Stage()
    stage.join("a", "b")
    stage.wait(200)
    assert not stage.audits("alert_raised")


def test_mutes_only_a_facilitator_could_lift_get_an_end(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    stage.do(ev.Left("f"))
    stage.wait(31)
    assert stage.own["a"].muted_until is not None
    stage.wait(61)
    assert stage.gates["a"].is_open


def test_who_comes_back_with_such_a_mute_gets_an_end_too(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a"))
    stage.do(ev.Left("a"))
    stage.do(ev.Left("f"))
    stage.wait(100)
    stage.join("a")
    stage.wait(62)
    assert stage.gates["a"].is_open


def test_mute_all_ends(stage: Stage) -> None:
    stage.do(ev.MuteAll("f"))
    stage.do(ev.Left("f"))
    stage.wait(89)
    assert not stage.gates["a"].is_open
    stage.wait(2)
    assert stage.heard() >= {"a", "b"}
    assert not stage.floor.all_muted


def test_a_pause_ends(stage: Stage) -> None:
    stage.do(ev.Pause("f"))
    stage.do(ev.Left("f"))
    stage.wait(209)
    assert stage.floor.paused
    stage.wait(2)
    assert not stage.floor.paused
    assert stage.heard() >= {"a", "b"}


def test_the_queue_goes_on_by_itself(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.Left("f"))
    stage.do(ev.RequestFloor("b"))
    stage.wait(180)
    assert stage.floor.holder == "b"


@pytest.mark.parametrize("format_name", ["open", "queue", "circle", "presentation"])
@pytest.mark.parametrize("blocked", ["pause", "all", "one", "nothing"])
def test_no_room_stays_mute_by_accident(format_name: str, blocked: str) -> None:
    """Whatever the last facilitator left behind: raising a hand is enough to be heard in time."""
    stage = Stage()
    stage.join("f", "a", "b")
    stage.do(ev.SetPhase("f", "work"))
    stage.do(ev.SetFormat("f", format_name))
    if blocked == "pause":
        stage.do(ev.Pause("f"))
    elif blocked == "all":
        stage.do(ev.MuteAll("f"))
    elif blocked == "one":
        stage.do(ev.MutePerson("f", "b"))
    stage.do(ev.Left("f"))
    stage.do(ev.RequestFloor("b"))
    heard = False
    for _ in range(600):
        stage.wait(1)
        heard = heard or stage.gates["b"].is_open
    assert heard
