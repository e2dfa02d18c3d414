"""Where the waiting room of a session meets the pages: of those who wait, and of facilitators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import structlog

from server.admission import Entrant
from server.groups.persons import Person
from server.room import Page
from server.tasks import Tasks
from server.waiting_room import Wait, WaitingRoom
from signaling.messages import InWaitingRoom, LetIn, Message, Removed, WaitingPerson
from signaling.messages import WaitingRoom as WhoWaits

log = structlog.get_logger(__name__)

NEWS_INTERVAL_S = 0.05
"""What changes is told at most this often."""

SOON = "The facilitator will let you in soon."
LATER = "The facilitator is not here yet. They will let you in when they come."


@dataclass(slots=True)
class _Visitor:
    page: Page
    told: bool | None = None
    """What their page was told last of whether a facilitator is there."""


class Door:
    """The door of one session's room; it outlasts the room over a break.

    Args:
        closes_at: when nobody can enter the session any more, UTC.
        facilitators: gives the pages of the facilitators in the room now.
        tasks: owns its clock.
    """

    def __init__(
        self, closes_at: datetime, facilitators: Callable[[], list[Page]], tasks: Tasks
    ) -> None:
        self.closes_at = closes_at
        self.waiting = WaitingRoom()
        self._facilitators = facilitators
        self._visitors: dict[Person, _Visitor] = {}
        self._changed = asyncio.Event()
        self._task = tasks.start(self._keep_time(), "door")

    def close(self) -> None:
        self._task.cancel()

    def note_change(self) -> None:
        """A facilitator came or went, or someone at the door did: tell whom it concerns."""
        self._changed.set()

    # --- who wait ------------------------------------------------------------------------------

    async def knock(self, entrant: Entrant, mls_id: str, page: Page) -> bool:
        """Someone asks to be let in, whose page will join with the key of this id.

        Returns:
            whether they wait from now on, and did not before.

        Raises:
            Refused: ``may_not_enter`` for who is kept out.
        """
        person = entrant.person
        was_waiting = any(wait.entrant.person == person for wait in self.waiting.people)
        wait = self.waiting.knock(entrant, mls_id, _now())
        former = self._visitors.pop(person, None)
        if wait is not None:
            self._visitors[person] = _Visitor(page)
        self.note_change()
        if former is not None and former.page is not page:
            await former.page.expel(
                Removed(
                    code="joined_elsewhere",
                    message="You are waiting in another tab or on another device.",
                )
            )
        if wait is None:
            await page.emit(LetIn())
        return wait is not None and not was_waiting

    def lost(self, person: Person, page: Page) -> None:
        """The socket of someone who waits is gone."""
        if self._take(person, page):
            self.waiting.lost(person, _now())

    def left(self, person: Person, page: Page) -> None:
        """Someone who waits does so no more."""
        if self._take(person, page):
            self.waiting.left(person)

    def _take(self, person: Person, page: Page) -> bool:
        visitor = self._visitors.get(person)
        if visitor is None or visitor.page is not page:  # they wait on another page by now
            return False
        del self._visitors[person]
        self.note_change()
        return True

    def came_in(self, entrant: Entrant) -> None:
        """Someone joins.

        Raises:
            Refused: as `WaitingRoom.came_in`.
        """
        self.waiting.came_in(entrant)
        self._visitors.pop(entrant.person, None)
        self.note_change()

    # --- as facilitators decide ----------------------------------------------------------------

    async def admit(self, ids: Collection[str]) -> list[Entrant]:
        """Let people in.

        Raises:
            Refused: ``not_waiting`` if nobody of them waits.
        """
        admitted = self.waiting.admit(ids)
        self.note_change()
        for wait in admitted:
            # Whoever is away at the moment need not knock when they are back.
            visitor = self._visitors.pop(wait.entrant.person, None)
            if visitor is not None:
                await _send(visitor.page, LetIn())
        return [wait.entrant for wait in admitted]

    async def turn_away(self, wait_id: str, message: str) -> Entrant:
        """Do not let someone in now.

        Raises:
            Refused: ``not_waiting``.
        """
        wait = self.waiting.turn_away(wait_id)
        await self._dismiss(wait.entrant.person, Removed(code="turned_away", message=message))
        return wait.entrant

    async def send_out(self, person: Person, why: Removed) -> None:
        """Someone is not let in any more, and does not wait here."""
        self.waiting.send_out(person, keep_out=False)
        await self._dismiss(person, why)

    async def _dismiss(self, person: Person, why: Removed) -> None:
        self.note_change()
        visitor = self._visitors.pop(person, None)
        if visitor is not None:
            await visitor.page.expel(why)

    # --- what is told --------------------------------------------------------------------------

    async def _keep_time(self) -> None:
        while True:
            deadline = self.waiting.deadline
            try:
                async with asyncio.timeout(None if deadline is None else deadline - _now()):
                    await self._changed.wait()
            except TimeoutError:
                self.waiting.tick(_now())
            self._changed.clear()
            await self._tell()
            await asyncio.sleep(NEWS_INTERVAL_S)

    async def _tell(self) -> None:
        facilitators = self._facilitators()
        news = WhoWaits(people=[_seen(wait, _now()) for wait in self.waiting.people])
        for page in facilitators:
            await _send(page, news)
        attended = bool(facilitators)
        for visitor in list(self._visitors.values()):
            if visitor.told != attended:
                visitor.told = attended
                text = SOON if attended else LATER
                await _send(visitor.page, InWaitingRoom(attended=attended, text=text))


def _seen(wait: Wait, now: float) -> WaitingPerson:
    entrant = wait.entrant
    return WaitingPerson(
        id=wait.id,
        person=entrant.key,
        mls_id=wait.mls_id,
        name=entrant.name,
        pronouns=entrant.pronouns,
        role=entrant.role,
        kind=entrant.kind,
        waited_ms=max(0, round((now - wait.since) * 1000)),
        away=wait.away_since is not None,
        # `may_enter` was asked when they knocked, and lets nobody through otherwise.
        signed=True,
        confirmed=True,
    )


async def _send(page: Page, message: Message) -> None:
    """A page that cannot be told does not keep the others from being told."""
    try:
        await page.emit(message)
    except Exception:
        log.exception("page_not_told", event_name=type(message).__name__)


def _now() -> float:
    return asyncio.get_running_loop().time()
