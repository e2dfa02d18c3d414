"""Company for a room: simulated people who talk and look about, all paced by one clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from time import monotonic
from typing import Any, Final

from aiortc.rtcdtlstransport import RTCCertificate

from signaling.messages import MAX_SLOTS, Message
from simulated.behaviour import Action, Ask, Behaviour, Hush, Say
from simulated.participant import Participant
from simulated.phrases import BACKCHANNELS, INTERRUPTIONS, NAMES
from simulated.picture import FRAMES_PER_S, Picture
from simulated.voice import FRAME_S, VOICES, Frame, Voice, silence, speak

ACTS_EVERY: Final = 5
"""Frames of audio between two looks at what to do."""
PICTURE_EVERY: Final = round(1 / FRAMES_PER_S / FRAME_S)
"""Frames of audio between two pictures."""
LATE_S: Final = 0.1
"""Whatever is later than this is not made up for."""


class Actor:
    """One person with a voice, a face and a will."""

    def __init__(
        self, link: str, name: str, look: int, random: Random, certificate: RTCCertificate
    ) -> None:
        self.participant = Participant(
            link, name, certificate=certificate, on_event=self._take_event
        )
        self._voice: Voice = VOICES[look % len(VOICES)]
        self._picture = Picture(look)
        self._random = random
        self._behaviour: Behaviour | None = None
        self._missed: list[Message] = []
        """What came before the behaviour, which needs an id, could be told."""
        self._frames: Sequence[Frame] = ()
        self._at = 0
        """Of the frames, the next one."""
        self._work: set[asyncio.Task[None]] = set()
        self._speech: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Raises ConnectionError or TimeoutError."""
        await self.participant.join()
        self._behaviour = Behaviour(self.participant.id, self._random)
        for event in self._missed:
            self._behaviour.take(event)
        self._missed.clear()
        self._start(self._prepare(*BACKCHANNELS, *INTERRUPTIONS))

    async def leave(self) -> None:
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)
        await self.participant.leave()

    def tick(self, number: int, now: float) -> None:
        """Let 20 ms pass."""
        if self._behaviour is None:
            return
        if number % ACTS_EVERY == 0:
            self._behaviour.hear(self.participant.talking(), now)
            for action in self._behaviour.act(now):
                self._carry_out(action)
        frame = silence()
        if self._at < len(self._frames):
            frame = self._frames[self._at]
            self._at += 1
            if self._at == len(self._frames):
                self._behaviour.finished(now)
        self.participant.send_audio(frame.opus, frame.level)
        if number % PICTURE_EVERY == 0 and self.participant.camera:
            wanted, self.participant.key_frame_wanted = self.participant.key_frame_wanted, False
            self.participant.send_picture(self._picture.next_frame(key_frame=wanted))

    def _carry_out(self, action: Action) -> None:
        match action:
            case Say(text):
                self._frames, self._at = (), 0
                self._speech = self._start(self._speak(text))
            case Hush():
                if self._speech is not None:
                    self._speech.cancel()
                self._frames, self._at = (), 0
            case Ask(request):
                self._start(self._ask(request))

    async def _speak(self, text: str) -> None:
        self._frames = await asyncio.to_thread(speak, self._voice, text)
        await self._prepare()

    async def _prepare(self, *texts: str) -> None:
        """Synthesize in advance, so that what is said is heard at once."""
        assert self._behaviour is not None
        for text in (self._behaviour.next_phrase, *texts):
            await asyncio.to_thread(speak, self._voice, text)

    async def _ask(self, request: str) -> None:
        with suppress(ConnectionError):  # the floor has gone on meanwhile, or the network has gone
            await self.participant.request(request)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    def _take_event(self, event: Message) -> None:
        if self._behaviour is None:
            self._missed.append(event)
        else:
            self._behaviour.take(event)


@asynccontextmanager
async def company(link: str, people: int, seed: int = 0) -> AsyncIterator[list[Actor]]:
    """Let so many people, 1 to 16, join by a link, and leave at the end.

    Raises:
        ValueError: the link is none, or so many people fit into no room.
        ConnectionError, TimeoutError: they cannot come in.
    """
    if not 1 <= people <= MAX_SLOTS:
        raise ValueError(f"There can be 1 to {MAX_SLOTS} people.")
    certificate = RTCCertificate.generateCertificate()
    actors = [
        Actor(link, NAMES[index], index, Random(f"{seed} {index}"), certificate)  # noqa: S311
        for index in range(people)
    ]
    pace = asyncio.create_task(_pace(actors), name="simulated people")
    try:
        for actor in actors:
            await actor.join()
        yield actors
    finally:
        await asyncio.gather(*(actor.leave() for actor in actors))
        pace.cancel()
        with suppress(asyncio.CancelledError):
            await pace


async def _pace(actors: list[Actor]) -> None:
    """Let time pass for everyone, 20 ms at a time; each sends their pictures at another moment."""
    number, due = 0, monotonic()
    while True:
        for index, actor in enumerate(actors):
            actor.tick(number + index, due)
        number += 1
        due += FRAME_S
        behind = monotonic() - due
        if behind > LATE_S:
            due += behind
        await asyncio.sleep(max(0.0, -behind))
