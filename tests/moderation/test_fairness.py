"""How evenly the talk is spread."""

from __future__ import annotations

from itertools import pairwise

import pytest

from moderation import events as ev
from moderation.effects import TellPerson
from moderation.notices import Nudge, OwnShare, PeopleState
from moderation.tally import Rolling, gini
from tests.moderation.stage import Stage, of

FOUR = ("a", "b", "c", "d")


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.join("f", *FOUR)
    stage.do(ev.SetPhase("f", "work"))
    return stage


def test_talk_time_share_turns_and_last_heard(stage: Stage) -> None:
    stage.talk(6, "a", silent=FOUR)
    stage.talk(1, silent=FOUR)
    stage.talk(2, "b", silent=FOUR)
    heard_at = stage.now
    stage.talk(3, silent=FOUR)
    a, b = stage.view("a"), stage.view("b")
    assert a.session.talk_s == pytest.approx(6, abs=0.1)
    assert b.session.talk_s == pytest.approx(2, abs=0.1)
    assert a.session.share == pytest.approx(0.75, abs=0.02)
    assert (a.session.turns, b.session.turns) == (1, 1)
    assert b.last_heard_at == pytest.approx(heard_at, abs=0.1)
    assert stage.view("c").last_heard_at is None
    assert stage.people.gini == pytest.approx(0.625, abs=0.01)
    assert stage.people.fair_share == 0.25


def test_going_on_after_a_pause_is_no_new_turn_and_feedback_is_none(stage: Stage) -> None:
    stage.talk(3, "a")
    stage.talk(1)
    stage.talk(3, "a")
    stage.talk(1)
    stage.talk(0.6, "b")
    stage.talk(1)
    stage.talk(3, "a")
    stage.talk(3)
    assert stage.view("a").session.turns == 1
    assert stage.view("b").session.turns == 0


def test_a_facilitators_talk_is_shown_but_not_shared_out(stage: Stage) -> None:
    stage.talk(5, "f")
    stage.talk(1)
    stage.talk(5, "a")
    stage.talk(3)
    assert stage.view("f").session.talk_s == pytest.approx(5, abs=0.1)
    assert stage.view("f").session.share == 0
    assert stage.view("a").session.share == 1


def test_nobody_is_credited_while_their_gate_is_closed(stage: Stage) -> None:
    stage.do(ev.SetFormat("f", "queue"))
    stage.do(ev.RequestFloor("a"))
    stage.talk(5, "a", "b")
    stage.talk(3)
    assert stage.view("a").session.talk_s == pytest.approx(5, abs=0.1)
    assert stage.view("b").session.talk_s == 0


def test_recent_is_ten_minutes(stage: Stage) -> None:
    stage.talk(10, "a")
    stage.wait(580, 1)
    assert stage.view("a").recent.talk_s == pytest.approx(10, abs=0.2)
    stage.wait(40, 1)
    assert stage.view("a").recent.talk_s == 0
    assert stage.view("a").session.talk_s == pytest.approx(10, abs=0.2)


def test_whom_to_invite_next(stage: Stage) -> None:
    stage.talk(8, "a")
    stage.talk(1)
    stage.talk(2, "b")
    stage.talk(3)
    assert list(stage.people.suggested) == ["c", "d", "b"]
    stage.do(ev.NetworkLost("c"))
    stage.do(ev.MutePerson("f", "d"))
    assert list(stage.people.suggested) == ["b", "a"]


def test_more_than_twice_the_fair_share_is_nudged_now_and_then(stage: Stage) -> None:
    stage.talk(50, "b")
    stage.talk(1)
    effects = stage.talk(45, "a")
    assert not of(Nudge, effects)
    effects = stage.talk(90, "a")
    nudges = of(Nudge, effects, "a")
    assert [nudge.about for nudge in nudges] == ["share"]
    assert len(of(Nudge, effects)) == 1
    assert not stage.alerts("dominating")
    stage.talk(130, "a")
    alert = stage.alerts("dominating")[0].alert
    assert (alert.about, alert.severity) == ("a", "info")
    assert alert.evidence["share"] == pytest.approx(0.83, abs=0.05)


