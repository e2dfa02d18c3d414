"""Engine.IO and Socket.IO as this server speaks them: WebSocket only, MessagePack, bounded.

python-socketio leaves some things open that a server on the internet cannot: it writes parts of
what it received to its log, lets a client send the reserved events ``connect`` and ``disconnect``,
queues without end for a client that does not read, and lets some malformed frames end in a
traceback. This module closes them, so that all above it sees well-formed packets only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

import engineio
import msgpack
import structlog
from aiohttp import WSMsgType, web
from engineio.async_drivers.aiohttp import WebSocket
from socketio import packet
from socketio.msgpack_packet import MsgPackPacket

from signaling.rates import FRAMES, TokenBucket

log = structlog.get_logger(__name__)

MAX_FRAME_BYTES = 256 * 1024
"""The largest frame accepted. The largest request is an SDP answer of up to 100,000 characters."""

MAX_QUEUED_PACKETS = 256
"""A client with more than this still unsent is closed."""

SEND_TIMEOUT_S = 10.0
"""A client that takes nothing for this long is closed."""

_CLOSE, _PONG = "1", "3"
"""The Engine.IO packets beside messages that a client sends."""

_FRAMES = (WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG)

MAX_EVENT_NAME_CHARS = 64
MAX_ACK_ID = 2**31 - 1

RESERVED_EVENTS = frozenset({"connect", "disconnect"})
"""python-socketio calls its own handlers by these names."""


class Malformed(ValueError):
    """A frame that no client following the protocol sends. Its text is fixed: it may be logged."""


def _undefined(code: int, data: bytes) -> Any:
    """JavaScript's ``undefined``, which the msgpack parser of socket.io writes as extension 0."""
    if code == 0 and data == b"\0":
        return None
    raise Malformed("unknown msgpack extension")


class WirePacket(MsgPackPacket):
    """A Socket.IO packet of socket.io-msgpack-parser, checked on its way in.

    What a client may send: CONNECT with an object, DISCONNECT, and EVENT with a name and at most
    one payload, all in the namespace ``/``. Decoding anything else raises :class:`Malformed`.
    """

    def encode(self) -> bytes:
        fields = self._to_dict()
        if fields["data"] is None:  # the parser in the browser takes no null here
            del fields["data"]
        encoded: bytes = msgpack.packb(fields)
        return encoded

    def decode(self, encoded_packet: bytes) -> None:
        try:
            decoded = msgpack.unpackb(encoded_packet, ext_hook=_undefined)
        except Malformed:
            raise
        except Exception:
            raise Malformed("not msgpack") from None
        if not isinstance(decoded, dict):
            raise Malformed("not a packet")
        kind, data, ack_id = (decoded.get(key) for key in ("type", "data", "id"))
        if decoded.get("nsp") != "/":
            raise Malformed("unknown namespace")
        if ack_id is not None and not (type(ack_id) is int and 0 <= ack_id <= MAX_ACK_ID):
            raise Malformed("bad acknowledgement id")
        if type(kind) is not int:
            raise Malformed("unexpected packet type")
        match kind:
            case packet.CONNECT:
                if data is not None and not isinstance(data, dict):
                    raise Malformed("bad auth")
            case packet.DISCONNECT:
                data = None
            case packet.EVENT:
                if not isinstance(data, list) or not 1 <= len(data) <= 2:
                    raise Malformed("bad event")
                name = data[0]
                if not isinstance(name, str) or len(name) > MAX_EVENT_NAME_CHARS:
                    raise Malformed("bad event name")
                if name in RESERVED_EVENTS:
                    raise Malformed("reserved event")
            case _:
                raise Malformed("unexpected packet type")
        self.packet_type = kind
        self.data = data
        self.id = ack_id
        self.namespace = "/"


class Channel(WebSocket):
    """One WebSocket below Engine.IO: limits what comes in, and waits only so long to send."""

    def __init__(self, handler: Any, server: Engine) -> None:
        super().__init__(handler, server)
        self.ended = asyncio.Event()
        """Set once the WebSocket is closed."""
        self._bucket = TokenBucket(FRAMES)

    async def __call__(self, environ: dict[str, Any]) -> web.WebSocketResponse:
        self._request: web.Request = environ["aiohttp.request"]
        # Pings are answered here, to be counted. Messages are small, and compressing them would
        # take some 300 KB for each connection.
        self._sock = web.WebSocketResponse(
            max_msg_size=MAX_FRAME_BYTES, autoping=False, compress=False
        )
        self.environ = environ
        self.server.channels.add(self)
        try:
            await self._sock.prepare(self._request)
            await self.handler(self)
        finally:
            self.server.channels.discard(self)
            self.ended.set()
        return self._sock

    async def send(self, message: bytes | str) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await super().send(message)
                if message == _CLOSE:
                    # python-engineio leaves it to the client to end the connection.
                    await self._sock.close()
        except TimeoutError:
            self.server.dropped["slow"] += 1
            self._abort()
            raise

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()

    async def wait(self) -> bytes | str:
        """The next frame; raises OSError, which ends the connection, in place of a bad one."""
        while True:
            message = await self._sock.receive()
            if message.type not in _FRAMES:
                raise OSError("closed")
            if not self._bucket.take():
                self.server.dropped["flood"] += 1
                self._abort()  # or the flood would go on until the closing times out
                raise OSError("too many frames")
            if message.type is WSMsgType.PING:
                await self._sock.pong(message.data)
            elif message.type is not WSMsgType.PONG:
                break
        data: bytes | str = message.data
        # python-engineio reads the first character of a text frame as a number, outside any guard.
        if isinstance(data, str) and data not in (_CLOSE, _PONG):
            self.server.dropped["malformed"] += 1
            raise OSError("malformed frame")
        return data


class Engine(engineio.AsyncServer):
    """Engine.IO over :class:`Channel`, closing clients that let too much pile up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._async: dict[str, Any] = {**self._async, "websocket": Channel}
        self.dropped: Counter[str] = Counter()
        """Connections closed for misbehaving, by reason."""
        self.channels: set[Channel] = set()
        """The open WebSockets."""

    async def drop(self, sid: str) -> None:
        """Close a connection once what is queued for it is sent; does not wait for that."""
        socket = self.sockets.get(sid)
        if socket is not None:
            await socket.close(wait=False)

    async def send_packet(self, sid: str, pkt: Any) -> None:
        socket = self.sockets.get(sid)
        if socket is None or socket.closed:
            return
        if socket.queue.qsize() >= MAX_QUEUED_PACKETS:
            self.dropped["slow"] += 1
            await self.drop(sid)
            return
        await socket.send(pkt)


class _Discreet(logging.Handler):
    """Keeps the libraries' own log lines, which can hold message content, out of the log."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[0] is not None:
            log.error("socket_library_error", kind=record.exc_info[0].__name__)


def discreet_logger() -> logging.Logger:
    """For python-socketio and python-engineio: says that something failed, never what was sent."""
    logger = logging.Logger("holdspace.socket", logging.ERROR)
    logger.addHandler(_Discreet())
    return logger
