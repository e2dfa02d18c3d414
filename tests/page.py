"""A page without a browser: python-socketio's client, and aiortc for the media connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import socketio
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from relay import SourceSsrcs
from server.app import RunningServer
from signaling.messages import (
    EVENTS,
    PROTOCOL_VERSION,
    Joined,
    Message,
    Role,
    Roster,
    Welcome,
)
from simulated.group import Member
from simulated.packet_client import PacketClient
from simulated.visitor import make_answer, parse_offer

TIMEOUT_S = 10.0

T = TypeVar("T", bound=Message)


_members: dict[str, Member] = {}
"""By resume token, the key that a page that comes back with it still has."""


class Page:
    """One browser tab's connection to the server; in the room, it waits in vain to be added to
    the MLS group, or is alone in it."""

    def __init__(self) -> None:
        self.socket = socketio.AsyncClient(serializer="msgpack", reconnection=False)
        self.events: list[Message] = []
        self.disconnected = asyncio.Event()
        self.member: Member | None = None
        self._news = asyncio.Event()
        for name, model in EVENTS.items():
            self.socket.on(name, self._taker(model))
        self.socket.on("disconnect", self._on_disconnect)

    def _taker(self, model: type[Message]) -> Callable[[Any], None]:
        def take(data: Any) -> None:
            self.events.append(model.model_validate(data))
            self._news.set()

        return take

    def _on_disconnect(self, _reason: str) -> None:
        self.disconnected.set()

    async def open(self, url: str, hello: Any) -> None:
        """Connect; raises ConnectionError with the refusal's data as its argument."""
        refusals: list[Any] = []
        if isinstance(hello, dict):
            self.member = _members.get(hello.get("resume", ""))
        self.socket.on("connect_error", refusals.append)
        try:
            await self.socket.connect(url, auth=hello, transports=["websocket"])
        except socketio.exceptions.ConnectionError:
            raise ConnectionError(*refusals) from None

    async def ask(self, event: str, payload: Any = None) -> dict[str, Any]:
        answer = await self.socket.call(event, {} if payload is None else payload)
        assert isinstance(answer, dict)
        return answer

    async def join(self, name: str = "Ada", *, mic: bool = True, camera: bool = True) -> Joined:
        answer = await self.ask("join", await self.introduction(name, mic=mic, camera=camera))
        joined = Joined.model_validate(answer)
        assert self.member is not None
        _members[joined.resume] = self.member
        return joined

    async def introduction(
        self, name: str = "Ada", *, mic: bool = True, camera: bool = True
    ) -> dict[str, Any]:
        """What `join` takes, with a key of one's own."""
        role = (await self.event(Welcome, lambda _: True)).role
        if self.member is None or (self.member.name, self.member.role) != (name, role):
            self.member = Member(name, role)
        key_package = self.member.key_package()
        return {"name": name, "mic": mic, "camera": camera, "key_package": key_package}

    async def answer(self, joined: Joined) -> None:
        """Answer the offer, so that one is in the session, though no media will flow."""
        client = PacketClient({"mi": SourceSsrcs(1), "ca": SourceSsrcs(2)})
        answer = make_answer(parse_offer(joined.sdp), client)
        assert await self.ask("answer", {"sdp": answer}) == {"ok": True}

    async def event(self, model: type[T], test: Callable[[T], bool]) -> T:
        """The latest event of a kind that passes the test, waiting for it if need be."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                for event in reversed(self.events):
                    if isinstance(event, model) and test(event):
                        return event
                self._news.clear()
                await self._news.wait()

    async def roster(self, test: Callable[[Roster], bool]) -> Roster:
        return await self.event(Roster, test)

    async def close(self) -> None:
        await self.socket.disconnect()


def hello(
    server: RunningServer,
    room: str = "circle",
    role: Role = "participant",
    *,
    resume: str | None = None,
) -> dict[str, Any]:
    """The greeting of a page that was opened with a valid link."""
    token = server.links.to(room, role).partition("#")[2]
    greeting = {"protocol": PROTOCOL_VERSION, "room": room, "token": token}
    return greeting if resume is None else {**greeting, "resume": resume}


@asynccontextmanager
async def page(server: RunningServer, greeting: Any = None) -> AsyncIterator[Page]:
    """A page that was let in."""
    opened = Page()
    await opened.open(server.url, hello(server) if greeting is None else greeting)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def answered(offer: str, *, sending: bool = True) -> AsyncIterator[RTCPeerConnection]:
    """An aiortc peer connection that has made its answer to an offer."""
    connection = RTCPeerConnection()
    if sending:
        connection.addTrack(AudioStreamTrack())
        connection.addTrack(VideoStreamTrack())
    try:
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        yield connection
    finally:
        await connection.close()
