"""Where the MLS delivery service meets a live room: its clock, and its post.

The service itself, which could be anyone's, is :mod:`signaling.delivery`.
"""

from __future__ import annotations

import asyncio
from time import time
from typing import Protocol

import structlog

from server.tasks import Tasks
from signaling.delivery import Admission, Delivery, Tell, new_group_id
from signaling.messages import (
    CatchUp,
    Chat,
    Ciphersuite,
    Commit,
    GroupPosition,
    GroupStanding,
    Join,
    Message,
    Ok,
    Renew,
    Renewed,
    Role,
)

log = structlog.get_logger(__name__)


class Recipients(Protocol):
    """The room, as far as the service writes to people in it."""

    async def tell(self, person: str, message: Message) -> None:
        """Send to one person's page, if it is there."""


class Encryption:
    """The delivery service of one room at work.

    Args:
        ciphersuite: what the room's MLS groups are made with.
        admission: who lets people into the groups.
        room: gets what the service has to tell.
        tasks: owns the clock and the postman.
    """

    def __init__(
        self, ciphersuite: Ciphersuite, admission: Admission, room: Recipients, tasks: Tasks
    ) -> None:
        self._delivery = Delivery(ciphersuite, lambda: new_group_id(admission))
        self._room = room
        self._changed = asyncio.Event()
        self._post: asyncio.Queue[Tell] = asyncio.Queue()
        self._tasks = [
            tasks.start(self._keep_time(), "delivery"),
            tasks.start(self._deliver(), "post"),
        ]

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def check(self, join: Join, role: Role) -> str:
        """The id of whoever brings this key package.

        Raises:
            Refused: ``bad_key_package``.
        """
        return self._delivery.check(join.key_package, join.name, role, time())

    def join(
        self, person: str, role: Role, key_package: bytes, position: GroupPosition | None
    ) -> GroupStanding:
        standing, tells = self._delivery.join(person, role, key_package, position, _now())
        self._send(tells)
        return standing

    def away(self, person: str) -> None:
        self._send(self._delivery.away(person, _now()))

    def leave(self, person: str) -> None:
        self._send(self._delivery.leave(person, _now()))

    def handle(self, person: str, request: Commit | CatchUp | Renew | Chat) -> Ok:
        """Carry out a request of a person in the room.

        Raises:
            Refused: with the service's code and sentence.
        """
        match request:
            case Commit():
                self._send(self._delivery.commit(person, request, _now()))
            case CatchUp():
                return self._delivery.catch_up(person, request)
            case Renew():
                standing, tells = self._delivery.renew(person, request.key_package, _now())
                self._send(tells)
                return Renewed(group=standing)
            case Chat():
                self._send(self._delivery.chat(person, request))
        return Ok()

    def _send(self, tells: list[Tell]) -> None:
        for tell in tells:
            self._post.put_nowait(tell)
        self._changed.set()

    async def _keep_time(self) -> None:
        while True:
            deadline = self._delivery.deadline
            self._changed.clear()
            try:
                async with asyncio.timeout(None if deadline is None else deadline - _now()):
                    await self._changed.wait()
            except TimeoutError:
                try:
                    self._send(self._delivery.tick(_now()))
                except Exception:  # the room shall not lose its clock
                    log.exception("delivery_failed")
                    await asyncio.sleep(1)

    async def _deliver(self) -> None:
        """One after the other, so that everyone gets the commits in their order."""
        while True:
            tell = await self._post.get()
            await self._room.tell(tell.to, tell.message)


def _now() -> float:
    return asyncio.get_running_loop().time()
