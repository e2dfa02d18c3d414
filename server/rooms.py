"""All rooms of this server: who is let in to which, and who has to go."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

import structlog

from moderation.formats import Formats
from relay import Relay
from server.admission import Admission, Entrant, ExpiredEntry, Grant, Place, ResumeTokens
from server.door import Door
from server.group_sessions import GroupSessions
from server.groups.templates import filled, load_templates, shipped_guidelines
from server.room import Member, Page, Room
from server.tasks import Tasks
from server.visit import Visit
from signaling.messages import Ciphersuite, Hello, Removed
from signaling.namespace import Connection
from signaling.refusal import Refused

log = structlog.get_logger(__name__)

REVIEW_S = 30.0
"""How often it is asked who of those in sessions of groups must go: whoever is banned, is no
member any more or has another role now. `Rooms.review` does it at once."""

TAKEN_OUT = Removed(
    code="taken_out",
    message="The facilitator has taken you out of the room for now. If you would like to, you can "
    "ask to be let in again.",
)
TAKEN_OUT_OF_LINK = Removed(
    code="taken_out", message="The facilitator has taken you out of the room for now."
)
KEPT_OUT = Removed(
    code="kept_out",
    message="The facilitator has ended this session for you. If you would like to talk about it, "
    "please get in touch with them.",
)


class Rooms:
    """The rooms in use. A room comes with the first who joins and goes some time after the last.

    Args:
        formats: what facilitators may choose from.
        ciphersuite: what the rooms' MLS groups are made with.
        capacity: members per room, 2 to 16.
        max_rooms: rooms at the same time.
        grace_s: for how many seconds a broken connection's place, and an empty room, is kept.
        groups: whose sessions meet here; without, there are only rooms with links.
    """

    def __init__(
        self,
        *,
        relay: Relay,
        admission: Admission,
        resume: ResumeTokens,
        formats: Formats,
        ciphersuite: Ciphersuite,
        capacity: int,
        max_rooms: int,
        grace_s: float,
        groups: GroupSessions | None = None,
    ) -> None:
        self.resume = resume
        self.groups = groups
        self.capacity = capacity
        self.ciphersuite = ciphersuite
        self.rooms: dict[str, Room] = {}
        """By name."""
        self.doors: dict[str, Door] = {}
        """Of the sessions of groups, by the name of their room."""
        self._relay = relay
        self._admission = admission
        self._formats = formats
        self._max_rooms = max_rooms
        self._grace_s = grace_s
        self.guidelines = filled(
            load_templates(shipped_guidelines())["guidelines"],
            group="this group",
            clinic="our practice",
        )
        """What facilitators can show in rooms with links."""
        self._tasks = Tasks()
        self._reviewer: asyncio.Task[None] | None = None

    @property
    def participants(self) -> int:
        return sum(len(room.members) for room in self.rooms.values())

    def has_account(self, account_id: str) -> bool:
        """Whether someone with this account is in a session now, or waits to be let in."""
        return account_id in self._accounts()

    def _accounts(self) -> set[str]:
        inside = (
            member.entrant
            for room in self.rooms.values()
            for member in room.members.values()
            if member.entrant is not None
        )
        waiting = (wait.entrant for door in self.doors.values() for wait in door.waiting.people)
        people = {entrant.person.account_id for entrant in (*inside, *waiting)}
        return {account_id for account_id in people if account_id is not None}

    def greet(self, hello: Hello, connection: Connection) -> Visit:
        place = self.resume.read(hello.room, hello.resume) if hello.resume else None
        try:
            grant = self._admission.admit(hello.room, hello.token)
        except ExpiredEntry as expired:
            # Those who were here, or wait; before they join or knock it is asked anew.
            grant = expired.grant
            if not self._is_known(hello.room, grant, place):
                raise
        except Refused as refused:
            # a link that expires in the middle of a session must throw nobody out of it
            if refused.code != "expired_token" or place is None or not self._has_place(place):
                raise
            grant = Grant(place.role)
        entrant = grant.entrant
        person = None if entrant is None else entrant.person.id
        if place is not None and (place.role != grant.role or place.person != person):
            place = None
        door = None
        if entrant is not None:
            if self.groups is None:
                raise Refused("wrong_room", "No groups meet on this server.")
            door = self._door(hello.room, entrant, self.groups)
            if place is not None:
                door.waiting.was_inside(entrant.person)
        return Visit(self, hello.room, grant, place, connection, door)

    def _is_known(self, room: str, grant: Grant, place: Place | None) -> bool:
        assert grant.entrant is not None
        person = grant.entrant.person
        if place is not None and place.person == person.id:
            return True
        return room in self.doors and self.doors[room].waiting.knows(person)

    def _door(self, name: str, entrant: Entrant, groups: GroupSessions) -> Door:
        door = self.doors.get(name)
        if door is None:
            self._forget_doors(groups.now())
            door = Door(entrant.closes_at, lambda: self._facilitators(name), self._tasks)
            self.doors[name] = door
            if self._reviewer is None:
                self._reviewer = self._tasks.start(self._keep_reviewing(), "review")
        return door

    def _forget_doors(self, now: datetime) -> None:
        for name, door in list(self.doors.items()):
            if door.closes_at <= now and name not in self.rooms and not door.waiting.people:
                door.close()
                del self.doors[name]

    def _facilitators(self, name: str) -> list[Page]:
        room = self.rooms.get(name)
        members = [] if room is None else room.members.values()
        return [one.page for one in members if one.role == "facilitator" and one.page is not None]

    def _has_place(self, place: Place) -> bool:
        room = self.rooms.get(place.room)
        return room is not None and place.participant_id in room.members

    def open(self, name: str, entrant: Entrant | None) -> Room:
        """The room of that name, made if there is none.

        Args:
            name: of the room.
            entrant: who comes, in rooms of groups.

        Raises:
            Refused: ``server_full`` if the server has as many rooms as it may.
        """
        room = self.rooms.get(name)
        if room is None:
            if len(self.rooms) >= self._max_rooms:
                raise Refused("server_full", "This server has as many rooms open as it can carry.")
            room = Room(
                name,
                capacity=self.capacity,
                relay=self._relay,
                formats=self._formats.chosen(entrant.formats) if entrant else self._formats,
                ciphersuite=self.ciphersuite,
                admission="facilitator" if entrant and entrant.members_wait else "open",
                grace_s=self._grace_s,
                tasks=self._tasks,
                on_presence=lambda member, is_in: self._present(name, member, is_in),
                on_moderated=partial(self._moderated, entrant),
            )
            self.rooms[name] = room
            self._tasks.start(self._close_once_deserted(room), "room")
            log.info("room_opened", rooms=len(self.rooms))
        return room

    def _present(self, name: str, member: Member, is_in: bool) -> None:
        if member.entrant is not None and self.groups is not None:
            (self.groups.came if is_in else self.groups.went)(member.entrant)
        if name in self.doors and member.role == "facilitator":
            self.doors[name].note_change()

    def _moderated(
        self, opener: Entrant | None, action: str, by: Entrant | None, about: Entrant | None
    ) -> None:
        if opener is not None and self.groups is not None:
            self.groups.moderated(opener.group_id, action, by, about)

    # --- who has to go -------------------------------------------------------------------------

    async def take_out(self, room: Room, member: Member, by: Member, *, keep_out: bool) -> None:
        """Take a participant out of the room at once, as a facilitator decides.

        Args:
            room: where they are.
            member: whom.
            by: who decides it.
            keep_out: whether they cannot come back in this session.

        Raises:
            Refused: ``not_participant``; ``cannot_keep_out`` for who came by a link.
        """
        if member.role != "participant":
            raise Refused("not_participant", "A facilitator cannot be removed here.")
        entrant = member.entrant
        if entrant is None or self.groups is None:
            if keep_out:
                raise Refused(
                    "cannot_keep_out",
                    "This person came by a link that others have, too, and could come back by "
                    "it. You can remove them for now.",
                )
            await _remove(room, member, TAKEN_OUT_OF_LINK)
            return
        door = self._door(room.name, entrant, self.groups)
        # In the same turn of the event loop: they cannot come in again in between.
        door.waiting.send_out(entrant.person, keep_out=keep_out)
        await _remove(room, member, KEPT_OUT if keep_out else TAKEN_OUT)
        if by.entrant is not None:
            self.groups.note("session.removed", entrant, by.entrant)
            if keep_out and await self.groups.keep_out(entrant, by.entrant):
                door.waiting.leave_to_ban(entrant.person)

    async def review(self, group_id: str | None = None) -> None:
        """Send out whoever may not be in a session any more.

        Args:
            group_id: of which group; None for all.
        """
        if self.groups is None:
            return
        for name, door in list(self.doors.items()):
            room = self.rooms.get(name)
            members = [] if room is None else list(room.members.values())
            here = [one.entrant for one in members if one.entrant is not None]
            here += [wait.entrant for wait in door.waiting.people]
            here = [one for one in here if group_id in (None, one.group_id)]
            for entrant, reason in await self.groups.check_stay(here) if here else []:
                why = Removed(code="kept_out", message=reason)
                self.groups.note("session.removed", entrant)
                await door.send_out(entrant.person, why)
                for member in members:
                    if room is not None and member.entrant == entrant:
                        await _remove(room, member, why)

    def review_soon(self, group_id: str) -> None:
        """As `review`, without waiting for it: whoever may come into the group has changed."""
        self._tasks.start(self.review(group_id), "review")

    async def _keep_reviewing(self) -> None:
        while True:
            await asyncio.sleep(REVIEW_S)
            try:
                await self.review()
                if self.groups is not None:
                    await self.groups.keep_signed_in(self._accounts())
            except Exception:  # it is tried again
                log.exception("review_failed")

    async def close(self) -> None:
        """Remove everyone and end all timers."""
        for room in self.rooms.values():
            room.close()
        self.rooms.clear()
        await self._tasks.close()

    async def _close_once_deserted(self, room: Room) -> None:
        await room.wait_until_deserted()
        del self.rooms[room.name]
        room.close()
        log.info("room_closed", rooms=len(self.rooms))


async def _remove(room: Room, member: Member, why: Removed) -> None:
    page = member.page
    room.remove(member)
    if page is not None:
        await page.expel(why)