def test_who_heeds_the_nudge_is_neither_reported_nor_nudged_again(stage: Stage) -> None:
    effects = stage.talk(62, "a")
    assert of(Nudge, effects, "a")
    effects = stage.talk(30, "b")
    effects += stage.wait(290, 1)
    assert not of(Nudge, effects)
    assert not stage.alerts("dominating")


def test_who_goes_on_is_nudged_again_after_a_while(stage: Stage) -> None:
    nudges = of(Nudge, stage.talk(370, "a"), "a")
    assert len(nudges) == 2
    assert len(stage.alerts("dominating")) == 1


def test_after_an_even_spell_it_begins_anew(stage: Stage) -> None:
    assert of(Nudge, stage.talk(80, "a"), "a")
    stage.talk(130, "b")
    stage.wait(200, 1)
    effects = stage.talk(180, "a")
    assert len(of(Nudge, effects, "a")) == 1


def test_facilitators_see_shares_grow_every_two_seconds(stage: Stage) -> None:
    effects = stage.talk(10, "a")
    told = of(PeopleState, effects, "f")
    assert len(told) in {4, 5}
    talked = [next(view for view in each.people if view.id == "a") for each in told]
    seconds = [round(view.session.talk_s) for view in talked]
    assert [after - before for before, after in pairwise(seconds)] == [2] * (len(told) - 1)


def test_less_than_that_is_not(stage: Stage) -> None:
    stage.talk(100, "b")
    stage.talk(1)
    assert not of(Nudge, stage.talk(90, "a"))


def test_one_or_two_people_never_dominate() -> None:
    stage = Stage()
    stage.join("f", "a", "b")
    stage.do(ev.SetPhase("f", "work"))
    assert not of(Nudge, stage.talk(200, "a"))


def test_not_heard_for_long(stage: Stage) -> None:
    stage.talk(5, "a")
    stage.do(ev.NetworkLost("d"))
    stage.wait(594, 1)
    assert not stage.alerts("not_heard")
    stage.wait(2, 1)
    assert {notice.alert.about for notice in stage.alerts("not_heard")} == {"b", "c"}
    stage.talk(2, "b")
    changes = [(notice.alert.about, notice.change) for notice in stage.alerts("not_heard")]
    assert changes[-1] == ("b", "withdrawn")
    stage.wait(20, 1)
    assert ("a", "raised") in [
        (notice.alert.about, notice.change) for notice in stage.alerts("not_heard")
    ]


def test_silence_in_lobby_or_circle_is_no_alert(stage: Stage) -> None:
    stage.do(ev.SetPhase("f", "check_in"))
    stage.do(ev.Pause("f"))
    stage.wait(700, 2)
    stage.do(ev.SetPhase("f", "lobby"))
    stage.do(ev.Resume("f"))
    stage.wait(700, 2)
    assert not stage.alerts("not_heard")


def test_everyone_learns_their_own_share_only(stage: Stage) -> None:
    stage.talk(20, "a", silent=FOUR)
    shares = {
        effect.to: effect.notice
        for effect in stage.effects()
        if isinstance(effect, TellPerson) and isinstance(effect.notice, OwnShare)
    }
    assert set(shares) == set(FOUR)
    assert shares["a"].recent_share == 1
    assert shares["b"].recent_share == 0
    assert shares["a"].text != shares["b"].text


def test_two_learn_their_shares_one_alone_has_none_to_learn() -> None:
    stage = Stage()
    stage.join("f", "a")
    assert not of(OwnShare, stage.talk(20, "a"))
    stage.join("b")
    assert of(OwnShare, stage.talk(20, "a"), "b")


def test_rolling_sums() -> None:
    rolling = Rolling()
    for slot in range(100):
        rolling.forget(slot)
        rolling.add(0.5, slot)
        rolling.add(0.5, slot)
    assert (rolling.total, rolling.recent()) == (100, 60)


@pytest.mark.parametrize(
    ("amounts", "value"),
    [([], 0), ([0, 0], 0), ([5], 0), ([3, 3, 3], 0), ([0, 0, 0, 9], 0.75), ([1, 3], 0.25)],
)
def test_gini(amounts: list[float], value: float) -> None:
    assert gini(amounts) == pytest.approx(value)
