"""One live room: who is in it, and who hears and sees whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from secrets import randbits, token_urlsafe
from time import time
from typing import Protocol

import structlog

from moderation.formats import Formats
from relay import Fingerprint, Peer, PeerState, Relay, RemoteParameters, SourceSsrcs
from server.admission import Entrant, Place
from server.encryption import Encryption
from server.moderator import Moderator
from server.tasks import Tasks
from signaling.delivery import Admission
from signaling.messages import (
    Ciphersuite,
    Connection,
    Join,
    Media,
    Message,
    Participant,
    Removed,
    Role,
    Roster,
    ShownDocument,
    ShownText,
)
from signaling.refusal import Refused
from signaling.sdp import (
    SCREEN_MID,
    SOURCE_MIDS,
    Offer,
    Ssrcs,
    audio_mid,
    parse_answer,
    slot_mids,
    stream_of,
    video_mid,
)

log = structlog.get_logger(__name__)

ROSTER_INTERVAL_S = 0.05
"""Rosters go out at most this often, however fast things change."""


class Page(Protocol):
    """The browser page of a member, as long as its socket is open."""

    async def emit(self, event: Message) -> None: ...

    async def expel(self, why: Removed) -> None:
        """The page lost its place for good."""

    async def reconnect(self) -> None:
        """The page lost its place, but should come back."""


@dataclass(eq=False)
class Member:
    """Someone who has a place in the room."""

    id: str
    role: Role
    slot: int
    name: str
    mic: bool
    camera: bool
    peer: Peer
    page: Page | None
    """None while the socket is lost."""
    entrant: Entrant | None = None
    """Who they are, in rooms of groups."""
    screen: bool = False
    may_speak: bool = False
    """Whether the moderator lets their voice through."""
    heard_at: float = 0.0
    """Time of the audio level last read, in s on the relay's clock."""
    grace: asyncio.Task[None] | None = None
    session_id: int = field(default_factory=lambda: randbits(62))
    offers: int = 0
    awaits_answer: bool = False
    whole_frames: bool = True
    """False once their answer shows that they cannot take video that is sealed whole."""

    @property
    def connection(self) -> Connection:
        if self.page is None or self.peer.state == "gone":
            return "reconnecting"
        return "connected" if self.peer.state == "connected" else "connecting"

    def seen(self) -> Participant:
        """This member as everyone in the room may see them."""
        return Participant(
            id=self.id,
            name=self.name,
            role=self.role,
            slot=self.slot,
            mic=self.mic,
            camera=self.camera,
            screen=self.screen,
            connection=self.connection,
        )


