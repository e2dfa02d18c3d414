"""What live rooms ask of the groups whose sessions meet in them, and what they have recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from server import refusals
from server.accounts import sessions
from server.admission import Entrant
from server.audit.record import SYSTEM
from server.groups import attendance, bans, documents
from server.groups.act import Act, on_record
from server.groups.bans import refuse_banned
from server.groups.entry import may_enter
from server.groups.groups import find_group
from server.groups.standing import standing
from server.storage.database import Storage
from server.storage.models import Document, DocumentKind, Group
from signaling.refusal import Refused

log = structlog.get_logger(__name__)

CHECK_WAIT_S = 10.0
WRITE_WAIT_S = 10.0
TRIES = 3
_ON_RECORD = frozenset(
    {
        "alert_acknowledged",
        "alert_raised",
        "alert_rose_again",
        "alert_withdrawn",
        "floor_revoked",
        "forgiven",
        "format",
        "help_asked",
        "ladder_on",
        "muted",
        "muted_everyone",
        "nudged",
        "paused",
        "phase",
        "resumed",
        "unmuted",
        "unmuted_everyone",
    }
)
"""What of the moderation is put on record; not each turn and each raised hand."""
RETRY_AFTER_S = 1.0
CLOSE_WAIT_S = 5.0
"""For so long, at the end, what is not written yet is waited for."""

Write = Callable[[AsyncSession], Awaitable[None]]


class GroupSessions:
    """Storage, as the live rooms see it.

    Args:
        storage: where groups are.
        now: the clock, aware UTC.
    """

    def __init__(
        self, storage: Storage, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._storage = storage
        self.now = now
        self._stays: dict[Entrant, str] = {}
        """Ids of stays that go on."""
        self._writes: asyncio.Queue[Write] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write; needs a running event loop."""
        self._writer = asyncio.create_task(self._keep_writing(), name="session record")

    async def close(self) -> None:
        """Write what is left; at most `CLOSE_WAIT_S`."""
        if self._writer is None:
            return
        try:
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self._writes.join()
        except TimeoutError:
            log.error("session_record_incomplete", missing=self._writes.qsize() + 1)
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    # --- who may be here -----------------------------------------------------------------------

    async def check_entry(self, entrant: Entrant) -> Entrant:
        """Ask whether someone may come in now. What their token says may be some minutes old.

        Returns:
            the same person, as the group knows now whether they wait.

        Raises:
            Refused: ``may_not_enter`` with the reason in words; ``internal`` if it cannot be told.
        """
        try:
            async with asyncio.timeout(CHECK_WAIT_S), self._storage.snapshot() as session:
                entry = await may_enter(
                    session, entrant.group_id, entrant.starts_at, entrant.person, self.now()
                )
        except refusals.Refused as refused:
            self._refused(entrant, refused.code)
            raise Refused("may_not_enter", refused.message) from None
        except TimeoutError:
            raise _busy() from None
        if entry.role != entrant.group_role:
            self._refused(entrant, "role_changed")
            raise Refused("may_not_enter", _ROLE_CHANGED)
        return replace(
            entrant,
            waits=entry.waits,
            members_wait=entry.members_wait,
            formats=entry.formats,
        )

    async def check_stay(self, entrants: Iterable[Entrant]) -> list[tuple[Entrant, str]]:
        """Who of those in a session must go, and what to tell them.

        Nobody is sent out for what only keeps people from coming in, such as new agreements.
        """
        must_go = []
        async with asyncio.timeout(CHECK_WAIT_S), self._storage.snapshot() as session:
            for entrant in entrants:
                why = await self._why_to_go(session, entrant)
                if why is not None:
                    must_go.append((entrant, why))
        return must_go

    async def keep_signed_in(self, account_ids: Iterable[str]) -> None:
        """Note that these people are here, so that none is logged off when the session ends."""
        async with asyncio.timeout(WRITE_WAIT_S):
            for account_id in account_ids:
                await sessions.seen(self._storage, account_id, self.now())

    async def _why_to_go(self, session: AsyncSession, entrant: Entrant) -> str | None:
        group = await session.get(Group, entrant.group_id)
        if group is None or group.closed_at is not None:
            return "This group has ended."
        try:
            await refuse_banned(session, group.id, entrant.person, self.now())
        except refusals.Refused as refused:
            return refused.message
        stands = await standing(session, group, entrant.starts_at, entrant.person)
        if stands is None:
            return "You are not expected in this session any more."
        return None if stands.role == entrant.group_role else _ROLE_CHANGED

    async def keep_out(self, entrant: Entrant, by: Entrant) -> bool:
        """Ban someone until their session is over.

        Returns:
            whether it is written.
        """
        now = self.now()
        if entrant.closes_at <= now:
            return False
        try:
            async with asyncio.timeout(WRITE_WAIT_S), self._storage.transaction() as session:
                await bans.ban(
                    session,
                    Act(by.person.id, now),
                    entrant.group_id,
                    entrant.person,
                    entrant.closes_at,
                )
        except Exception:
            log.exception("ban_not_kept")
            return False
        return True

    # --- what is shown -------------------------------------------------------------------------

    async def text(self, entrant: Entrant, kind: DocumentKind) -> Document:
        """The present version of one of the texts of someone's group.

        Raises:
            Refused: ``no_such_text``; ``internal`` if it cannot be told.
        """
        try:
            async with asyncio.timeout(CHECK_WAIT_S), self._storage.snapshot() as session:
                group = await find_group(session, entrant.group_id)
                return await documents.find(session, group, kind)
        except refusals.Refused as refused:
            raise Refused("no_such_text", refused.message) from None
        except TimeoutError:
            raise _busy() from None

    # --- what is recorded ----------------------------------------------------------------------

    def came(self, entrant: Entrant) -> None:
        """Someone has a place in the room from now on."""
        act = Act(entrant.person.id, self.now())

        async def write(session: AsyncSession) -> None:
            self._stays[entrant] = await attendance.joined(
                session, act, entrant.group_id, entrant.starts_at, entrant.person
            )

        self._writes.put_nowait(write)

    def went(self, entrant: Entrant) -> None:
        """Someone's place is gone."""
        act = Act(entrant.person.id, self.now())
        stay: str | None = None

        async def write(session: AsyncSession) -> None:
            nonlocal stay
            stay = self._stays.pop(entrant, stay)  # kept here for another try
            if stay is not None:
                await attendance.left(session, act, stay)

        self._writes.put_nowait(write)

    def note(self, action: str, entrant: Entrant, by: Entrant | None = None) -> None:
        """Put on record what was done about someone at the door.

        Args:
            action: such as ``waiting_room.admitted``.
            entrant: about whom.
            by: who did it; None for themselves.
        """
        act = Act((by or entrant).person.id, self.now())

        async def write(session: AsyncSession) -> None:
            on_record(session, act, action, entrant.person.id, entrant.group_id)

        self._writes.put_nowait(write)

    def shown(self, document: Document, by: Entrant) -> None:
        """Put on record that a facilitator shows one of the group's texts to everyone."""
        act = Act(by.person.id, self.now())
        text, kind, version = document.id, document.kind, document.version

        async def write(session: AsyncSession) -> None:
            on_record(
                session, act, "guidelines.shown", text, by.group_id, kind=kind, version=version
            )

        self._writes.put_nowait(write)

    def moderated(
        self, group_id: str, action: str, by: Entrant | None, about: Entrant | None
    ) -> None:
        """Put on record what the moderation did, if it is of lasting interest.

        Args:
            group_id: whose session it is.
            action: as the engine calls it.
            by: who decided it; None for the engine's rules.
            about: whom it is about, if anyone.
        """
        if action not in _ON_RECORD:
            return
        act = Act(SYSTEM if by is None else by.person.id, self.now())
        subject = None if about is None else about.person.id

        async def write(session: AsyncSession) -> None:
            on_record(session, act, f"moderation.{action}", subject, group_id)

        self._writes.put_nowait(write)

    def _refused(self, entrant: Entrant, reason: str) -> None:
        act = Act(entrant.person.id, self.now())

        async def write(session: AsyncSession) -> None:
            on_record(
                session,
                act,
                "session.entered",
                entrant.person.id,
                entrant.group_id,
                outcome="refused",
                reason=reason,
            )

        self._writes.put_nowait(write)

    async def _keep_writing(self) -> None:
        """One after the other, so that nobody leaves before they came."""
        while True:
            write = await self._writes.get()
            try:
                await self._write(write)
            finally:
                self._writes.task_done()

    async def _write(self, write: Write) -> None:
        for attempt in range(TRIES):
            if attempt > 0:
                await asyncio.sleep(RETRY_AFTER_S)
            try:
                async with asyncio.timeout(WRITE_WAIT_S), self._storage.transaction() as session:
                    await write(session)
            except Exception:
                log.exception("session_record_failed", attempt=attempt + 1)
            else:
                return


_ROLE_CHANGED = "Your part in this group has changed; please open the session's page again."


def _busy() -> Refused:
    return Refused("internal", "The server is busy; please try again in a moment.")
