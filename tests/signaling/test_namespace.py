from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgpack
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from structlog.testing import capture_logs

from server.app import RunningServer
from signaling import namespace
from signaling.messages import PROTOCOL_VERSION, Removed, Stopping, Welcome
from signaling.rates import FRAMES, REQUESTS
from signaling.transport import MAX_FRAME_BYTES
from simulated.group import CIPHERSUITE
from tests.conftest import Start
from tests.page import TIMEOUT_S, Page, hello, page

SECRET_TEXT = "nobody-may-log-this"


class RawSocket:
    """A WebSocket that speaks Engine.IO by hand, and so can misspeak."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, packet: Any) -> None:
        await self.socket.send_bytes(msgpack.packb(packet))

    async def receive(self) -> Any:
        """The next Socket.IO packet, or None once the socket is closed."""
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                message = await self.socket.receive()
                if message.type is WSMsgType.BINARY:
                    return msgpack.unpackb(message.data)
                if message.type is not WSMsgType.TEXT:
                    return None
                if message.data == "2":
                    await self.socket.send_str("3")

    async def closed(self) -> bool:
        """Waits until the server has closed the socket."""
        while await self.receive() is not None:
            pass
        return True


@asynccontextmanager
async def raw_socket(
    server: RunningServer, greeting: Any = None, headers: dict[str, str] | None = None
) -> AsyncIterator[RawSocket]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"{server.url}/socket.io/?EIO=4&transport=websocket", headers=headers
        ) as socket,
    ):
        raw = RawSocket(socket)
        assert (await socket.receive()).data.startswith("0{")
        if greeting is not None:
            await raw.send({"type": 0, "nsp": "/", "data": greeting})
            assert (await raw.receive())["type"] == 0
            assert (await raw.receive())["data"][0] == "welcome"
        yield raw


async def refusal(server: RunningServer, greeting: Any) -> str:
    with pytest.raises(ConnectionError) as refused:
        await Page().open(server.url, greeting)
    problem = refused.value.args[0]["data"]
    assert problem["message"]
    return str(problem["code"])


async def test_valid_link_is_welcomed(server: RunningServer) -> None:
    async with page(server, hello(server, role="facilitator")) as opened:
        welcome = await opened.event(Welcome, lambda _: True)
        assert welcome == Welcome(
            role="facilitator",
            capacity=12,
            present=0,
            ciphersuite=CIPHERSUITE,
            name=None,
            waits=False,
            session=None,
        )


async def test_greetings_that_are_refused(server: RunningServer) -> None:
    good = hello(server)
    assert await refusal(server, {**good, "token": "x"}) == "bad_token"
    assert await refusal(server, {**good, "room": "other"}) == "wrong_room"
    assert await refusal(server, {**good, "protocol": PROTOCOL_VERSION + 1}) == "outdated_page"
    assert await refusal(server, {**good, "protocol": "1"}) == "malformed"
    assert await refusal(server, {**good, "room": "Not A Room"}) == "malformed"
    assert await refusal(server, {**good, "extra": 1}) == "malformed"
    assert await refusal(server, {**good, "token": "x" * 3_000}) == "malformed"
    assert await refusal(server, None) == "malformed"
    assert server.wire.refusals["malformed"] == 5


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key_package": "text"}, "malformed"),
        ({"key_package": b"x" * 8_193}, "malformed"),
        ({"position": {"group": b"short", "epoch": 0}}, "malformed"),
        ({"key_package": b"x"}, "bad_key_package"),
        ({"name": "Another"}, "bad_key_package"),
    ],
)
async def test_introductions_that_are_refused(
    server: RunningServer, change: dict[str, Any], code: str
) -> None:
    async with page(server) as opened:
        answer = await opened.ask("join", {**await opened.introduction(), **change})
        assert answer["error"]["code"] == code
        assert server.rooms.participants == 0


async def test_requests_that_are_refused(server: RunningServer) -> None:
    async with page(server) as opened:

        async def code(event: str, payload: Any) -> Any:
            return (await opened.ask(event, payload))["error"]["code"]

        assert await code("media", {"mic": True, "camera": True}) == "not_joined"
        assert await code("media", {"mic": 1, "camera": True}) == "malformed"
        introduction = await opened.introduction()
        assert await code("join", {**introduction, "name": "a\u202eb"}) == "malformed"
        assert await code("join", {**introduction, "name": " "}) == "malformed"
        assert await code("leave", [1]) == "malformed"
        assert await code("leave", "x") == "malformed"
        assert await code("on_connect", {}) == "unknown_event"
        assert await code("answer", {"sdp": "x" * 100_001}) == "malformed"
        await opened.join()
        assert await code("join", await opened.introduction()) == "already_joined"
        assert await code("answer", {"sdp": "nonsense"}) == "bad_answer"


async def test_requests_come_too_fast(server: RunningServer) -> None:
    async with page(server) as opened:
        codes = [
            (await opened.ask("leave"))["error"]["code"] for _ in range(REQUESTS["leave"].burst + 1)
        ]
        assert codes == ["not_joined"] * REQUESTS["leave"].burst + ["too_fast"]
        # Other requests have rates of their own.
        await opened.join()


@pytest.mark.parametrize(
    "frame",
    [
        "hello",
        "",
        "9",
        "4text",
        "b" + SECRET_TEXT,
        b"",
        b"\xc1",
        b"\xdf\xff\xff\xff\xff",
        msgpack.packb(SECRET_TEXT),
        msgpack.packb({"type": 2, "nsp": "/", "data": ["connect", SECRET_TEXT]}),
        msgpack.packb({"type": 2, "nsp": "/", "data": ["disconnect"]}),
        msgpack.packb({"type": 2, "nsp": f"/{SECRET_TEXT}", "data": ["join", {}]}),
        msgpack.packb({"type": 5, "nsp": "/", "data": ["join"], "attachments": 10**9}),
        msgpack.packb({"type": 3, "nsp": "/", "id": 1, "data": []}),
        msgpack.packb([[[[]]]] * 1_000),
    ],
    ids=range(15),
)
async def test_malformed_frames_close_the_socket_and_leave_no_trace(
    server: RunningServer, frame: bytes | str, capfd: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as logs:
        async with raw_socket(server, hello(server)) as raw:
            if isinstance(frame, bytes):
                await raw.socket.send_bytes(frame)
            else:
                await raw.socket.send_str(frame)
            assert await raw.closed()
    assert server.wire.dropped["malformed"] == 1
    assert SECRET_TEXT not in repr(logs)
    assert "Traceback" not in capfd.readouterr().err
    async with page(server) as another:
        await another.join()


async def test_oversized_frame_closes_the_socket(server: RunningServer) -> None:
    async with raw_socket(server, hello(server)) as raw:
        await raw.socket.send_bytes(bytes(MAX_FRAME_BYTES + 1))
        assert await raw.closed()


async def test_flood_closes_the_socket(server: RunningServer) -> None:
    async with raw_socket(server, hello(server)) as raw:
        for _ in range(1_000):
            if raw.socket.closed:
                break
            await raw.socket.send_str("3")
        assert await raw.closed()
    assert server.wire.dropped["flood"] == 1


async def test_pings_are_answered_and_count(server: RunningServer) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"{server.url}/socket.io/?EIO=4&transport=websocket"
        async with session.ws_connect(url, autoping=False) as socket, asyncio.timeout(TIMEOUT_S):
            await socket.receive()
            await socket.ping(b"there?")
            answer = await socket.receive()
            assert (answer.type, answer.data) == (WSMsgType.PONG, b"there?")
            with suppress(ConnectionError):
                for _ in range(FRAMES.burst + 10):
                    await socket.ping()
            while not socket.closed:
                await socket.receive()
    assert server.wire.dropped["flood"] == 1


async def test_second_connect_on_a_socket_does_not_harm_the_first(server: RunningServer) -> None:
    async with raw_socket(server, hello(server)) as raw:
        await raw.send({"type": 0, "nsp": "/", "data": hello(server)})
        assert (await raw.receive())["type"] == 4
        await raw.send({"type": 2, "nsp": "/", "id": 1, "data": ["leave", {}]})
        assert (await raw.receive())["data"][0]["error"]["code"] == "not_joined"


async def test_events_before_the_greeting_are_ignored(server: RunningServer) -> None:
    async with raw_socket(server) as raw:
        await raw.send({"type": 2, "nsp": "/", "id": 1, "data": ["leave", {}]})
        await raw.send({"type": 0, "nsp": "/", "data": hello(server)})
        assert (await raw.receive())["type"] == 0


async def test_socket_without_greeting_is_dropped(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "GREETING_TIMEOUT_S", 0.0)
    monkeypatch.setattr(namespace, "SWEEP_INTERVAL_S", 0.01)
    async with start() as server:
        async with raw_socket(server) as raw:
            assert await raw.closed()
        assert server.wire.dropped["no_greeting"] == 1


async def test_idle_socket_is_removed_and_told_so(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespace, "IDLE_TIMEOUT_S", 0.0)
    monkeypatch.setattr(namespace, "SWEEP_INTERVAL_S", 0.01)
    async with start() as server, page(server) as opened:
        assert (await opened.event(Removed, lambda _: True)).code == "idle"
        async with asyncio.timeout(TIMEOUT_S):
            await opened.disconnected.wait()


async def test_too_many_connections(start: Start) -> None:
    async with start(max_connections=1) as server, page(server):
        assert await refusal(server, hello(server)) == "too_many_connections"


async def test_too_many_connections_from_one_address_behind_a_proxy(start: Start) -> None:
    ours, theirs = {"X-Forwarded-For": "203.0.113.1, 192.0.2.1"}, {"X-Forwarded-For": "192.0.2.2"}
    async with (
        start(max_connections_per_address=1) as server,
        raw_socket(server, hello(server), ours),
        raw_socket(server, None, ours) as another,
        raw_socket(server, hello(server), theirs),
    ):
        await another.send({"type": 0, "nsp": "/", "data": hello(server)})
        assert (await another.receive())["data"]["data"]["code"] == "too_many_connections"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with raw_socket(server, None, ours):
                pass


async def test_pages_of_other_origins_cannot_connect(start: Start, server: RunningServer) -> None:
    async with raw_socket(server, hello(server), {"Origin": server.url}):
        pass
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with raw_socket(server, None, {"Origin": "https://elsewhere.example"}):
            pass
    async with start(public_url="https://groups.example.org") as public:
        async with raw_socket(public, hello(public), {"Origin": "https://groups.example.org"}):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with raw_socket(public, None, {"Origin": public.url}):
                pass


async def test_long_polling_is_not_offered(server: RunningServer) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/socket.io/?EIO=4&transport=polling") as response,
    ):
        assert response.status == 400
        assert json.loads(await response.text()) == "Invalid transport"


async def test_stopping_server_says_so(start: Start) -> None:
    opened = Page()
    async with start() as server:
        await opened.open(server.url, hello(server))
        await opened.join()
    assert (await opened.event(Stopping, lambda _: True)).retry_after_ms > 0
    async with asyncio.timeout(TIMEOUT_S):
        await opened.disconnected.wait()


async def test_bug_in_a_handler_is_an_internal_error_and_logs_no_content(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise RuntimeError(name)

    monkeypatch.setattr(server.rooms, "open", broken)
    with capture_logs() as logs:
        async with page(server) as opened:
            introduction = await opened.introduction(SECRET_TEXT)
            answer = await opened.ask("join", introduction)
            assert answer["error"]["code"] == "internal"
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["request_failed"]
    assert SECRET_TEXT not in repr(logs)
