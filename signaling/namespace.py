"""The Socket.IO endpoint: lets sockets in, checks and limits what they ask, and passes it on.

This module knows the wire but not the rooms: whoever runs it gives it a :class:`House`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

import pydantic
import socketio
import structlog
from aiohttp import web
from socketio import packet
from socketio.exceptions import ConnectionRefusedError as SocketRefused

from signaling.messages import (
    EVENTS,
    PROTOCOL_VERSION,
    REQUESTS,
    Hello,
    Message,
    Ok,
    Removed,
    Role,
    Stopping,
    Welcome,
)
from signaling.rates import REQUESTS as REQUEST_RATES
from signaling.rates import UNKNOWN, TokenBucket
from signaling.refusal import Refused
from signaling.transport import MAX_FRAME_BYTES, Engine, Malformed, WirePacket, discreet_logger

log = structlog.get_logger(__name__)

PING_INTERVAL_S = 5
PING_TIMEOUT_S = 5
"""A socket whose other end is gone is noticed within the sum of both."""

GREETING_TIMEOUT_S = 10.0
"""A WebSocket that has not been let in after this long is closed."""

IDLE_TIMEOUT_S = 30 * 60.0
"""A socket that has not joined (any more) for this long is removed."""

SWEEP_INTERVAL_S = 5.0

RETRY_AFTER_MS = 2_000
"""What pages are told to wait before they connect again to a server that stops."""

DRAIN_TIMEOUT_S = 2.0

_NAMES = {model: name for name, model in EVENTS.items()}


class Connection(Protocol):
    """One socket that was let in, as the rooms see it."""

    async def emit(self, event: Message) -> None:
        """Queue one of :data:`signaling.messages.EVENTS`; never waits for the network."""

    async def remove(self, why: Removed) -> None:
        """Tell the page that it must not come back by itself, and disconnect it."""

    async def drop(self) -> None:
        """Close the socket without a word, so that the page connects again."""


class Visit(Protocol):
    """What one socket that was let in may do."""

    @property
    def role(self) -> Role:
        """In which role its link lets it in."""

    @property
    def joined(self) -> bool:
        """Whether this socket is in the room or its waiting room now; it is not idle then."""

    def welcome(self) -> Welcome:
        """What to send once the socket is open."""

    async def handle(self, request: Message) -> Ok:
        """Carry out a request.

        Raises:
            Refused: with what the page is to show.
        """

    async def gone(self) -> None:
        """The socket is closed, for whatever reason."""


class House(Protocol):
    """Whoever has the rooms."""

    def greet(self, hello: Hello, connection: Connection) -> Visit:
        """Decide whether a socket may come in.

        Raises:
            Refused: if not.
        """


@dataclass
class _Socket:
    """What is known of one WebSocket, from its first byte on."""

    wire: Wire
    engine_id: str
    address: str | None
    opened_at: float = field(default_factory=monotonic)
    id: str | None = None
    """Socket.IO's id, once it was let in."""
    visit: Visit | None = None
    idle_since: float = field(default_factory=monotonic)
    buckets: dict[str, TokenBucket] = field(
        default_factory=lambda: {name: TokenBucket(rate) for name, rate in REQUEST_RATES.items()}
    )
    unknown: TokenBucket = field(default_factory=lambda: TokenBucket(UNKNOWN))
    logged: set[str] = field(default_factory=set)

    async def emit(self, event: Message) -> None:
        await self.wire.send(self, event)

    async def remove(self, why: Removed) -> None:
        await self.wire.send(self, why)
        if self.id is not None:
            await self.wire.disconnect(self.id)

    async def drop(self) -> None:
        await self.wire.eio.drop(self.engine_id)


