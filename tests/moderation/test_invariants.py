"""What holds whatever people do, in whatever order, at whatever time."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moderation import events as ev
from moderation.effects import (
    Effect,
    Refused,
    SetGate,
    TellEveryone,
    TellFacilitators,
    TellPerson,
)
from moderation.notices import (
    AlertNotice,
    FloorState,
    OwnState,
    PeopleState,
    PersonalNotice,
)
from moderation.session import Session
from tests.moderation.stage import FORMATS

FACILITATORS = ("f1", "f2")
PARTICIPANTS = ("p1", "p2", "p3", "p4")
EVERYONE = (*FACILITATORS, *PARTICIPANTS)
anyone = st.sampled_from((*EVERYONE, "stranger"))
anybody = st.sampled_from((*PARTICIPANTS, *PARTICIPANTS, "f1", "stranger"))
seconds = st.one_of(
    st.sampled_from([5, 30.0, 120, 20]),
    st.sampled_from([0, -3, 1e9]),
    st.floats(allow_nan=True, allow_infinity=True),
)
GOING = ("in", "in", "out", "lost", "back")

commands: st.SearchStrategy[ev.Command] = st.one_of(
    st.builds(ev.RequestFloor, anyone),
    st.builds(ev.CancelRequest, anyone),
    st.builds(ev.ReleaseFloor, anyone),
    st.builds(ev.PassTurn, anyone),
    st.builds(ev.AskHelp, anyone),
    st.builds(ev.RateDistress, anyone, st.one_of(st.none(), st.integers(-2, 12))),
)

leader = st.sampled_from(("f1", "f1", "f2", "f2", "p1", "stranger"))

floor_commands: st.SearchStrategy[ev.Command] = st.one_of(
    st.builds(ev.GrantFloor, leader, anybody),
    st.builds(ev.GrantFloor, leader, anybody),
    st.builds(ev.RevokeFloor, leader),
    st.builds(ev.ReorderQueue, leader, st.lists(anybody, max_size=4).map(tuple)),
    st.builds(ev.SetQueueOrder, leader, st.sampled_from(["first_come", "quietest_first", "?"])),
    st.builds(ev.ExtendTurn, leader, seconds),
    st.builds(ev.NextRound, leader),
    st.builds(ev.Invite, leader, anybody),
)

quieting_commands: st.SearchStrategy[ev.Command] = st.one_of(
    st.builds(ev.Pause, leader),
    st.builds(ev.Resume, leader),
    st.builds(ev.MutePerson, leader, anybody, st.none()),
    st.builds(ev.MutePerson, leader, anybody, seconds),
    st.builds(ev.UnmutePerson, leader, anybody),
    st.builds(ev.MuteAll, leader),
    st.builds(ev.UnmuteAll, leader),
    st.builds(ev.Forgive, leader, anybody),
    st.builds(ev.SetLadder, leader, st.booleans()),
)

acknowledgements: st.SearchStrategy[ev.Command] = st.builds(
    ev.AcknowledgeAlert, leader, st.integers(0, 8)
)

LIFTS: dict[str, Callable[[str, str], ev.Command]] = {
    "not_your_turn": ev.GrantFloor,
    "paused": lambda by, _who: ev.Resume(by),
    "all_muted": lambda by, _who: ev.UnmuteAll(by),
    "short_mute": ev.UnmutePerson,
    "held_mute": ev.UnmutePerson,
    "facilitator_mute": ev.UnmutePerson,
}


class Room(RuleBasedStateMachine):
    """Two sessions are told the same; one of them is saved and restored all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(FORMATS)
        self.twin = Session(FORMATS)
        self.now = 5000.0
        self.people: dict[str, str] = {}
        self.lost: set[str] = set()
        self.gates: dict[str, SetGate] = {}
        self.floor: FloorState | None = None
        self.own: dict[str, OwnState] = {}
        self.console: dict[str, PeopleState] = {}

    def do(self, event: ev.Event) -> list[Effect]:
        if not isinstance(event, ev.VoiceFrames):
            self.restore_twin()
        effects = self.session.handle(event, self.now)
        assert self.twin.handle(event, self.now) == effects
        self.take_in(event, effects)
        return effects

    def restore_twin(self) -> None:
        self.twin = Session.restore(self.twin.save(), FORMATS)

    def take_in(self, event: ev.Event, effects: list[Effect]) -> None:
        if isinstance(event, ev.Joined) and not any(isinstance(e, Refused) for e in effects):
            self.people[event.person] = event.role
            self.lost.discard(event.person)
        refused = [effect for effect in effects if isinstance(effect, Refused)]
        assert len(refused) <= 1
        for effect in effects:
            self.reaches_only_whom_it_is_for(event, effect)
            if isinstance(effect, SetGate):
                assert effect.is_open is (effect.reason is None)
                self.gates[effect.person] = effect
            elif isinstance(effect, TellEveryone):
                self.floor = effect.state
            elif isinstance(effect, TellPerson):
                if isinstance(effect.notice, OwnState):
                    self.own[effect.to] = effect.notice
                elif isinstance(effect.notice, FloorState):
                    assert effect.notice == self.floor
            elif isinstance(effect, TellFacilitators) and isinstance(effect.notice, PeopleState):
                self.console |= dict.fromkeys(effect.to, effect.notice)
        if isinstance(event, ev.Left):
            # Only now: until then they may have been told what was due before they left.
            for known in (self.people, self.gates, self.own, self.console):
                known.pop(event.person, None)
            self.lost.discard(event.person)
        if not self.people:
            self.floor = None

    def reaches_only_whom_it_is_for(self, event: ev.Event, effect: Effect) -> None:
        facilitators = {person for person, role in self.people.items() if role == "facilitator"}
        if isinstance(effect, TellEveryone):
            assert type(effect.state) is FloorState
        elif isinstance(effect, TellPerson):
            assert effect.to in self.people
            assert isinstance(effect.notice, PersonalNotice)
        elif isinstance(effect, TellFacilitators):
            assert effect.to
            assert set(effect.to) <= facilitators
            if isinstance(effect.notice, AlertNotice) and effect.notice.change != "raised":
                assert facilitators - set(effect.to) <= {getattr(event, "person", None)}
        elif isinstance(effect, Refused):
            assert effect.to == getattr(event, "by", None) or effect.code == "room_full"

    # --- What happens ----------------------------------------------------------------------------

    def joins(self, person: str) -> None:
        self.do(ev.Joined(person, "facilitator" if person in FACILITATORS else "participant"))

    @initialize(empty=st.booleans())
    def begins(self, empty: bool) -> None:
        """Most of what can happen needs a facilitator and some people."""
        if not empty:
            self.opens()

    @rule()
    def opens(self) -> None:
        for person in ("f1", "f2", "p1", "p2", "p3"):
            self.joins(person)

    @rule(person=st.sampled_from(EVERYONE), how=st.sampled_from([*GOING, "everyone out"]))
    def comes_or_goes(self, person: str, how: str) -> None:
        if how == "in":
            self.joins(person)
        elif how == "out":
            self.do(ev.Left(person))
        elif how == "everyone out":
            for each in EVERYONE:
                self.do(ev.Left(each))
        elif how == "lost":
            if person in self.people:
                self.lost.add(person)
            self.do(ev.NetworkLost(person))
        else:
            self.lost.discard(person)
            self.do(ev.NetworkBack(person))

    @precondition(lambda self: self.floor and self.floor.holder)
    @rule(passes=st.booleans())
    def the_holder_is_done(self, passes: bool) -> None:
        assert self.floor is not None
        assert self.floor.holder is not None
        holder = self.floor.holder
        effects = self.do(ev.PassTurn(holder) if passes else ev.ReleaseFloor(holder))
        assert not any(isinstance(effect, Refused) for effect in effects)

    @rule(command=commands)
    def someone_does(self, command: ev.Command) -> None:
        self.do(command)

    @rule(command=floor_commands)
    def someone_leads(self, command: ev.Command) -> None:
        self.do(command)

    @rule(command=quieting_commands)
    def someone_quiets(self, command: ev.Command) -> None:
        self.do(command)

    @rule(command=acknowledgements)
    def someone_cares(self, command: ev.Command) -> None:
        self.do(command)

    @rule(format_name=st.sampled_from([*FORMATS.names(), "?"]), by=st.sampled_from(FACILITATORS))
    def format(self, format_name: str, by: str) -> None:
        self.do(ev.SetFormat(by, format_name))

    @rule(
        phase=st.sampled_from(["lobby", "check_in", "work", "work", "check_out", "?"]),
        by=st.sampled_from(FACILITATORS),
    )
    def phase(self, phase: str, by: str) -> None:
        self.do(ev.SetPhase(by, phase))

    @rule(seconds=st.sampled_from([0.02, 0.5, 1, 5, 8, 15, 31, 70, 130, 400]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(ev.Tick())

    @rule(
        ticks=st.integers(1, 90),
        talkers=st.sets(st.sampled_from(EVERYONE), max_size=3),
    )
    def people_talk(self, ticks: int, talkers: set[str]) -> None:
        frames = {person: (20, True) if person in talkers else (80, False) for person in EVERYONE}
        for tick in range(ticks):
            if tick % 30 == 0:
                self.restore_twin()
            self.now += 0.02
            self.do(ev.VoiceFrames(frames))

    # --- What always holds -----------------------------------------------------------------------

    @invariant()
    def everyone_in_the_room_has_a_gate_and_a_state(self) -> None:
        assert set(self.gates) == set(self.people)
        assert set(self.own) == set(self.people)
        assert (self.floor is None) is (not self.people)

    @invariant()
    def at_most_one_holder_and_only_the_holder_is_heard_outside_open_floor(self) -> None:
        if self.floor is None:
            return
        holders = [person for person, own in self.own.items() if own.holding]
        assert holders == ([self.floor.holder] if self.floor.holder else [])
        if self.floor.kind == "open":
            assert self.floor.holder is None
            return
        for person, gate in self.gates.items():
            if self.people[person] == "participant" and gate.is_open:
                assert person == self.floor.holder

    @invariant()
    def facilitators_are_always_heard(self) -> None:
        for person, role in self.people.items():
            assert role == "participant" or self.gates[person].is_open

    @invariant()
    def each_person_knows_why_they_are_not_heard(self) -> None:
        for person, gate in self.gates.items():
            assert self.own[person].muted == gate.reason
            assert bool(self.own[person].text) is not gate.is_open

    @invariant()
    def facilitators_see_why_a_gate_is_closed(self) -> None:
        for person, role in self.people.items():
            if role != "facilitator":
                continue
            seen = {view.id: view for view in self.console[person].people}
            assert set(seen) == set(self.people)
            for other, gate in self.gates.items():
                assert seen[other].gate == gate.reason
                assert bool(seen[other].gate_text) is not gate.is_open

    @invariant()
    def everyone_gone_is_a_clean_room(self) -> None:
        if self.people:
            return
        state = json.loads(self.session.save())
        clean = Session(FORMATS, state["state"]["phase"])
        clean.handle(ev.Tick(), self.now)
        expected = json.loads(clean.save())
        for key in ("time", "active_since"):
            expected["state"][key] = state["state"][key]
        assert state == expected

    @precondition(lambda self: self.people)
    @rule(data=st.data())
    def a_facilitator_can_lift_any_closed_gate(self, data: st.DataObject) -> None:
        """Tried on a copy, by a facilitator who is there or comes in for it."""
        closed = self.closed()
        if closed:
            self.lift(data.draw(st.sampled_from(closed)))

    def closed(self) -> list[str]:
        """Whose gates are closed, of those who are connected."""
        return [
            person
            for person, gate in self.gates.items()
            if not gate.is_open and person not in self.lost
        ]

    def lift(self, person: str) -> None:
        copy = Session.restore(self.session.save(), FORMATS)
        effects = copy.handle(ev.Joined("f1", "facilitator"), self.now)
        gate: SetGate = self.gates[person]
        for _ in range(5):
            for effect in effects:
                if isinstance(effect, SetGate) and effect.person == person:
                    gate = effect
            # It may have opened by itself: when everyone is unmuted, a circle that has rested
            # long enough gives way to the open floor.
            if gate.reason is None:
                break
            assert not any(isinstance(effect, Refused) for effect in effects), effects
            effects = copy.handle(LIFTS[gate.reason]("f1", person), self.now)
        assert gate.is_open, gate


Room.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestInvariants: Any = Room.TestCase


def lengthy(rng: random.Random) -> float:
    return rng.choice([5, 30.0, 120, 20, 0, -3, 1e9, math.nan, math.inf])


@pytest.mark.parametrize("seed", range(4))
def test_a_long_and_lively_evening(seed: int) -> None:
    """The same invariants, with every command given often."""
    rng = random.Random(seed)
    room = Room()
    room.opens()
    formats, phases = list(FORMATS.names()), ["check_in", "work", "work", "check_out"]

    def some() -> str:
        return rng.choice([*EVERYONE, *PARTICIPANTS, "stranger"])

    def leader() -> str:
        return rng.choice(["f1", "f1", "f1", "f2", "f2", "p1"])

    def holder() -> str:
        return (room.floor and room.floor.holder) or some()

    commands: list[Callable[[], ev.Event]] = [
        lambda: ev.RequestFloor(some()),
        lambda: ev.RequestFloor(some()),
        lambda: ev.CancelRequest(some()),
        lambda: ev.ReleaseFloor(holder()),
        lambda: ev.PassTurn(rng.choice([holder(), some()])),
        lambda: ev.AskHelp(some()),
        lambda: ev.RateDistress(some(), rng.choice([None, *range(-1, 12)])),
        lambda: ev.GrantFloor(leader(), some()),
        lambda: ev.RevokeFloor(leader()),
        lambda: ev.ReorderQueue(leader(), (some(), some())),
        lambda: ev.SetQueueOrder(leader(), rng.choice(["first_come", "quietest_first"])),
        lambda: ev.ExtendTurn(leader(), lengthy(rng)),
        lambda: ev.NextRound(leader()),
        lambda: ev.Invite(leader(), some()),
        lambda: ev.SetFormat(leader(), rng.choice(formats)),
        lambda: ev.SetPhase(leader(), rng.choice(phases)),
        lambda: ev.Pause(leader()),
        lambda: ev.Resume(leader()),
        lambda: ev.Resume(leader()),
        lambda: ev.MutePerson(leader(), some(), None),
        lambda: ev.MutePerson(leader(), some(), lengthy(rng)),
        lambda: ev.UnmutePerson(leader(), some()),
        lambda: ev.MuteAll(leader()),
        lambda: ev.UnmuteAll(leader()),
        lambda: ev.UnmuteAll(leader()),
        lambda: ev.Forgive(leader(), some()),
        lambda: ev.SetLadder(leader(), rng.random() < 0.7),
        lambda: ev.AcknowledgeAlert(leader(), rng.randrange(30)),
        lambda: ev.NetworkLost(some()),
        lambda: ev.NetworkBack(some()),
        lambda: ev.NetworkBack(some()),
        lambda: ev.Left(some()),
    ]
    for _ in range(700):
        room.now += rng.choice([0, 0, 0.02, 0.5, 1, 5, 9, 31, 130])
        event = rng.choice(commands)()
        if isinstance(event, ev.NetworkLost) and event.person in room.people:
            room.lost.add(event.person)
        elif isinstance(event, ev.NetworkBack):
            room.lost.discard(event.person)
        room.do(event)
        if rng.random() < 0.15:
            room.joins(rng.choice(EVERYONE))
        elif rng.random() < 0.15:
            talkers = {some(), holder()}
            room.people_talk(rng.randrange(100), talkers)
        for check in INVARIANTS:
            check(room)
        for person in room.closed()[:1]:
            room.lift(person)


INVARIANTS = (
    Room.everyone_in_the_room_has_a_gate_and_a_state,
    Room.at_most_one_holder_and_only_the_holder_is_heard_outside_open_floor,
    Room.facilitators_are_always_heard,
    Room.each_person_knows_why_they_are_not_heard,
    Room.facilitators_see_why_a_gate_is_closed,
    Room.everyone_gone_is_a_clean_room,
)
