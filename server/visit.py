"""What one open page may do: knock, come in, and what it asks in the room until it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from moderation.words import REFUSALS
from server.admission import Entrant, Grant, Place
from server.api.group_session_page import session_key
from server.door import Door
from server.groups.templates import TITLES
from server.room import Member, Page, Room
from signaling.commands import command_of
from signaling.messages import (
    Admit,
    Answer,
    CatchUp,
    Chat,
    Commit,
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
    SessionName,
    ShareScreen,
    ShownDocument,
    ShowText,
    TurnAway,
    Welcome,
)
from signaling.namespace import Connection
from signaling.refusal import Refused

if TYPE_CHECKING:
    from server.rooms import Rooms


class Visit:
    """One open page, whose socket was let in with a valid link or entry token."""

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
            session=None
            if entrant is None or entrant.role != "facilitator"
            else SessionName(group=entrant.group_id, key=session_key(entrant.starts_at)),
        )

    async def handle(self, request: Message) -> Ok:
        if isinstance(request, Join):
            return await self._join(request)
        if isinstance(request, Knock):
            return await self._knock(request)
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
            case ShowText():
                await self._show(room, member, request)
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

    async def _show(self, room: Room, member: Member, request: ShowText) -> None:
        entrant, groups, kind = member.entrant, self._rooms.groups, request.kind
        if kind is None:
            room.show(None)
            return
        if entrant is None or groups is None:
            if kind != "guidelines":
                raise Refused("no_such_text", "This room has the guidelines alone.")
            text, version = self._rooms.guidelines, None
        else:
            document = await groups.text(entrant, kind)
            if self._seat != (room, member):
                raise Refused("not_joined", "You are not in the room any more.")
            groups.shown(document, entrant)
            text, version = document.text, document.version
        room.show(
            ShownDocument(kind=kind, title=TITLES[kind], version=version, text=text, by=member.name)
        )

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

    async def _knock(self, knock: Knock) -> Ok:
        if self._seat is not None:
            raise Refused("already_joined", "You are already in the room.")
        door, groups = self._door, self._rooms.groups
        if door is None:
            await self.emit(LetIn())
            return Ok()
        entrant = await self._check_entry()
        self._waits = True
        try:
            is_new = await door.knock(entrant, knock.mls_id, self)
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
            room = self._rooms.open(self._room_name, self._grant.entrant)
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
