"""Simulated people behave like people, in a room without time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from signaling.messages import Floor, FormatKind, Own, Participant, Roster
from simulated.behaviour import Action, Ask, Behaviour, Hush, Say, Temper
from simulated.phrases import BACKCHANNELS, INTERRUPTIONS

STEP_S = 0.1
ALWAYS_IN_A_STEP = 60 / STEP_S
"""So often a minute that it comes at every step."""


def floor(kind: FormatKind = "open", **changes: Any) -> Floor:
    told: dict[str, Any] = {
        "phase": "work", "format": kind, "kind": kind, "holder": None, "turn_left_ms": None,
        "turn_runs": True, "queue": [], "queue_order": "first_come", "piece": None,
        "presenter": None, "paused": False, "all_muted": False, "attended": True,
    }  # fmt: skip
    return Floor.model_validate(told | changes)


def own(**changes: Any) -> Own:
    told: dict[str, Any] = {
        "holding": False, "hand_raised": False, "place": None, "muted": None,
        "muted_left_ms": None, "text": "", "rating": None, "help": "none",
    }  # fmt: skip
    return Own.model_validate(told | changes)


def roster(people: int) -> Roster:
    return Roster(
        version=1,
        participants=[
            Participant(
                id=f"p{slot}", name=f"P{slot}", role="participant", slot=slot,
                mic=True, camera=True, screen=False, connection="connected",
            )
            for slot in range(people)
        ],
        whole_frames=False,
    )  # fmt: skip


def length_s(text: str) -> float:
    """How long it takes to say."""
    return 0.35 * len(text.split())


@dataclass
class Scene:
    """Some people hear each other, and time passes as it is told."""

    people: int
    seed: int = 0
    temper: Temper = field(default_factory=Temper)
    now: float = 0.0
    log: list[tuple[float, int, Action]] = field(default_factory=list)
    until: dict[int, float] = field(default_factory=dict)
    """Who talks, and when their phrase ends."""
    simultaneous: Counter[int] = field(default_factory=Counter)
    """Steps in which so many talked."""

    def __post_init__(self) -> None:
        self.minds = [
            Behaviour(f"p{n}", Random(f"{self.seed} {n}"), self.temper) for n in range(self.people)
        ]
        for mind in self.minds:
            mind.take(floor())
            mind.take(own())
            mind.take(roster(self.people))

    def run(self, seconds: float) -> list[tuple[float, int, Action]]:
        """What was done in this time: when, who, what."""
        start = len(self.log)
        for _ in range(round(seconds / STEP_S)):
            self.now = round(self.now + STEP_S, 3)
            talking = {f"p{n}" for n in self.until}
            for n, mind in enumerate(self.minds):
                if self.until.get(n, self.now + 1) <= self.now:
                    del self.until[n]
                    mind.finished(self.now)
                mind.hear(talking - {f"p{n}"}, self.now)
                for action in mind.act(self.now):
                    self.log.append((self.now, n, action))
                    if isinstance(action, Say):
                        self.until[n] = self.now + length_s(action.text)
                    elif isinstance(action, Hush):
                        self.until.pop(n, None)
            self.simultaneous[len(self.until)] += 1
        return self.log[start:]


def said(log: list[tuple[float, int, Action]]) -> list[str]:
    return [action.text for _, _, action in log if isinstance(action, Say)]


def asked(log: list[tuple[float, int, Action]]) -> list[str]:
    return [action.request for _, _, action in log if isinstance(action, Ask)]


def test_the_same_seed_gives_the_same_script() -> None:
    assert Scene(4, seed=3).run(120) == Scene(4, seed=3).run(120)
    assert Scene(4, seed=3).run(120) != Scene(4, seed=4).run(120)


@pytest.mark.parametrize("people", [3, 6])
def test_mostly_one_talks_at_a_time_with_pauses_and_all_get_to_talk(people: int) -> None:
    scene = Scene(people)
    log = scene.run(20 * 60)
    steps = sum(scene.simultaneous.values())
    assert 0.35 < scene.simultaneous[1] / steps < 0.85
    assert 0.1 < scene.simultaneous[0] / steps < 0.6
    assert sum(scene.simultaneous[n] for n in range(2, people + 1)) / steps < 0.1
    talkers = Counter(n for _, n, action in log if isinstance(action, Say))
    assert len(talkers) == people
    assert min(talkers.values()) > max(talkers.values()) / 4
    texts = said(log)
    assert 5 < sum(text in BACKCHANNELS for text in texts) < len(texts) / 3
    assert 0 < sum(text in INTERRUPTIONS for text in texts) < len(texts) / 10
    assert asked(log).count("ask_help") <= 2 * people


def test_whoever_is_talked_over_mostly_yields() -> None:
    scene = Scene(1, temper=Temper(yields=1, phrases=1))
    mind = scene.minds[0]
    while not scene.until:
        scene.run(STEP_S)
    began = scene.now
    actions: list[Action] = []
    while not actions:
        scene.now += STEP_S
        mind.hear({"p9"}, scene.now)
        actions = mind.act(scene.now)
    assert actions == [Hush()]
    assert 0.4 < scene.now - began < 1.5


def test_whoever_is_muted_is_silent_at_once_and_until_they_are_heard_again() -> None:
    scene = Scene(1)
    while not scene.until:
        scene.run(STEP_S)
    scene.minds[0].take(own(muted="short_mute", muted_left_ms=5_000))
    assert [action for _, _, action in scene.run(STEP_S)] == [Hush()]
    assert said(scene.run(300)) == []
    scene.minds[0].take(own())
    assert said(scene.run(60))


@pytest.mark.parametrize("changes", [{"paused": True}, {"phase": "ended"}])
def test_a_pause_is_kept(changes: dict[str, Any]) -> None:
    scene = Scene(2)
    for mind in scene.minds:
        mind.take(floor(**changes))
    assert said(scene.run(300)) == []


@pytest.mark.parametrize("kind", ["queue", "presentation"])
def test_hands_are_raised_for_the_floor_and_it_is_given_back(kind: FormatKind) -> None:
    scene = Scene(1, temper=Temper(hands_a_minute=20, lowered_a_minute=0))
    mind = scene.minds[0]
    mind.take(floor(kind))
    log = scene.run(60)
    assert set(asked(log)) == {"request_floor"}
    assert said(log) == []
    mind.take(own(hand_raised=True, place=2))
    assert scene.run(60) == []
    mind.take(own(holding=True))
    log = scene.run(60)
    assert said(log)
    assert asked(log) == ["release_floor"]
    assert isinstance(log[-1][2], Ask)


def test_a_hand_may_be_lowered() -> None:
    scene = Scene(1, temper=Temper(lowered_a_minute=ALWAYS_IN_A_STEP))
    scene.minds[0].take(floor("queue"))
    scene.minds[0].take(own(hand_raised=True))
    assert asked(scene.run(STEP_S * 2)) == ["cancel_request"]


def test_the_talking_piece_is_used_or_let_go_by() -> None:
    for passes, request in ((0.0, "release_floor"), (1.0, "pass_turn")):
        scene = Scene(1, temper=Temper(passes=passes, help_a_minute=0))
        mind = scene.minds[0]
        mind.take(floor("circle"))
        assert scene.run(60) == []
        mind.take(own(holding=True))
        log = scene.run(60)
        assert asked(log) == [request]
        assert bool(said(log)) == (request == "release_floor")
        mind.take(own())
        scene.run(1)
        mind.take(own(holding=True))
        assert asked(scene.run(60)) == [request]


def test_help_is_asked_for_once() -> None:
    scene = Scene(1, temper=Temper(help_a_minute=ALWAYS_IN_A_STEP))
    assert asked(scene.run(STEP_S * 2)) == ["ask_help"]
    scene.minds[0].take(own(help="asked"))
    assert asked(scene.run(30)) == []
