"""What holds whatever people do, in whatever order, at whatever time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from moderation import events as ev
from moderation.effects import (
    Audit,
    CallOnCall,
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
    PrivateText,
)
from moderation.session import Session
from tests.moderation.stage import FORMATS

FACILITATORS = ("f1", "f2")
PARTICIPANTS = ("p1", "p2", "p3", "p4")
EVERYONE = (*FACILITATORS, *PARTICIPANTS)
anyone = st.sampled_from((*EVERYONE, "stranger"))
seconds = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([5, 30.0, 120, 0, -3])
)
SECRET = "secret-text"

commands: st.SearchStrategy[ev.Command] = st.one_of(
    st.builds(ev.RequestFloor, anyone),
    st.builds(ev.CancelRequest, anyone),
    st.builds(ev.ReleaseFloor, anyone),
    st.builds(ev.PassTurn, anyone),
    st.builds(ev.AskHelp, anyone),
    st.builds(ev.RateDistress, anyone, st.one_of(st.none(), st.integers(-2, 12))),
    st.builds(ev.MessageFacilitators, anyone, st.sampled_from([SECRET, "", "x" * 3000])),
)

chair: st.SearchStrategy[ev.Command] = st.one_of(
    st.builds(ev.GrantFloor, anyone, anyone),
    st.builds(ev.RevokeFloor, anyone),
    st.builds(ev.ReorderQueue, anyone, st.lists(anyone, max_size=4).map(tuple)),
    st.builds(ev.SetQueueOrder, anyone, st.sampled_from(["first_come", "quietest_first", "?"])),
    st.builds(ev.ExtendTurn, anyone, seconds),
    st.builds(ev.NextRound, anyone),
    st.builds(ev.Invite, anyone, anyone),
    st.builds(ev.Pause, anyone),
    st.builds(ev.Resume, anyone),
    st.builds(ev.MutePerson, anyone, anyone, st.one_of(st.none(), seconds)),
    st.builds(ev.UnmutePerson, anyone, anyone),
    st.builds(ev.MuteAll, anyone),
    st.builds(ev.UnmuteAll, anyone),
    st.builds(ev.Forgive, anyone, anyone),
    st.builds(ev.SetLadder, anyone, st.booleans()),
    st.builds(ev.AcknowledgeAlert, anyone, st.integers(0, 8)),
    st.builds(ev.MessagePerson, anyone, anyone, st.just(SECRET)),
    st.builds(ev.MessageAmongFacilitators, anyone, st.just(SECRET)),
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
        if isinstance(event, ev.Left):
            for known in (self.people, self.gates, self.own, self.console):
                known.pop(event.person, None)
            self.lost.discard(event.person)
        if not self.people:
            self.floor = None
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

    def reaches_only_whom_it_is_for(self, event: ev.Event, effect: Effect) -> None:
        facilitators = {person for person, role in self.people.items() if role == "facilitator"}
        if isinstance(effect, TellEveryone):
            assert type(effect.state) is FloorState
        elif isinstance(effect, TellPerson):
            assert effect.to in self.people
            assert isinstance(effect.notice, PersonalNotice)
            if isinstance(effect.notice, PrivateText):
                assert isinstance(event, ev.MessagePerson)
                assert effect.to == event.to
                assert self.people[effect.to] == "participant"
        elif isinstance(effect, TellFacilitators):
            assert effect.to
            assert set(effect.to) <= facilitators
            assert not isinstance(effect.notice, PrivateText) or isinstance(
                event, ev.MessageFacilitators | ev.MessageAmongFacilitators
            )
            if isinstance(effect.notice, AlertNotice) and effect.notice.change != "raised":
                assert set(effect.to) == facilitators
        elif isinstance(effect, Refused):
            assert effect.to == getattr(event, "by", None) or effect.code == "room_full"
        elif isinstance(effect, Audit | CallOnCall):
            assert SECRET not in repr(effect)
        if SECRET in repr(effect):
            assert isinstance(effect, TellPerson | TellFacilitators)

    # --- What happens ----------------------------------------------------------------------------

    @rule(person=st.sampled_from(EVERYONE))
    def joins(self, person: str) -> None:
        self.do(ev.Joined(person, "facilitator" if person in FACILITATORS else "participant"))

    @initialize(empty=st.booleans())
    def begins(self, empty: bool) -> None:
        """Most of what can happen needs a facilitator and some people."""
        if not empty:
            self.opens()

    @rule()
    def opens(self) -> None:
        for person in ("f1", "p1", "p2", "p3"):
            self.joins(person)

    @rule(person=st.sampled_from(EVERYONE))
    def leaves(self, person: str) -> None:
        self.do(ev.Left(person))

    @rule(person=st.sampled_from(EVERYONE))
    def loses_network(self, person: str) -> None:
        if person in self.people:
            self.lost.add(person)
        self.do(ev.NetworkLost(person))

    @rule(person=st.sampled_from(EVERYONE))
    def is_back(self, person: str) -> None:
        self.lost.discard(person)
        self.do(ev.NetworkBack(person))

    @rule(command=commands)
    def someone_does(self, command: ev.Command) -> None:
        self.do(command)

    @rule(command=chair, as_facilitator=st.booleans())
    def someone_leads(self, command: ev.Command, as_facilitator: bool) -> None:
        self.do(replace(command, by="f1") if as_facilitator else command)

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
        ticks=st.integers(1, 150),
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
        closed = [
            person
            for person, gate in self.gates.items()
            if not gate.is_open and person not in self.lost
        ]
        if not closed:
            return
        person = data.draw(st.sampled_from(closed))
        copy = Session.restore(self.session.save(), FORMATS)
        copy.handle(ev.Joined("f1", "facilitator"), self.now)
        gate: SetGate = self.gates[person]
        for _ in range(4):
            if gate.reason is None:
                break
            for effect in copy.handle(LIFTS[gate.reason]("f1", person), self.now):
                assert not isinstance(effect, Refused), effect
                if isinstance(effect, SetGate) and effect.person == person:
                    gate = effect
        assert gate.is_open, gate


Room.TestCase.settings = settings(
    max_examples=45,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestInvariants: Any = Room.TestCase
