"""All rooms of this server, and the visits of those who are let in."""

from __future__ import annotations

import structlog

from moderation.formats import Formats
from relay import Relay
from server.admission import Admission, Grant, Place, ResumeTokens
from server.room import Member, Page, Room
from server.tasks import Tasks
from signaling.commands import command_of
from signaling.messages import (
    Answer,
    CatchUp,
    Chat,
    Ciphersuite,
    Commit,
    Hello,
    Join,
    Joined,
    Leave,
    Media,
    Message,
    Offer,
    Ok,
    Removed,
    Renew,
    RestartIce,
    Role,
    ShareScreen,
    Welcome,
)
from signaling.namespace import Connection
from signaling.refusal import Refused

log = structlog.get_logger(__name__)


class Rooms:
    """The rooms in use. A room comes with the first who joins and goes some time after the last.

    Args:
        formats: what facilitators may choose from.
        ciphersuite: what the rooms' MLS groups are made with.
        capacity: members per room, 2 to 16.
        max_rooms: rooms at the same time.
        grace_s: for how many seconds a broken connection's place, and an empty room, is kept.
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
    ) -> None:
        self.resume = resume
        self.capacity = capacity
        self.ciphersuite = ciphersuite
        self.rooms: dict[str, Room] = {}
        """By name."""
        self._relay = relay
        self._admission = admission
        self._formats = formats
        self._max_rooms = max_rooms
        self._grace_s = grace_s
        self._tasks = Tasks()

    @property
    def participants(self) -> int:
        return sum(len(room.members) for room in self.rooms.values())

    def greet(self, hello: Hello, connection: Connection) -> Visit:
        place = self.resume.read(hello.room, hello.resume) if hello.resume else None
        try:
            grant = self._admission.admit(hello.room, hello.token)
        except Refused as refused:
            # a link that expires in the middle of a session must throw nobody out of it
            if refused.code != "expired_token" or place is None or not self._has_place(place):
                raise
            grant = Grant(place.role)
        if place is not None and place.role != grant.role:
            place = None
        return Visit(self, hello.room, grant, place, connection)

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
            )
            self.rooms[name] = room
            self._tasks.start(self._close_once_deserted(room), "room")
            log.info("room_opened", rooms=len(self.rooms))
        return room

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


class Visit:
    """What one open page may do; its socket was let in with a valid link."""

    def __init__(
        self, rooms: Rooms, room: str, grant: Grant, place: Place | None, connection: Connection
    ) -> None:
        self._rooms = rooms
        self._room_name = room
        self._grant = grant
        self._place = place
        self._connection = connection
        self._seat: tuple[Room, Member] | None = None

    @property
    def joined(self) -> bool:
        return self._seat is not None

    @property
    def role(self) -> Role:
        return self._grant.role

    def welcome(self) -> Welcome:
        room = self._rooms.rooms.get(self._room_name)
        return Welcome(
            role=self._grant.role,
            capacity=self._rooms.capacity,
            present=0 if room is None else len(room.members),
            ciphersuite=self._rooms.ciphersuite,
        )

    async def handle(self, request: Message) -> Ok:
        if isinstance(request, Join):
            return await self._join(request)
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
            case Commit() | CatchUp() | Renew() | Chat():
                return room.encryption.handle(member.id, request)
            case _:
                command = command_of(request, member.id)
                assert command is not None, "every request is for the room or for its moderator"
                room.moderator.command(command)
        return Ok()

    async def gone(self) -> None:
        if self._seat is not None:
            room, member = self._seat
            self._seat = None
            room.lost(member)

    async def emit(self, event: Message) -> None:
        await self._connection.emit(event)

    async def expel(self, why: Removed) -> None:
        self._seat = self._place = None
        await self._connection.remove(why)

    async def reconnect(self) -> None:
        self._seat = None
        await self._connection.drop()

    async def _join(self, join: Join) -> Joined:
        former_page: Page | None = None
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
            if former is not None and former.id == person:
                member = former
                former_page = room.reenter(self, member, join)
            elif person in room.members:
                raise Refused("identity_taken", "Someone else in the room has the same key.")
            else:
                if former is not None:  # they have lost their key, and are someone new
                    former_page = former.page
                    room.remove(former)
                member = room.enter(self, person, self._grant.role, join, place)
            self._seat = (room, member)
        resume = Place(member.id, room.name, member.slot, member.role)
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
