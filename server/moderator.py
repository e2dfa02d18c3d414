"""Where the moderation engine meets a live room.

The engine is told who comes and goes, what people ask, and every 20 ms how loud each of them is;
what it answers is carried out at once: gates first, in the same turn of the event loop, and then
what people are to be told, in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic, time
from typing import Protocol, cast

import structlog

from moderation import effects, events, notices
from moderation.formats import Formats, Phase
from moderation.session import Session
from server.tasks import Tasks
from signaling.messages import FormatInfo, Message, Role
from signaling.notices import notice_of
from signaling.refusal import Refused

log = structlog.get_logger(__name__)

TICK_S = 0.02
"""One Opus frame; see RFC 6464 for the level that each carries."""

_TROUBLE_S = 10.0
"""An engine that fails at more than one tick within this time is started anew, once."""

MAX_NAMES = 128
"""So many people's names are remembered in a room, for alerts about those who left."""


def steady_clock() -> Callable[[], float]:
    """Unix time in s that never jumps: were the system's clock set back, mutes would not end."""
    offset = time() - monotonic()
    return lambda: offset + monotonic()


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

    def put_on_record(self, action: str, by: str | None, about: str | None) -> None:
        """Note what someone, or with None the engine's rules, did, and about whom."""


class Moderator:
    """The engine of one room at work.

    Args:
        formats: what facilitators may choose from.
        floor: the room.
        tasks: owns the clockwork and the postman.
        clock: Unix time in s; by default a :func:`steady_clock`.
    """

    def __init__(
        self,
        formats: Formats,
        floor: Floor,
        tasks: Tasks,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._formats = formats
        self._floor = floor
        self._clock = clock or steady_clock()
        self._session = Session(formats)
        self._phase: Phase = "lobby"
        self._names: dict[str, str] = {}
        self._keys: dict[str, str | None] = {}
        """Of those of whom the name is known."""
        self._present: dict[str, Role] = {}
        self._away: set[str] = set()
        """Those of them whose connection is lost."""
        self._failures = 0
        """Of ticks, since `_failed_at`."""
        self._failed_at = -_TROUBLE_S
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

    def joined(self, person: str, name: str, role: Role, key: str | None = None) -> None:
        """Someone's page is ready, for the first time or again: they are told how things stand.

        Args:
            person: their id in the room.
            name: how they are called.
            role: in the room.
            key: by which the group's facilitators know them in the HTTP API.
        """
        self._names.pop(person, None)
        self._names[person] = name
        self._keys[person] = key
        self._present[person] = role
        self._away.discard(person)
        if len(self._names) > MAX_NAMES:
            gone = next(one for one in self._names if one not in self._present)
            del self._names[gone], self._keys[gone]
        self._handle(events.Joined(person, role))

    def lost(self, person: str) -> None:
        """Someone's socket or media path broke; they may come back."""
        if person in self._present:
            self._away.add(person)
            self._handle(events.NetworkLost(person))

    def left(self, person: str) -> None:
        if person in self._present:
            del self._present[person]
            self._away.discard(person)
            self._handle(events.Left(person))

    def tell(self, person: str | None, message: Message) -> None:
        """Tell one person, or with None everyone, in order with what the engine has to say."""
        self._post.put_nowait((person, message))

    def command(self, command: events.Command) -> None:
        """Carry out what someone asks.

        Raises:
            Refused: with the engine's code and sentence.
        """
        if command.by not in self._present:
            raise Refused("not_joined", "You are not in the room yet.")
        try:
            refused = self._carry_out(command)
        except Exception:
            self._recover(command)
            raise
        if refused is not None:
            raise Refused(refused.code, refused.text)

    # --- what comes of it ----------------------------------------------------------------------

    def _handle(self, event: events.Event) -> None:
        """Carry out what the engine answers, whatever happens: the room goes on."""
        try:
            self._carry_out(event)
        except Exception:
            self._recover(event)

    def _recover(self, event: events.Event) -> None:
        """The engine raised, and what it had decided may be lost: a gate may stand wrong.

        Called where the exception is handled. The engine is told who is there, and answers how
        everything stands. If that fails, or the next tick does, it is started anew, in the phase it
        was in. If ticks fail even then, nothing more is tried for a while.
        """
        steps: tuple[bool, ...] = (False, True)
        if isinstance(event, events.VoiceFrames):
            now = monotonic()
            if now - self._failed_at > _TROUBLE_S:
                self._failures = 0
                self._failed_at = now
            self._failures += 1
            steps = steps[self._failures - 1 :]
            if not steps:
                return
        log.exception("moderator_failed", during=type(event).__name__)
        for anew in steps:
            try:
                if anew:
                    log.error("moderator_started_over")
                    self._session = Session(self._formats, self._phase)
                elif isinstance(event, events.Left):
                    self._carry_out(event)
                for person, role in self._present.items():
                    self._carry_out(events.Joined(person, role))
                    if person in self._away:
                        self._carry_out(events.NetworkLost(person))
            except Exception:
                log.exception("moderator_recovery_failed")
            else:
                return

    def _carry_out(self, event: events.Event) -> effects.Refused | None:
        """Carry out what the engine answers; a refusal is for the caller to tell."""
        now = self._clock()
        refused: effects.Refused | None = None
        for effect in self._session.handle(event, now):
            match effect:
                case effects.SetGate():
                    self._floor.set_voice(effect.person, effect.is_open)
                case effects.TellEveryone():
                    self._phase = cast(Phase, effect.state.phase)
                    self.tell(None, self._message(effect.state, now))
                case effects.TellPerson():
                    self.tell(effect.to, self._message(effect.notice, now))
                case effects.TellFacilitators():
                    message = self._message(effect.notice, now)
                    for facilitator in effect.to:
                        self.tell(facilitator, message)
                case effects.Refused():
                    refused = effect
                case effects.CallOnCall():
                    log.warning("on_call_needed", kind=effect.alert.kind, rises=effect.alert.rises)
                case effects.Audit():
                    log.info("moderation", action=effect.action, by=effect.by, about=effect.about)
                    self._floor.put_on_record(effect.action, effect.by, effect.about)
        return refused

    def _message(
        self, notice: notices.PersonalNotice | notices.FacilitatorNotice, now: float
    ) -> Message:
        return notice_of(notice, now, self._name, self._keys.get)

    def _name(self, person: str) -> str:
        return self._names.get(person, "someone who left")

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # Ticks that were missed are left out: of what was said in them only the last is known.
            due = max(due + TICK_S, loop.time() + TICK_S / 2)
            await asyncio.sleep(due - loop.time())
            self._handle(events.VoiceFrames(self._floor.levels()))

    async def _deliver(self) -> None:
        """Send what is to be told, one after the other, so that nothing overtakes anything."""
        while True:
            # Lets the sockets take what they have: nobody is slow for being told much at once.
            await asyncio.sleep(0)
            person, message = await self._post.get()
            if person is None:
                await self._floor.tell_all(message)
            else:
                await self._floor.tell(person, message)
