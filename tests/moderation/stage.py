"""A session on a driven clock, and everything that it told anyone."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

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
from moderation.formats import Formats, Phase
from moderation.notices import AlertNotice, AlertView, FloorState, OwnState, PeopleState, PersonView
from moderation.session import Session

FOLDER = Path(__file__).parents[2] / "config" / "formats"

TOML: dict[str, dict[str, Any]] = {
    path.stem: tomllib.loads(path.read_text()) for path in sorted(FOLDER.glob("*.toml"))
}

FORMATS = Formats.parse(TOML)

FRAME_S = 0.02

_N = TypeVar("_N")


def formats_with(name: str, section: str, **values: object) -> Formats:
    """The shipped formats, with some values of one section changed."""
    mappings = {key: dict(mapping) for key, mapping in TOML.items()}
    mappings[name][section] = {**mappings[name].get(section, {}), **values}
    return Formats.parse(mappings)


class Stage:
    """Hands events to a session; remembers gates, states and every effect with its time."""

    def __init__(self, formats: Formats = FORMATS, phase: Phase = "lobby") -> None:
        self.formats = formats
        self.session = Session(formats, phase)
        self.now = 1000.0
        self.log: list[tuple[float, Effect]] = []
        self.last: list[Effect] = []
        self.gates: dict[str, SetGate] = {}
        self.own: dict[str, OwnState] = {}
        self._floor: FloorState | None = None
        self._people: PeopleState | None = None

    # --- Doing -----------------------------------------------------------------------------------

    def do(self, event: ev.Event) -> list[Effect]:
        self.last = self.session.handle(event, self.now)
        for effect in self.last:
            self.log.append((self.now, effect))
            if isinstance(effect, SetGate):
                self.gates[effect.person] = effect
            elif isinstance(effect, TellEveryone):
                self._floor = effect.state
            elif isinstance(effect, TellPerson) and isinstance(effect.notice, OwnState):
                self.own[effect.to] = effect.notice
            elif isinstance(effect, TellFacilitators) and isinstance(effect.notice, PeopleState):
                self._people = effect.notice
        return self.last

    def join(self, *people: str) -> None:
        """Ids that begin with f are facilitators."""
        for person in people:
            self.do(ev.Joined(person, "facilitator" if person.startswith("f") else "participant"))

    def wait(self, seconds: float, step: float = 0.5) -> list[Effect]:
        """Nothing but time passes."""
        end = self.now + seconds
        effects: list[Effect] = []
        while self.now < end - 1e-9:
            self.now = min(self.now + step, end)
            effects += self.do(ev.Tick())
        return effects

    def talk(self, seconds: float, *talkers: str, silent: Iterable[str] = ()) -> list[Effect]:
        """These people talk and the silent ones send the noise of their rooms, frame by frame."""
        frames: dict[str, tuple[int, bool]] = dict.fromkeys(silent, (75, False))
        frames |= dict.fromkeys(talkers, (25, True))
        effects: list[Effect] = []
        for _ in range(round(seconds / FRAME_S)):
            effects += self.do(ev.VoiceFrames(frames))
            self.now = round(self.now + FRAME_S, 6)
        return effects

    def restore(self) -> None:
        """Save, and go on with what was restored from that."""
        self.session = Session.restore(self.session.save(), self.formats)

    # --- Looking ---------------------------------------------------------------------------------

    @property
    def floor(self) -> FloorState:
        assert self._floor is not None
        return self._floor

    @property
    def people(self) -> PeopleState:
        assert self._people is not None
        return self._people

    def view(self, person: str) -> PersonView:
        """As facilitators last saw them."""
        return next(view for view in self.people.people if view.id == person)

    def heard(self) -> set[str]:
        """Whose gates are open."""
        return {person for person, gate in self.gates.items() if gate.is_open}

    def refusal(self) -> str | None:
        """Code of the refusal of the last event."""
        codes = [effect.code for effect in self.last if isinstance(effect, Refused)]
        assert len(codes) <= 1
        return codes[0] if codes else None

    def audits(self, action: str) -> list[Audit]:
        effects = [effect for _, effect in self.log]
        return [item for item in effects if isinstance(item, Audit) and item.action == action]

    def alerts(self, kind: str | None = None) -> list[AlertNotice]:
        """All alert notices told so far."""
        return [
            notice
            for notice in of(AlertNotice, self.effects())
            if kind in (None, notice.alert.kind)
        ]

    def calls(self) -> list[AlertView]:
        return [effect.alert for effect in self.effects() if isinstance(effect, CallOnCall)]

    def effects(self) -> list[Effect]:
        return [effect for _, effect in self.log]


def of(kind: type[_N], effects: list[Effect], to: str | None = None) -> list[_N]:
    """The notices of one kind among effects, if wished only those to one person."""
    found: list[_N] = []
    for effect in effects:
        if isinstance(effect, TellPerson | TellFacilitators):
            people = (effect.to,) if isinstance(effect, TellPerson) else effect.to
            if isinstance(effect.notice, kind) and (to is None or to in people):
                found.append(effect.notice)
    return found
