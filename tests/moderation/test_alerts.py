"""Alerts: raised, merged, held back, risen again, acknowledged."""

from __future__ import annotations

import pytest

from moderation import events as ev
from moderation.alerts import AlertBook
from moderation.effects import CallOnCall
from moderation.formats import AlertRules
from moderation.notices import AlertNotice, HelpReceived, HelpSeen
from tests.moderation.stage import Stage, of


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join("f", "f2", "a", "b")
    stage.do(ev.SetPhase("f", "work"))
    return stage


def test_help_reaches_all_facilitators_at_once_and_nobody_else(stage: Stage) -> None:
    effects = stage.do(ev.AskHelp("a"))
    notice = of(AlertNotice, effects, "f")[0]
    assert of(AlertNotice, effects, "f2") == [notice]
    assert (notice.change, notice.alert.kind) == ("raised", "help_asked")
    assert (notice.alert.severity, notice.alert.about) == ("urgent", "a")
    assert of(HelpReceived, effects, "a")
    assert stage.own["a"].help == "asked"
    assert not of(AlertNotice, effects, "a")
    assert not stage.calls()


def test_acknowledged_by_whom_and_when_and_the_person_learns_of_it(stage: Stage) -> None:
    stage.do(ev.AskHelp("a"))
    stage.wait(5)
    effects = stage.do(ev.AcknowledgeAlert("f2", 1))
    notice = of(AlertNotice, effects, "f")[0]
    assert notice.change == "acknowledged"
    assert (notice.alert.acknowledged_by, notice.alert.acknowledged_at) == ("f2", stage.now)
    assert of(HelpSeen, effects, "a")
    assert stage.own["a"].help == "seen"
    assert not of(HelpSeen, effects, "b")
    assert not of(AlertNotice, stage.wait(500))


def test_acknowledging_twice_or_nothing(stage: Stage) -> None:
    stage.do(ev.AskHelp("a"))
    stage.do(ev.AcknowledgeAlert("f", 1))
    stage.do(ev.AcknowledgeAlert("f2", 1))
    assert stage.refusal() == "already"
    stage.do(ev.AcknowledgeAlert("f", 99))
    assert stage.refusal() == "no_such_alert"


def test_an_urgent_alert_rises_again_to_all_and_to_the_one_on_call(stage: Stage) -> None:
    began = stage.now
    stage.do(ev.AskHelp("a"))
    stage.wait(59.5)
    assert not stage.calls()
    effects = stage.wait(1)
    rose = of(AlertNotice, effects, "f2")
    assert [notice.change for notice in rose] == ["rose_again"]
    assert [call.rises for call in stage.calls()] == [1]
    stage.wait(1000)
    at = [when - began for when, effect in stage.log if isinstance(effect, CallOnCall)]
    assert [round(when / 60) for when in at] == [1, 3, 7, 15]


def test_pressing_help_again_is_merged_until_acknowledged_and_never_swallowed(
    stage: Stage,
) -> None:
    stage.do(ev.AskHelp("a"))
    for _ in range(5):
        stage.wait(1)
        stage.do(ev.AskHelp("a"))
    changes = [notice.change for notice in stage.alerts("help_asked")]
    assert changes == ["raised"]
    stage.wait(10)
    notices = stage.alerts("help_asked")
    assert [notice.change for notice in notices] == ["raised", "changed"]
    assert notices[-1].alert.count == 6
    stage.do(ev.AcknowledgeAlert("f", 1))
    stage.do(ev.AskHelp("a"))
    assert stage.alerts("help_asked")[-1].alert.id == 2
    assert stage.alerts("help_asked")[-1].change == "raised"


@pytest.mark.parametrize(
    ("rating", "severity"), [(6, None), (7, "attention"), (8, "attention"), (9, "urgent")]
)
def test_a_high_distress_rating(stage: Stage, rating: int, severity: str | None) -> None:
    stage.do(ev.RateDistress("a", rating))
    assert stage.view("a").rating == rating
    found = [notice.alert.severity for notice in stage.alerts("distress_high")]
    assert found == ([severity] if severity else [])


def test_a_worse_rating_is_told_at_once(stage: Stage) -> None:
    stage.do(ev.RateDistress("a", 7))
    effects = stage.do(ev.RateDistress("a", 10))
    notice = of(AlertNotice, effects, "f")[0]
    assert (notice.change, notice.alert.severity) == ("changed", "urgent")
    assert notice.alert.evidence["rating"] == 10


def test_the_same_again_soon_after_it_was_acknowledged_stays_quiet(stage: Stage) -> None:
    stage.do(ev.RateDistress("a", 7))
    stage.do(ev.AcknowledgeAlert("f", 1))
    stage.do(ev.RateDistress("a", 8))
    assert len(stage.alerts("distress_high")) == 2
    stage.do(ev.RateDistress("a", 9))
    assert stage.alerts("distress_high")[-1].alert.severity == "urgent"
    stage.do(ev.RateDistress("b", 7))
    assert stage.alerts("distress_high")[-1].alert.about == "b"
    stage.wait(301)
    stage.do(ev.AcknowledgeAlert("f", 3))
    stage.wait(301)
    stage.do(ev.RateDistress("b", 7))
    assert stage.alerts("distress_high")[-1].change == "raised"


@pytest.mark.parametrize("rating", [-1, 11, True, 7.5])
def test_ratings_are_whole_numbers_from_0_to_10(stage: Stage, rating: object) -> None:
    stage.do(ev.RateDistress("a", rating))  # type: ignore[arg-type]
    assert stage.refusal() == "bad_value"
    assert not stage.alerts()