class Wire(socketio.AsyncServer):
    """The Socket.IO server.

    Args:
        house: who decides and has the rooms.
        origin_allowed: tells whether a page of this origin may connect to this request's host.
        max_connections: WebSockets open at the same time.
        max_per_address: the same, from one address.
        address_of: the address a request came from, or None if it is not known.
    """

    def __init__(
        self,
        house: House,
        *,
        origin_allowed: Callable[[str, web.Request], bool],
        max_connections: int,
        max_per_address: int,
        address_of: Callable[[web.Request], str | None],
    ) -> None:
        quiet = discreet_logger()
        super().__init__(
            async_mode="aiohttp",
            serializer=WirePacket,
            # One event after the other: a socket that asks faster than it is served waits in TCP.
            async_handlers=False,
            logger=quiet,
            engineio_logger=quiet,
            transports=["websocket"],
            allow_upgrades=False,
            max_http_buffer_size=MAX_FRAME_BYTES,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            cors_allowed_origins=lambda origin, environ: origin_allowed(
                origin, environ["aiohttp.request"]
            ),
            cors_credentials=False,
        )
        self._house = house
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._address_of = address_of
        self._sockets: dict[str, _Socket] = {}
        self._per_address: Counter[str] = Counter()
        self.stopping = False
        """Whether :meth:`stop` was called: nobody is let in any more."""
        self._sweeper: asyncio.Task[None] | None = None
        self.refusals: Counter[str] = Counter()
        """Requests and sockets refused since the start, by code."""
        self.register_namespace(_Root(self))

    @property
    def connections(self) -> int:
        """WebSockets open now."""
        return len(self._sockets)

    @property
    def dropped(self) -> Counter[str]:
        """Connections closed for misbehaving since the start, by reason."""
        dropped: Counter[str] = self.eio.dropped
        return dropped

    def start(self) -> None:
        """Begin to close idle sockets; needs a running event loop."""
        self._sweeper = asyncio.create_task(self._sweep(), name="socket sweeper")

    async def stop(self) -> None:
        """Tell every page that the server stops, and close all sockets; takes at most 2 s.

        Does nothing the second time.
        """
        if self.stopping:
            return
        self.stopping = True
        for socket in list(self._sockets.values()):
            if socket.visit is not None:
                await self.send(socket, Stopping(retry_after_ms=RETRY_AFTER_MS))
            await socket.drop()
        open_channels = [asyncio.create_task(channel.ended.wait()) for channel in self.eio.channels]
        if open_channels:
            _, late = await asyncio.wait(open_channels, timeout=DRAIN_TIMEOUT_S)
            for task in late:
                task.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self.shutdown()

    async def send(self, socket: _Socket, event: Message) -> None:
        """Queue an event for one socket; does nothing if it is gone."""
        if socket.id is None:
            return
        data = [_NAMES[type(event)], event.model_dump()]
        await self._send_packet(
            socket.engine_id, WirePacket(packet.EVENT, namespace="/", data=data)
        )

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        address = self._address_of(environ["aiohttp.request"])
        here = 0 if address is None else self._per_address[address]
        if self.connections >= 2 * self._max_connections or here >= 2 * self._max_per_address:
            # Past the polite refusal in _greet, which needs an open WebSocket to say why.
            self.refusals["too_many_connections"] += 1
            return False
        self._sockets[eio_sid] = _Socket(self, eio_sid, address)
        if address is not None:
            self._per_address[address] += 1
        await super()._handle_eio_connect(eio_sid, environ)
        return None

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        try:
            await super()._handle_eio_disconnect(eio_sid, reason)
        finally:
            socket = self._sockets.pop(eio_sid, None)
            if socket is not None and socket.address is not None:
                self._per_address[socket.address] -= 1
                if not self._per_address[socket.address]:
                    del self._per_address[socket.address]

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            if not isinstance(data, bytes) or not data:
                raise Malformed("not a binary frame")
            await super()._handle_eio_message(eio_sid, data)
        except Malformed as error:
            self.dropped["malformed"] += 1
            log.debug("socket_dropped", reason=str(error))
            await self.eio.drop(eio_sid)
        except Exception:
            log.exception("socket_failed")
            await self.eio.drop(eio_sid)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        socket = self._sockets.get(eio_sid)
        before = None if socket is None else socket.visit
        await super()._handle_connect(eio_sid, namespace, data)
        if socket is not None and socket.visit is not None and socket.visit is not before:
            await self.send(socket, socket.visit.welcome())

    async def let_in(self, sid: str, auth: Any) -> None:
        """Handle a CONNECT; raises what python-socketio turns into a CONNECT_ERROR."""
        socket = self._by_id(sid)
        try:
            if socket is None or socket.visit is not None:
                raise Refused("malformed", "This connection is already open.")
            socket.visit = self._greet(auth, socket)
            socket.id = sid
            socket.idle_since = monotonic()
        except Refused as refused:
            self.refusals[refused.code] += 1
            problem = refused.message().error
            raise SocketRefused(problem.message, problem.model_dump()) from None
        except Exception:
            log.exception("hello_failed")
            self.refusals["internal"] += 1
            problem = _internal().message().error
            raise SocketRefused(problem.message, problem.model_dump()) from None

    def _greet(self, auth: Any, socket: _Socket) -> Visit:
        if self.stopping:
            raise Refused("stopping", "The server is restarting; try again in a moment.")
        here = self._per_address[socket.address] if socket.address is not None else 0
        if self.connections > self._max_connections or here > self._max_per_address:
            raise Refused("too_many_connections", "There are too many connections; try later.")
        if isinstance(auth, dict):
            protocol = auth.get("protocol")
            if type(protocol) is int and protocol != PROTOCOL_VERSION:
                raise Refused("outdated_page", "This page is out of date; load it again.")
        try:
            hello = Hello.model_validate(auth)
        except pydantic.ValidationError:
            raise Refused("malformed", "The page's greeting is not valid.") from None
        return self._house.greet(hello, socket)

    async def request(self, sid: str, event: str, payload: tuple[Any, ...]) -> dict[str, Any]:
        """Carry out one event from a browser; the result is its acknowledgement."""
        socket = self._by_id(sid)
        try:
            if socket is None or socket.visit is None:
                raise Refused("not_joined", "This connection is closed.")
            answer: Message = await self._carry_out(socket, socket.visit, event, payload)
        except Refused as refused:
            answer = self._refuse(socket, event, refused)
        except Exception:
            log.exception("request_failed", request=event if event in REQUESTS else "unknown")
            answer = self._refuse(socket, event, _internal())
        return answer.model_dump()

    async def _carry_out(
        self, socket: _Socket, visit: Visit, event: str, payload: tuple[Any, ...]
    ) -> Ok:
        bucket = socket.buckets.get(event, socket.unknown)
        if not bucket.take():
            raise Refused("too_fast", "That was too often in a short time; wait a moment.")
        if event not in REQUESTS:
            raise Refused("unknown_event", "The server does not know this request.")
        known = REQUESTS[event]
        if visit.role not in known.roles:
            if visit.role == "facilitator":
                raise Refused("not_participant", "This is for participants.")
            raise Refused("not_facilitator", "Only a facilitator can do this.")
        try:
            request = known.payload.model_validate(payload[0] if payload else {})
        except pydantic.ValidationError:
            raise Refused("malformed", "The request is not valid.") from None
        if self.stopping and event != "leave":
            raise Refused("stopping", "The server is restarting; try again in a moment.")
        was_joined = visit.joined
        try:
            return await visit.handle(request)
        finally:
            if was_joined and not visit.joined:
                socket.idle_since = monotonic()

    def _refuse(self, socket: _Socket | None, event: str, refused: Refused) -> Message:
        self.refusals[refused.code] += 1
        name = event if event in REQUESTS else "unknown"
        if socket is not None and name not in socket.logged:
            socket.logged.add(name)
            log.info("request_refused", request=name, code=refused.code)
        return refused.message()

    async def left(self, sid: str) -> None:
        """Handle the end of a socket that was let in."""
        socket = self._by_id(sid)
        if socket is None or socket.visit is None:
            return
        visit, socket.visit, socket.id = socket.visit, None, None
        try:
            await visit.gone()
        except Exception:
            log.exception("goodbye_failed")

    def _by_id(self, sid: str) -> _Socket | None:
        engine_id = self.manager.eio_sid_from_sid(sid, "/")
        return None if engine_id is None else self._sockets.get(engine_id)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            now = monotonic()
            for socket in list(self._sockets.values()):
                try:
                    await self._sweep_one(socket, now)
                except Exception:
                    log.exception("sweep_failed")

    async def _sweep_one(self, socket: _Socket, now: float) -> None:
        if socket.visit is None:
            if now - max(socket.opened_at, socket.idle_since) > GREETING_TIMEOUT_S:
                self.dropped["no_greeting"] += 1
                await socket.drop()
        elif socket.visit.joined:
            socket.idle_since = now
        elif now - socket.idle_since > IDLE_TIMEOUT_S:
            await socket.remove(
                Removed(code="idle", message="This page was open for long without joining.")
            )


class _Root(socketio.AsyncNamespace):
    """The namespace ``/``: hands everything on to the :class:`Wire`."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("/")
        self._wire = wire

    async def trigger_event(self, event: str, *args: Any) -> Any:
        # No client can send the first two: see WirePacket.
        if event == "connect":
            sid, _environ, auth = args
            await self._wire.let_in(sid, auth)
            return None
        if event == "disconnect":
            await self._wire.left(args[0])
            return None
        return await self._wire.request(args[0], event, args[1:])


def _internal() -> Refused:
    return Refused("internal", "Something went wrong on the server; try again.")
