"""A long and restless meeting as a script: who comes, goes, drops out or comes back, and when."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, Literal, NamedTuple

from aiortc.rtcdtlstransport import RTCCertificate

from server.app import RunningServer
from server.room import Member, Room
from server.visit import Visit as Seat
from signaling.messages import CommitDue, Message, Role
from simulated.participant import OPUS_TICKS, Participant
from simulated.rtp import Level
from simulated.sealing import Track
from simulated.voice import FRAME_S, VOICES, speak
from tests.e2e.conftest import ROOM
from tests.e2e.visit import PATIENCE_S, Visit

BROWSERS: Final[dict[str, Role]] = {"Ada": "facilitator", "Ben": "participant"}
SIMULATED: Final[dict[str, Role]] = {
    "Cai": "participant",
    "Dan": "facilitator",
    "Eve": "participant",
    "Fay": "participant",
    "Gus": "participant",
    "Hal": "facilitator",
    "Ivy": "participant",
    "Jon": "participant",
    "Kim": "participant",
    "Lou": "participant",
}
"""By name, in which role."""

Kind = Literal["join", "leave", "vanish", "drop", "away", "reload", "freeze", "neglect", "rivals"]

_CHANCES: Final[dict[Kind, int]] = {
    "leave": 5,  # with a word
    "vanish": 1,  # without one: the place is kept for the grace period
    "drop": 4,  # the connection is lost, and made anew with the state of the group
    "away": 4,  # the same, after some commits have been missed
    "reload": 5,  # the state of the group is lost
    "freeze": 3,  # nothing that comes is looked at for a while
    "neglect": 3,  # they learn only much later that they were to commit
    "rivals": 5,  # the next commit is several people's duty at the same time
}
_ONLY_SIMULATED: Final = frozenset[Kind](("vanish", "freeze"))
_BROWSER_CHANCE: Final = 0.5
"""Against a simulated person's 1: pages take their time to load."""

AT_A_TIME: Final = 3
"""So many simulated people talk at once, to spare the machine."""
TURN_S: Final = 0.6


class Action(NamedTuple):
    kind: Kind
    who: str
    seconds: float
    """How long it lasts, where that means something."""
    pause: float
    """s until the next action, which may be sooner than this one is through."""


def script(seed: int, count: int, pace_s: float) -> list[Action]:
    """So many actions, of which the last bring everyone in; `pace_s`: between two, on average."""
    random = Random(seed)
    names = [*BROWSERS, *SIMULATED]
    weights = [_BROWSER_CHANCE if name in BROWSERS else 1 for name in names]
    present: set[str] = set()
    actions: list[Action] = []
    while len(actions) + len(names) - len(present) < count:
        [who] = random.choices(names, weights)
        kind: Kind = "join"
        if who in present:
            chances = {
                kind: chance
                for kind, chance in _CHANCES.items()
                if who not in BROWSERS or kind not in _ONLY_SIMULATED
            }
            [kind] = random.choices([*chances], [*chances.values()])
        if kind in ("leave", "vanish") and len(actions) + len(names) - len(present) + 2 > count:
            kind = "drop"  # there would be no action left to bring them in again
        pause = 0.0 if random.random() < 0.4 else random.uniform(0, 2 * pace_s / 0.6)
        actions.append(Action(kind, who, random.uniform(1.5, 6), pause))
        if kind == "join":
            present.add(who)
        elif kind in ("leave", "vanish"):
            present.remove(who)
    absent = [name for name in names if name not in present]
    return actions + [Action("join", name, 0, pace_s) for name in absent]


