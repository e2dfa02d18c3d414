"""Where the moderation engine meets a live room.

The engine is told who comes and goes, what people ask, and every 20 ms how loud each of them is;
what it answers is carried out at once: gates first, in the same turn of the event loop, and then
what people are to be told, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import time
from typing import Protocol

import structlog

from moderation import effects, events
from moderation.formats import Formats
from moderation.session import Session
from server.tasks import Tasks
from signaling.messages import FormatInfo, Message, Role
from signaling.notices import notice_of
from signaling.refusal import Refused

log = structlog.get_logger(__name__)

TICK_S = 0.02
"""One Opus frame; see RFC 6464 for the level that each carries."""

_CATCH_UP_S = 1.0
"""After a pause of the process longer than this, ticks that were missed are left out."""

MAX_NAMES = 128
"""So many people's names are remembered in a room, for alerts about those who left."""


class Floor(Protocol):
    """The room, as far as the moderator acts on it."""

    def set_voice(self, person: str, is_open: bool) -> None:
        """Open or close the gate of someone's microphone towards all others."""

    def levels(self) -> Mapping[str, tuple[int, bool]]:
        """By person, level in -dBov and voice bit of those heard from since the last call."""

    async def tell(self, person: str, message: Message) -> None:
        """Send to one person's page, if it is there."""

    async def tell_all(self, message: Message) -> None:
        """Send to everyone's page."""


class Moderator:
    """The engine of one room at work.

    Args:
        formats: what facilitators may choose from.
        floor: the room.
        tasks: owns the clockwork and the postman.
        clock: Unix time in s.
    """

    def __init__(
        self, formats: Formats, floor: Floor, tasks: Tasks, clock: Callable[[], float] = time
    ) -> None:
        self._formats = formats
        self._floor = floor
        self._clock = clock
        self._session = Session(formats)
        self._names: dict[str, str] = {}
        self._present: set[str] = set()
        self._post: asyncio.Queue[tuple[str | None, Message]] = asyncio.Queue()
        self._tasks = [tasks.start(self._tick(), "moderator"), tasks.start(self._deliver(), "post")]

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def formats(self) -> list[FormatInfo]:
        """What facilitators may choose from, for their pages."""
        return [
            FormatInfo(name=name, title=self._formats[name].title, kind=self._formats[name].kind)
            for name in self._formats.names()
        ]

    # --- what happens in the room --------------------------------------------------------------

    def joined(self, person: str, name: str, role: Role) -> None:
        """Someone's page is ready, for the first time or again: they are told how things stand."""
        self._names.pop(person, None)
        self._names[person] = name
        while len(self._names) > MAX_NAMES:
            del self._names[next(iter(self._names))]
        self._present.add(person)
        self._handle(events.Joined(person, role))

    def lost(self, person: str) -> None:
        """Someone's socket or media path broke; they may come back."""
        if person in self._present:
            self._handle(events.NetworkLost(person))

    def left(self, person: str) -> None:
        if person in self._present:
            self._present.remove(person)
            self._handle(events.Left(person))

    def command(self, command: events.Command) -> None:
        """Carry out what someone asks.

        Raises:
            Refused: with the engine's code and sentence.
        """
        if command.by not in self._present:
            raise Refused("not_joined", "You are not in the room yet.")
        refused = self._handle(command)
        if refused is not None:
            raise Refused(refused.code, refused.text)

    # --- what comes of it ----------------------------------------------------------------------

    def _handle(self, event: events.Event) -> effects.Refused | None:
        """Carry out what the engine answers; a refusal is for the caller to tell."""
        now = self._clock()
        refused: effects.Refused | None = None
        for effect in self._session.handle(event, now):
            match effect:
                case effects.SetGate():
                    self._floor.set_voice(effect.person, effect.is_open)
                case effects.TellEveryone():
                    self._post.put_nowait((None, notice_of(effect.state, now, self._name)))
                case effects.TellPerson():
                    self._post.put_nowait((effect.to, notice_of(effect.notice, now, self._name)))
                case effects.TellFacilitators():
                    message = notice_of(effect.notice, now, self._name)
                    for facilitator in effect.to:
                        self._post.put_nowait((facilitator, message))
                case effects.Refused():
                    refused = effect
                case effects.CallOnCall():
                    log.warning("on_call_needed", kind=effect.alert.kind, rises=effect.alert.rises)
                case effects.Audit():
                    log.info("moderation", action=effect.action, by=effect.by, about=effect.about)
        return refused

    def _name(self, person: str) -> str:
        return self._names.get(person, "someone who left")

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += TICK_S
            if loop.time() - due > _CATCH_UP_S:
                due = loop.time()
            await asyncio.sleep(due - loop.time())
            self._handle(events.VoiceFrames(self._floor.levels()))

    async def _deliver(self) -> None:
        """Send what is to be told, one after the other, so that nothing overtakes anything."""
        while True:
            person, message = await self._post.get()
            if person is None:
                await self._floor.tell_all(message)
            else:
                await self._floor.tell(person, message)
