"""Who waits before a session, who was let in, and who is kept out: pure, and without a clock."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from secrets import token_urlsafe

from server.admission import Entrant
from server.groups.persons import Person
from signaling.refusal import Refused

AWAY_S = 20.0
"""For so many seconds someone who waits and loses the connection keeps their place."""

KEPT_OUT = (
    "You cannot come back into this session. If you would like to talk about it, please get in "
    "touch with the group's facilitator."
)


@dataclass(frozen=True, slots=True)
class Wait:
    """Someone who waits.

    Args:
        id: made up for this wait, so that nobody's account can be told from it.
        entrant: who.
        mls_id: of the key that their page will join with.
        since: when they came, in s.
        away_since: when their connection was lost, in s; None while it is there.
    """

    id: str
    entrant: Entrant
    mls_id: str
    since: float
    away_since: float | None = None


class WaitingRoom:
    """The waiting room of one session.

    People are told apart by who they are, not by page: whoever was let in stays so, on any
    device and over a break in which everyone is gone, unless they are sent out.
    Times are of one steady clock, in s.
    """

    def __init__(self) -> None:
        self._waiting: dict[Person, Wait] = {}
        self._let_in: set[Person] = set()
        self._sent_out: set[Person] = set()
        """Those who have to be let in again, also where nobody else waits."""
        self._kept_out: set[Person] = set()
        self._known: set[Person] = set()

    @property
    def people(self) -> list[Wait]:
        """Who waits, the longest first."""
        return list(self._waiting.values())

    def knows(self, person: Person) -> bool:
        """Whether they have knocked in this session, or came in."""
        return person in self._known

    def must_wait(self, entrant: Entrant) -> bool:
        """Whether a facilitator has to let them in first."""
        person = entrant.person
        if person in self._sent_out or person in self._kept_out:
            return True
        return entrant.waits and person not in self._let_in

    def knock(self, entrant: Entrant, mls_id: str, now: float) -> Wait | None:
        """Someone asks to be let in, for the first time or again, perhaps with another key.

        Returns:
            their wait; None if they need not wait.

        Raises:
            Refused: ``may_not_enter`` for who is kept out.
        """
        person = entrant.person
        if person in self._kept_out:
            raise Refused("may_not_enter", KEPT_OUT)
        self._known.add(person)
        if not self.must_wait(entrant):
            self._waiting.pop(person, None)
            return None
        before = self._waiting.get(person)
        if before is None:
            wait = Wait(token_urlsafe(9), entrant, mls_id, now)
        else:
            wait = replace(before, entrant=entrant, mls_id=mls_id, away_since=None)
        self._waiting[person] = wait
        return wait

    def was_inside(self, person: Person) -> None:
        """Someone proves that they were in this session before, such as before a restart."""
        self._known.add(person)
        if person not in self._sent_out and person not in self._kept_out:
            self._let_in.add(person)

    def came_in(self, entrant: Entrant) -> None:
        """Someone joined.

        Raises:
            Refused: ``may_not_enter`` for who is kept out, ``not_let_in`` for who has to wait.
        """
        if entrant.person in self._kept_out:
            raise Refused("may_not_enter", KEPT_OUT)
        if self.must_wait(entrant):
            raise Refused("not_let_in", "A facilitator has to let you in first.")
        self._known.add(entrant.person)
        self._waiting.pop(entrant.person, None)

    def lost(self, person: Person, now: float) -> None:
        """The connection of someone who waits is gone."""
        wait = self._waiting.get(person)
        if wait is not None and wait.away_since is None:
            self._waiting[person] = replace(wait, away_since=now)

    def left(self, person: Person) -> None:
        """Someone does not wait any more."""
        self._waiting.pop(person, None)

    @property
    def deadline(self) -> float | None:
        """When `tick` is due next, in s."""
        times = [wait.away_since for wait in self._waiting.values() if wait.away_since is not None]
        return min(times) + AWAY_S if times else None

    def tick(self, now: float) -> None:
        """Give up on those who were away for too long."""
        for person, wait in list(self._waiting.items()):
            if wait.away_since is not None and now >= wait.away_since + AWAY_S:
                del self._waiting[person]

    def admit(self, ids: Collection[str]) -> list[Wait]:
        """Let people in. Who does not wait any more is passed over.

        Raises:
            Refused: ``not_waiting`` if nobody of them waits.
        """
        admitted = [wait for wait in self._waiting.values() if wait.id in ids]
        if not admitted:
            raise _not_waiting()
        for wait in admitted:
            person = wait.entrant.person
            del self._waiting[person]
            self._sent_out.discard(person)
            self._let_in.add(person)
        return admitted

    def turn_away(self, wait_id: str) -> Wait:
        """Do not let someone in now; they may knock again.

        Raises:
            Refused: ``not_waiting``.
        """
        for person, wait in self._waiting.items():
            if wait.id == wait_id:
                del self._waiting[person]
                return wait
        raise _not_waiting()

    def send_out(self, person: Person, *, keep_out: bool) -> None:
        """Someone is not let in any more: until a facilitator does it again, or not at all."""
        self._waiting.pop(person, None)
        self._let_in.discard(person)
        self._sent_out.add(person)
        if keep_out:
            self._kept_out.add(person)

    def leave_to_ban(self, person: Person) -> None:
        """A ban keeps them out from now on, so that whoever lifts it lets them knock again."""
        self._kept_out.discard(person)


def _not_waiting() -> Refused:
    return Refused("not_waiting", "They are not waiting any more.")
