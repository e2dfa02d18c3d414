"""A room at work on one event: its rules, its state, the time, and the effects gathered so far."""

from __future__ import annotations

from moderation.effects import (
    Audit,
    Effect,
    TellFacilitators,
    TellPerson,
)
from moderation.formats import Format, Formats
from moderation.listening import Listening
from moderation.notices import AlertKind, FacilitatorNotice, PersonalNotice, Scalar, Severity
from moderation.people import Person
from moderation.state import RoomState
from moderation.words import RefusalCode


class RefusalError(Exception):
    """Raised inside the engine by a command that may not be carried out, before it changed
    anything; becomes a ``Refused`` effect and never leaves the engine."""

    def __init__(self, code: RefusalCode) -> None:
        super().__init__(code)
        self.code: RefusalCode = code


class Room:
    """What the rules work on."""

    def __init__(self, formats: Formats, state: RoomState) -> None:
        self.formats = formats
        self.state = state
        self.listening = Listening(self.format.overlap)
        self.now = state.time
        self.effects: list[Effect] = []
        self.newcomers: list[str] = []
        """Who came in or came back in this event, and is told everything afresh."""
        self.people_changed = False
        """Facilitators are to see people's state at the end of this event."""

    @property
    def format(self) -> Format:
        return self.formats[self.state.floor.format]

    @property
    def frozen(self) -> bool:
        """Whether the floor goes to nobody by itself: in a pause, and while everyone is muted."""
        return self.state.paused or self.state.all_muted

    def person(self, person: str) -> Person:
        found = self.state.people.get(person)
        if found is None:
            raise RefusalError("no_such_person")
        return found

    def facilitators(self) -> tuple[str, ...]:
        return tuple(person.id for person in self.state.people.values() if person.facilitates)

    def participants(self) -> list[Person]:
        return [person for person in self.state.people.values() if not person.facilitates]

    def tell(self, to: str, notice: PersonalNotice) -> None:
        """Tell one person, if they are still in the room."""
        if to in self.state.people:
            self.effects.append(TellPerson(to, notice))

    def tell_facilitators(self, notice: FacilitatorNotice) -> None:
        if to := self.facilitators():
            self.effects.append(TellFacilitators(to, notice))

    def alert(
        self,
        kind: AlertKind,
        severity: Severity,
        about: str | None,
        evidence: dict[str, Scalar],
    ) -> None:
        self.state.alerts.report(kind, severity, about, evidence, self.now, self.format.alerts)

    def audit(
        self, action: str, by: str | None, about: str | None = None, **detail: Scalar
    ) -> None:
        self.effects.append(Audit(action, by, about, detail))
