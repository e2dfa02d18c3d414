"""All rooms of this server, and the visits of those who are let in."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from moderation.formats import Formats
from moderation.words import REFUSALS
from relay import Relay
from server.admission import Admission, Entrant, ExpiredEntry, Grant, Place, ResumeTokens
from server.door import Door
from server.group_sessions import GroupSessions
from server.room import Member, Page, Room
from server.tasks import Tasks
from signaling.commands import command_of
from signaling.messages import (
    Admit,
    Answer,
    CatchUp,
    Chat,
    Ciphersuite,
    Commit,
    Hello,
    Join,
    Joined,
    Knock,
    Leave,
    LetIn,
    Media,
    Message,
    Offer,
    Ok,
    Removed,
    RemovePerson,
    Renew,
    RestartIce,
    Role,
    ShareScreen,
    TurnAway,
    Welcome,
)
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

    def open(self, name: str) -> Room:
        """The room of that name, made if there is none.

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
                formats=self._formats,
                ciphersuite=self.ciphersuite,
                grace_s=self._grace_s,
                tasks=self._tasks,
                on_presence=lambda member, is_in: self._present(name, member, is_in),
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


class Visit:
    """What one open page may do; its socket was let in with a valid link or entry token."""

    def __init__(
        self,
        rooms: Rooms,
        room: str,
        grant: Grant,
        place: Place | None,
        connection: Connection,
        door: Door | None,
    ) -> None:
        self._rooms = rooms
        self._room_name = room
        self._grant = grant
        self._place = place
        self._connection = connection
        self._door = door
        """In rooms of groups; then the grant has its entrant."""
        self._seat: tuple[Room, Member] | None = None
        self._waits = False
        self._gone = False

    @property
    def joined(self) -> bool:
        return self._seat is not None or self._waits

    @property
    def role(self) -> Role:
        return self._grant.role

    def welcome(self) -> Welcome:
        room = self._rooms.rooms.get(self._room_name)
        entrant, door = self._grant.entrant, self._door
        return Welcome(
            role=self._grant.role,
            capacity=self._rooms.capacity,
            present=0 if room is None else len(room.members),
            ciphersuite=self._rooms.ciphersuite,
            name=None if entrant is None else entrant.name,
            waits=entrant is not None and door is not None and door.waiting.must_wait(entrant),
        )

    async def handle(self, request: Message) -> Ok:
        if isinstance(request, Join):
            return await self._join(request)
        if isinstance(request, Knock):
            return await self._knock()
        if isinstance(request, Leave) and self._waits:
            self._stop_waiting()
            return Ok()
        if self._seat is None:
            raise Refused("not_joined", "You are not in the room.")
        room, member = self._seat
        match request:
            case Answer():
                room.answer(member, request.sdp)
            case Media():
                room.set_media(member, request)
            case ShareScreen():
                room.share_screen(member, request.on)
            case RestartIce():
                return Offer(sdp=room.restart_ice(member))
            case Leave():
                self._seat = self._place = None
                room.remove(member)
            case Admit() | TurnAway() | RemovePerson():
                await self._at_the_door(room, member, request)
            case Commit() | CatchUp() | Renew() | Chat():
                return room.encryption.handle(member.id, request)
            case _:
                command = command_of(request, member.id)
                assert command is not None, "every request is for the room or for its moderator"
                room.moderator.command(command)
        return Ok()

    async def _at_the_door(
        self, room: Room, member: Member, request: Admit | TurnAway | RemovePerson
    ) -> None:
        if isinstance(request, RemovePerson):
            other = room.members.get(request.who)
            if other is None:
                raise Refused("no_such_person", REFUSALS["no_such_person"])
            await self._rooms.take_out(room, other, member, keep_out=request.keep_out)
            return
        if self._door is None:
            raise Refused("not_waiting", "Nobody waits in this room.")
        if isinstance(request, Admit):
            action, people = "waiting_room.admitted", await self._door.admit(request.who)
        else:
            turned_away = await self._door.turn_away(request.who, request.message)
            action, people = "waiting_room.turned_away", [turned_away]
        if self._rooms.groups is not None:
            for entrant in people:
                self._rooms.groups.note(action, entrant, member.entrant)

    async def gone(self) -> None:
        self._gone = True
        if self._waits and self._door is not None and self._grant.entrant is not None:
            self._waits = False
            self._door.lost(self._grant.entrant.person, self)
        if self._seat is not None:
            room, member = self._seat
            self._seat = None
            room.lost(member)

    async def emit(self, event: Message) -> None:
        if isinstance(event, LetIn):
            self._waits = False
        await self._connection.emit(event)

    async def expel(self, why: Removed) -> None:
        self._seat = self._place = None
        self._waits = False
        await self._connection.remove(why)

    async def reconnect(self) -> None:
        self._seat = None
        await self._connection.drop()

    async def _knock(self) -> Ok:
        if self._seat is not None:
            raise Refused("already_joined", "You are already in the room.")
        door, groups = self._door, self._rooms.groups
        if door is None:
            await self.emit(LetIn())
            return Ok()
        entrant = await self._check_entry()
        self._waits = True
        try:
            is_new = await door.knock(entrant, self)
        except Refused:
            self._waits = False
            raise
        if is_new and groups is not None:
            groups.note("waiting_room.entered", entrant)
        return Ok()

    def _stop_waiting(self) -> None:
        self._waits = False
        if self._door is not None and self._grant.entrant is not None:
            self._door.left(self._grant.entrant.person, self)

    async def _check_entry(self) -> Entrant:
        """Ask the group once more: the token is some minutes old, or older.

        Raises:
            Refused: ``may_not_enter``; ``not_joined`` if the socket is gone meanwhile.
        """
        entrant, groups = self._grant.entrant, self._rooms.groups
        assert entrant is not None, "there is a door"
        assert groups is not None, "there is a door"
        checked = await groups.check_entry(entrant)
        if self._gone:
            raise Refused("not_joined", "This connection is closed.")
        self._grant = Grant(self._grant.role, checked)
        return checked

    async def _come_in(self, join: Join) -> None:
        """Pass the door, where there is one.

        Raises:
            Refused: ``wrong_name``, ``may_not_enter`` or ``not_let_in``.
        """
        entrant = self._grant.entrant
        if self._door is None or entrant is None:
            return
        if join.name != entrant.name:
            raise Refused("wrong_name", "In this group you are known by another name.")
        # Whoever has a place comes back to it, even though agreements have changed, or it is late.
        if self._theirs() is None:
            entrant = await self._check_entry()
        self._door.came_in(entrant)
        self._waits = False

    def _theirs(self) -> Member | None:
        """The place that this person has in the room, on whatever device."""
        room, entrant = self._rooms.rooms.get(self._room_name), self._grant.entrant
        if room is None or entrant is None:
            return None
        for member in room.members.values():
            if member.entrant is not None and member.entrant.person == entrant.person:
                return member
        return None

    async def _join(self, join: Join) -> Joined:
        former_page: Page | None = None
        if self._seat is None:
            await self._come_in(join)
        if self._seat is not None:
            room, member = self._seat
            # Only a connection that is lost for good can be made anew by joining again.
            if member.peer.state != "gone":
                raise Refused("already_joined", "You are already in the room.")
            if room.encryption.check(join, member.role) != member.id:
                raise Refused("bad_key_package", "Your place in the room has another key.")
            room.reenter(self, member, join)
        else:
            room = self._rooms.open(self._room_name)
            person = room.encryption.check(join, self._grant.role)
            place = self._place
            former = room.members.get(place.participant_id) if place else None
            former = former or self._theirs()
            if former is not None and former.id == person:
                member = former
                former_page = room.reenter(self, member, join)
            elif person in room.members:
                raise Refused("identity_taken", "Someone else in the room has the same key.")
            else:
                if former is not None:
                    # They have lost their key, or come on another device, and are someone new.
                    former_page = former.page
                    room.remove(former)
                member = room.enter(
                    self, person, self._grant.role, join, place, self._grant.entrant
                )
            self._seat = (room, member)
        if self._door is not None and member.role == "facilitator":
            self._door.note_change()  # this page does not know yet who waits
        resume = Place(
            member.id,
            room.name,
            member.slot,
            member.role,
            None if member.entrant is None else member.entrant.person.id,
        )
        joined = Joined(
            sdp=room.offer(member),
            id=member.id,
            resume=self._rooms.resume.issue(resume),
            roster=room.roster(),
            formats=room.moderator.formats(),
            group=room.encryption.join(member.id, member.role, join.key_package, join.position),
        )
        # Last, as it may wait: until here nothing comes between, so each place has one page.
        if former_page is not None:
            await former_page.expel(
                Removed(
                    code="joined_elsewhere",
                    message="You have joined this room in another tab or on another device.",
                )
            )
        return joined