class Room:
    """The members of one room and their connections to the relay.

    Args:
        name: the room's id in links.
        capacity: the most members, 2 to 16.
        relay: carries the media.
        formats: what facilitators may choose from.
        ciphersuite: what its MLS groups are made with.
        admission: who lets people into them.
        grace_s: for how many seconds the place of someone whose connection broke is kept.
        tasks: owns the room's timers.
        on_presence: is told of everyone who gets a place (True) or loses it (False).
        on_moderated: is told what the moderation did, by whom and about whom, of groups' people.
    """

    def __init__(
        self,
        name: str,
        *,
        capacity: int,
        relay: Relay,
        formats: Formats,
        ciphersuite: Ciphersuite,
        admission: Admission,
        grace_s: float,
        tasks: Tasks,
        on_presence: Callable[[Member, bool], None],
        on_moderated: Callable[[str, Entrant | None, Entrant | None], None],
    ) -> None:
        self.name = name
        self.capacity = capacity
        self.members: dict[str, Member] = {}
        """By id."""
        self._relay = relay
        self._grace_s = grace_s
        self._tasks = tasks
        self._on_presence = on_presence
        self._on_moderated = on_moderated
        self._entrants: dict[str, Entrant] = {}
        """By id, also of those who left: the moderation may still speak of them."""
        # From the clock, so that a page that comes back after a restart sees it grow.
        self._version = int(time() * 1000)
        self._changed = asyncio.Event()
        self._announcer = tasks.start(self._announce(), "roster")
        self.moderator = Moderator(formats, self, tasks)
        self.encryption = Encryption(ciphersuite, admission, self, tasks)
        self._shown = ShownText(shown=None)
        self._occupied = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def close(self) -> None:
        """Remove whoever is left."""
        for member in list(self.members.values()):
            self.remove(member)
        self._announcer.cancel()
        self.moderator.close()
        self.encryption.close()

    def roster(self) -> Roster:
        members = sorted(self.members.values(), key=lambda member: member.slot)
        return Roster(
            version=self._version,
            participants=[member.seen() for member in members],
            whole_frames=all(member.whole_frames for member in members),
        )

    # --- coming and going ----------------------------------------------------------------------

    def enter(
        self,
        page: Page,
        person: str,
        role: Role,
        join: Join,
        place: Place | None,
        entrant: Entrant | None = None,
    ) -> Member:
        """Give `person`, whose id is not in the room yet, a place.

        It is their former one if that is free, else the lowest free slot.

        Raises:
            Refused: ``room_full``.
        """
        free = [
            slot
            for slot in range(self.capacity)
            if all(member.slot != slot for member in self.members.values())
        ]
        if not free:
            raise Refused("room_full", "This room is full.")
        member = Member(
            id=person,
            role=role,
            slot=place.slot if place and place.slot in free else free[0],
            name=join.name,
            mic=join.mic,
            camera=join.camera,
            peer=self._new_peer(),
            page=page,
            entrant=entrant,
        )
        self.members[member.id] = member
        if entrant is not None:
            self._entrants[member.id] = entrant
        self._occupied.set()
        self._empty.clear()
        self._connect(member)
        self._on_presence(member, True)
        return member

    def reenter(self, page: Page, member: Member, join: Join) -> Page | None:
        """Give a member their own place again, with a new connection to the relay.

        Returns the other page that had the place until now, if any: it is to be expelled.
        """
        former, member.page = member.page, page
        if member.grace is not None:
            member.grace.cancel()
            member.grace = None
        old_peer, member.peer = member.peer, self._new_peer()
        self._relay.remove_peer(old_peer)
        member.name, member.mic, member.camera, member.screen = (
            join.name,
            join.mic,
            join.camera,
            False,
        )
        member.session_id, member.offers = randbits(62), 0
        member.may_speak, member.heard_at = False, 0.0
        member.whole_frames = True
        self._connect(member)
        return None if former is page else former

    def put_on_record(self, action: str, by: str | None, about: str | None) -> None:
        """As `server.moderator.Floor`."""
        who, whom = (
            None if person is None else self._entrants.get(person) for person in (by, about)
        )
        self._on_moderated(action, who, whom)

    def remove(self, member: Member) -> None:
        """Take away someone's place; does nothing if they have none."""
        if self.members.pop(member.id, None) is None:
            return
        if member.grace is not None:
            member.grace.cancel()
            member.grace = None
        self._relay.remove_peer(member.peer)
        self.encryption.leave(member.id)
        self.moderator.left(member.id)
        if not self.members:
            self._empty.set()
            self._occupied.clear()
        self._note_change()
        self._on_presence(member, False)

    def lost(self, member: Member) -> None:
        """The member's socket is gone: keep their place for a while."""
        member.page = None
        self.encryption.away(member.id)
        self._await_return(member)

    # --- what members do -----------------------------------------------------------------------

    def offer(self, member: Member) -> str:
        """The SDP offer for the member's current connection."""
        member.offers += 1
        member.awaits_answer = True
        local = member.peer.local
        return Offer(
            session_id=member.session_id,
            version=member.offers,
            ice_ufrag=local.ice_ufrag,
            ice_pwd=local.ice_pwd,
            fingerprint=(local.fingerprint.algorithm, local.fingerprint.value),
            candidates=local.candidates,
            slots=_offered(member.peer),
        ).sdp()

    def answer(self, member: Member, sdp: str) -> None:
        """Take in the answer to the latest offer.

        Raises:
            Refused: ``bad_answer``; ``not_joined`` if it came too late: join again.
        """
        if member.peer.state == "gone":
            raise Refused("not_joined", "The connection was lost; join the room again.")
        if not member.awaits_answer:
            raise Refused("bad_answer", "There is no media offer to answer.")
        answer = parse_answer(sdp, _offered(member.peer))
        remote = RemoteParameters(
            ice_ufrag=answer.ice_ufrag,
            ice_pwd=answer.ice_pwd,
            fingerprints=[Fingerprint(*answer.fingerprint)],
            ssrcs={mid: SourceSsrcs(*ssrcs) for mid, ssrcs in answer.ssrcs.items()},
        )
        is_first = member.peer.state == "new"
        try:
            self._relay.accept(member.peer, remote)
        except ValueError:
            raise Refused(
                "bad_answer", "The browser's answer does not fit the connection it is for."
            ) from None
        member.awaits_answer = False
        if member.whole_frames != answer.whole_frames:
            member.whole_frames = answer.whole_frames
            self._note_change()
        if is_first:
            key = None if member.entrant is None else member.entrant.key
            self.moderator.joined(member.id, member.name, member.role, key)
            self.moderator.tell(member.id, self._shown)

    def restart_ice(self, member: Member) -> str:
        """A new offer for the same connection, to find another path for it.

        Raises:
            Refused: ``not_joined`` if the connection was lost for too long: join again.
        """
        if member.peer.state == "gone":
            raise Refused("not_joined", "The connection was lost; join the room again.")
        self._relay.restart_ice(member.peer)
        return self.offer(member)

    def set_media(self, member: Member, media: Media) -> None:
        member.mic, member.camera = media.mic, media.camera
        self._set_gates(member)
        self._note_change()

    def share_screen(self, member: Member, on: bool) -> None:
        """Take or free the room's one screen slot.

        Raises:
            Refused: ``screen_taken``.
        """
        if on == member.screen:
            return
        if on and any(other.screen for other in self.members.values()):
            raise Refused("screen_taken", "Someone else is sharing their screen now.")
        member.screen = on
        for other in self._others(member):
            source = member.peer.sources["sc"] if on else None
            self._relay.feed(other.peer.slots[SCREEN_MID], source)
        self._set_gates(member)
        self._note_change()

    def show(self, document: ShownDocument | None) -> None:
        """Put a text on everyone's screen, also of those who come later; None takes it away."""
        self._shown = ShownText(shown=document)
        self.moderator.tell(None, self._shown)

    # --- media ---------------------------------------------------------------------------------

    def _new_peer(self) -> Peer:
        peer_id = token_urlsafe(9)
        peer = self._relay.add_peer(
            peer_id, on_state=lambda state: self._peer_changed(peer_id, state)
        )
        for mid, kind in SOURCE_MIDS.items():
            peer.add_source(mid, kind)
        for mid, kind in slot_mids(self.capacity).items():
            peer.add_slot(mid, kind, stream_of(mid))
        return peer

    def _connect(self, member: Member) -> None:
        for other in self._others(member):
            self._show(member, other)
            self._show(other, member)
        self._set_gates(member)
        for other in self._others(member):
            self._set_gates(other)
        self._note_change()

    def _show(self, speaker: Member, viewer: Member) -> None:
        slots, sources = viewer.peer.slots, speaker.peer.sources
        self._relay.feed(slots[audio_mid(speaker.slot)], sources["mi"])
        self._relay.feed(slots[video_mid(speaker.slot)], sources["ca"])
        if speaker.screen:
            self._relay.feed(slots[SCREEN_MID], sources["sc"])

    def _set_gates(self, member: Member) -> None:
        sources = member.peer.sources
        for other in self._others(member):
            self._relay.set_gate(sources["mi"], other.peer, member.mic and member.may_speak)
            self._relay.set_gate(sources["ca"], other.peer, member.camera)
            self._relay.set_gate(sources["sc"], other.peer, member.screen)

    # --- as the moderator acts on it -----------------------------------------------------------

    def set_voice(self, person: str, is_open: bool) -> None:
        member = self.members.get(person)
        if member is not None and member.may_speak != is_open:
            member.may_speak = is_open
            self._set_gates(member)

    def levels(self) -> dict[str, tuple[int, bool]]:
        levels: dict[str, tuple[int, bool]] = {}
        for member in self.members.values():
            source = member.peer.sources["mi"]
            if source.level_at > member.heard_at and member.mic:
                member.heard_at = source.level_at
                levels[member.id] = (source.level, source.voice)
        return levels

    async def tell(self, person: str, message: Message) -> None:
        member = self.members.get(person)
        if member is not None and member.page is not None:
            await _send(member.page, message)

    async def tell_all(self, message: Message) -> None:
        for page in self._pages():
            await _send(page, message)

    def _pages(self) -> list[Page]:
        return [member.page for member in self.members.values() if member.page is not None]

    def _others(self, member: Member) -> Iterator[Member]:
        return (other for other in self.members.values() if other is not member)

    def _peer_changed(self, peer_id: str, state: PeerState) -> None:
        for member in self.members.values():
            if member.peer.id == peer_id:
                if state == "gone":
                    self._await_return(member)
                else:
                    self._note_change()
                return

    # --- time ----------------------------------------------------------------------------------

    async def wait_until_deserted(self) -> None:
        """Wait until nobody has been here for the grace period."""
        while True:
            await self._empty.wait()
            try:
                async with asyncio.timeout(self._grace_s):
                    await self._occupied.wait()
            except TimeoutError:
                if not self.members:  # nobody slipped in since the timer fired
                    return

    def _await_return(self, member: Member) -> None:
        # A picture that stands still is not to keep the others from sharing their screens.
        self.share_screen(member, False)
        self.moderator.lost(member.id)
        if member.grace is None and member.id in self.members:
            member.grace = self._tasks.start(self._expire(member), "grace")
        self._note_change()

    async def _expire(self, member: Member) -> None:
        await asyncio.sleep(self._grace_s)
        member.grace = None  # this very task, which `remove` is not to cancel
        self.remove(member)
        if member.page is not None:
            await member.page.reconnect()

    def _note_change(self) -> None:
        self._version += 1
        self._changed.set()

    async def _announce(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            roster = self.roster()
            for page in self._pages():
                await _send(page, roster)
            await asyncio.sleep(ROSTER_INTERVAL_S)


async def _send(page: Page, message: Message) -> None:
    """A page that cannot be told does not keep the others from being told."""
    try:
        await page.emit(message)
    except Exception:
        log.exception("page_not_told", event_name=type(message).__name__)


def _offered(peer: Peer) -> dict[str, Ssrcs]:
    return {mid: Ssrcs(slot.ssrc, slot.rtx_ssrc) for mid, slot in peer.slots.items()}