class Duties:
    """Stands between the delivery service and the pages, and lets duties to commit go astray."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._tell: Callable[[Room, str, Message], Awaitable[None]] = Room.tell
        self._neglected: dict[str, list[tuple[Room, CommitDue]]] = {}
        """By id: what they are not told yet."""
        self.rivals = False
        """Whether several people are to be told of the next duty."""

    async def tell(self, room: Room, person: str, message: Message) -> None:
        """In place of :meth:`Room.tell`."""
        if isinstance(message, CommitDue):
            if person in self._neglected:
                self._neglected[person].append((room, message))
                return
            if self.rivals:
                others = [one.id for one in room.members.values() if one.page and one.id != person]
                if others:
                    self.rivals = False
                    for other in self._random.sample(others, min(2, len(others))):
                        await self._tell(room, other, message)
        await self._tell(room, person, message)

    async def neglect(self, person: str, seconds: float) -> None:
        self._neglected.setdefault(person, [])
        await asyncio.sleep(seconds)
        for room, late in self._neglected.pop(person, []):
            await self._tell(room, person, late)


def seat_of(server: RunningServer, name: str) -> Member | None:
    room = server.rooms.rooms.get(ROOM)
    people = [] if room is None else room.members.values()
    return next((member for member in people if member.name == name), None)


class Person(ABC):
    """Someone of the script, in the room or not."""

    def __init__(self, server: RunningServer, name: str, link: str) -> None:
        self.server = server
        self.name = name
        self.link = link
        self.present = False

    @property
    @abstractmethod
    def shown(self) -> str:
        """Their name in the room."""

    @abstractmethod
    async def join(self) -> None: ...

    @abstractmethod
    async def leave(self) -> None: ...

    @abstractmethod
    async def lose(self, seconds: float) -> None:
        """The connection is lost, and cannot be made again for so long."""

    @abstractmethod
    async def reload(self) -> None: ...


class Restless(Participant):
    """A participant to whom all kinds of things happen."""

    talks = False
    _kept: list[Message] | None = None
    """What has come while frozen."""

    async def lose(self, seconds: float) -> None:
        self._retry_after_s = seconds
        await self.drop_connection()

    async def reload(self) -> None:
        """Lose all but the signature key and the right to one's place, as a page does."""
        assert self._member is not None
        assert self._membership is not None
        await self._membership.stop()
        self._member.forget()
        await self.lose(0.3)

    async def vanish(self) -> None:
        """Go without a word."""
        await self._stop_staying()
        await self._disconnect()

    async def freeze(self, seconds: float) -> None:
        self._kept = []
        await asyncio.sleep(seconds)
        kept, self._kept = self._kept, None
        for event in kept or []:
            super()._take_event(event)

    def _take_event(self, event: Message) -> None:
        if self._kept is None:
            super()._take_event(event)
        else:
            self._kept.append(event)

    def send_audio(self, opus: bytes, level: Level) -> None:
        if self.talks:
            super().send_audio(opus, level)
        elif (out := self._outgoing.get(Track.MICROPHONE)) is not None:
            out.timestamp += OPUS_TICKS

    @property
    def base_key(self) -> bytes:
        """Of the current epoch; empty while in no group."""
        if self._member is None or not self._member.is_in:
            return b""
        return self._member.epoch_keys().base_key

    @property
    def failure(self) -> BaseException | None:
        """What ended their part in the group's work or their coming back, if anything did."""
        part = None if self._membership is None else self._membership._task
        for task in (part, self._staying):
            if task is not None and task.done() and not task.cancelled() and task.exception():
                return task.exception()
        return None


class SimulatedPerson(Person):
    certificate: RTCCertificate

    def __init__(self, server: RunningServer, name: str, link: str, cert: RTCCertificate) -> None:
        super().__init__(server, name, link)
        self.certificate = cert
        self._joins = 0
        self.me = self._new()

    def _new(self) -> Restless:
        # Someone new each time, as another name: mls-rs has no two members with one credential.
        self._joins += 1
        return Restless(
            self.link, f"{self.name} {self._joins}", camera=False, certificate=self.certificate
        )

    @property
    def shown(self) -> str:
        return self.me.name

    async def join(self) -> None:
        self.me = self._new()
        await self.me.join()

    async def leave(self) -> None:
        await self.me.leave()

    async def lose(self, seconds: float) -> None:
        await self.me.lose(seconds)

    async def reload(self) -> None:
        await self.me.reload()


class BrowserPerson(Person):
    def __init__(self, server: RunningServer, name: str, link: str, visit: Visit) -> None:
        super().__init__(server, name, link)
        self.visit = visit

    @property
    def shown(self) -> str:
        return self.name

    async def join(self) -> None:
        await self.visit.page.goto("about:blank")
        await self.visit.page.goto(self.link)
        await self._enter()

    async def _enter(self) -> None:
        await self.visit.page.get_by_role("button", name="Turn camera off").click()
        await self.visit.enter(self.name)

    async def leave(self) -> None:
        await self.visit.page.get_by_role("button", name="Leave").click()
        await self.visit.page.get_by_test_id("room").wait_for(
            state="detached", timeout=PATIENCE_S * 1000
        )

    async def lose(self, seconds: float) -> None:
        await self.visit.context.set_offline(True)
        try:
            member = seat_of(self.server, self.name)
            if member is not None and isinstance(member.page, Seat):
                await member.page._connection.drop()
            await asyncio.sleep(seconds)
        finally:
            await self.visit.context.set_offline(False)

    async def reload(self) -> None:
        await self.visit.page.reload()
        await self._enter()


async def talk(people: list[SimulatedPerson]) -> None:
    """Let the simulated talk, some at a time, over and over."""
    frames = speak(VOICES[0], "I am here, and all of you can hear me.")
    loop = asyncio.get_running_loop()
    start, sent = loop.time(), 0
    while True:
        first = int(sent * FRAME_S / TURN_S) * AT_A_TIME
        talking = {(first + n) % len(people) for n in range(AT_A_TIME)}
        frame = frames[sent % len(frames)]
        for index, person in enumerate(people):
            person.me.talks = index in talking
            person.me.send_audio(frame.opus, frame.level)
        sent += 1
        await asyncio.sleep(max(0.0, start + sent * FRAME_S - loop.time()))