@pytest.mark.parametrize("rating", [0, 10])
def test_nought_and_ten_are_ratings(stage: Stage, rating: int) -> None:
    stage.do(ev.RateDistress("a", rating))
    assert stage.view("a").rating == rating


def test_a_rating_can_be_taken_back(stage: Stage) -> None:
    stage.do(ev.RateDistress("a", 5))
    stage.do(ev.RateDistress("a", None))
    assert stage.view("a").rating is None
    assert stage.own["a"].rating is None


def test_a_facilitator_who_comes_later_sees_what_is_open(stage: Stage) -> None:
    stage.do(ev.AskHelp("a"))
    stage.do(ev.RateDistress("b", 7))
    stage.do(ev.AcknowledgeAlert("f", 2))
    stage.wait(5)
    effects = stage.do(ev.Joined("f3", "facilitator"))
    assert [notice.alert.id for notice in of(AlertNotice, effects, "f3")] == [1]
    assert not of(AlertNotice, effects, "f")


def test_with_no_facilitator_there_help_calls_the_one_on_call_at_once(stage: Stage) -> None:
    stage.do(ev.Left("f"))
    stage.do(ev.NetworkLost("f2"))
    effects = stage.do(ev.AskHelp("a"))
    assert [call.kind for call in stage.calls()] == ["help_asked"]
    assert "emergency number" in of(HelpReceived, effects, "a")[0].text
    stage.do(ev.NetworkBack("f2"))
    assert stage.alerts("help_asked")[-1].change == "raised"


def test_leaving_in_ones_own_turn(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.Left("a"))
    alert = stage.alerts("left_abruptly")[0].alert
    assert (alert.severity, alert.about) == ("attention", "a")
    assert alert.evidence["in_own_turn"] is True


def test_closing_the_page_in_ones_own_turn_looks_like_a_lost_network_first(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.do(ev.NetworkLost("a"))
    stage.wait(20)
    assert stage.floor.holder is None
    stage.do(ev.Left("a"))
    evidence = stage.alerts("left_abruptly")[0].alert.evidence
    assert (evidence["in_own_turn"], evidence["network_lost"]) == (True, True)


def test_leaving_in_the_middle_of_speaking(stage: Stage) -> None:
    stage.talk(3, "a", "b")
    stage.talk(2, "b")
    stage.do(ev.Left("a"))
    assert not stage.alerts("left_abruptly")
    stage.do(ev.Left("b"))
    assert stage.alerts("left_abruptly")[0].alert.about == "b"


def test_leaving_after_a_mute(stage: Stage) -> None:
    stage.do(ev.MutePerson("f", "a", 5))
    stage.wait(50)
    stage.do(ev.Left("a"))
    assert stage.alerts("left_abruptly")[0].alert.evidence["after_mute"] is True
    stage.do(ev.MutePerson("f", "b", 5))
    stage.wait(61)
    stage.do(ev.Left("b"))
    assert len(stage.alerts("left_abruptly")) == 1


def test_leaving_after_a_high_rating_is_urgent(stage: Stage) -> None:
    stage.do(ev.RateDistress("a", 8))
    stage.wait(600)
    stage.do(ev.Left("a"))
    alert = stage.alerts("left_abruptly")[0].alert
    assert (alert.severity, alert.evidence["rating"]) == ("urgent", 8)


def test_leaving_otherwise_is_no_alert(stage: Stage) -> None:
    stage.do(ev.RateDistress("a", 3))
    stage.do(ev.Left("a"))
    stage.do(ev.Left("f2"))
    stage.do(ev.SetPhase("f", "ended"))
    stage.do(ev.Left("b"))
    assert not stage.alerts("left_abruptly")


def test_an_open_alert_outlasts_its_person(stage: Stage) -> None:
    stage.do(ev.AskHelp("a"))
    stage.do(ev.Left("a"))
    assert "rose_again" in [notice.change for notice in of(AlertNotice, stage.wait(61), "f")]


# --- The book itself ------------------------------------------------------------------------------


def test_many_alerts_that_are_not_urgent_wait_their_turn_urgent_ones_never() -> None:
    book, rules = AlertBook(), AlertRules(per_minute=3)
    for number in range(10):
        book.report("not_heard", "info", f"p{number}", {}, 0.0, rules)
    assert len(book.due(0.0, rules)) == 3
    book.report("help_asked", "urgent", "q", {}, 1.0, rules)
    assert [alert.kind for _, alert in book.due(1.0, rules)] == ["help_asked"]
    assert not book.due(59.9, rules)
    assert len(book.due(61.5, rules)) == 4  # help, risen again, and the next three
    shown = [alert for alert in book.alerts if alert.shown]
    assert len(shown) == 7


def test_more_severe_ones_are_shown_first() -> None:
    book, rules = AlertBook(), AlertRules(per_minute=1)
    book.report("not_heard", "info", "a", {}, 0.0, rules)
    book.report("left_abruptly", "attention", "b", {}, 0.0, rules)
    assert [alert.about for _, alert in book.due(0.0, rules)] == ["b"]


def test_settled_alerts_are_forgotten_in_the_end_open_ones_never() -> None:
    book, rules = AlertBook(), AlertRules()
    book.report("help_asked", "urgent", "first", {}, 0.0, rules)
    for number in range(1, 300):
        book.report("help_asked", "urgent", f"p{number}", {}, 0.0, rules)
        book.acknowledge(book.alerts[-1], "f", 0.0)
    assert len(book.alerts) <= 101
    assert book.alerts[0].about == "first"
