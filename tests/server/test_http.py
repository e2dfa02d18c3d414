from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from structlog.testing import capture_logs

from server.app import RunningServer
from server.errors import plain_errors
from server.pages import add_pages
from server.security import CONTENT_SECURITY_POLICY, secure_responses
from tests.conftest import Start
from tests.page import hello, page

TOKEN = "a token of some length"


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """A server whose pages have been built."""
    (tmp_path / "index.html").write_text("<title>the page</title>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index-abc123.js").write_text("code")
    app = web.Application(middlewares=[plain_errors])
    secure_responses(app, https=False)
    add_pages(app, tmp_path)
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/nothing", 404),
        ("GET", "/nothing/at/all", 404),
        ("GET", "/room/Not-A-Room", 404),
        ("POST", "/healthz", 405),
        ("DELETE", "/", 405),
        ("GET", "/socket.io/", 400),
        ("GET", "/assets/none.js", 404),
        ("GET", "/assets/", 404),
    ],
)
async def test_every_answer_is_hardened(
    server: RunningServer, http: ClientSession, method: str, path: str, status: int
) -> None:
    async with http.request(method, server.url + path) as response:
        text = await response.text()
        assert response.status == status
        assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "camera=(self)" in response.headers["Permissions-Policy"]
        assert "geolocation=()" in response.headers["Permissions-Policy"]
        assert "Server" not in response.headers
        assert "Strict-Transport-Security" not in response.headers
        assert "Traceback" not in text


async def test_https_is_kept_to_where_it_is_offered(start: Start, http: ClientSession) -> None:
    async with (
        start(public_url="https://groups.example.org") as server,
        http.get(f"{server.url}/nothing") as response,
    ):
        assert "max-age" in response.headers["Strict-Transport-Security"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x00\n\n",
        b"GET / HTTP/1.1\r\nA B: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_without_quoting_it_or_telling_versions(
    server: RunningServer, request_bytes: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2]))
    writer.write(request_bytes)
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith("HTTP/1.0 400 ")
    assert CONTENT_SECURITY_POLICY in answer
    assert answer.endswith("This request cannot be understood.\n")
    assert "aiohttp" not in answer
    assert "127.0.0.1" not in capfd.readouterr().err


async def test_connection_that_never_asks_is_closed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.listener.IDLE_TIMEOUT_S", 0.1)
    async with start() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2]))
        writer.write(b"GET / HT")
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_metrics_are_refused_to_bytes_that_are_no_text(start: Start) -> None:
    async with start(metrics_token=SecretStr(TOKEN)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2]))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()


async def test_pages(client: TestClient[web.Request, web.Application]) -> None:
    for path in ("/", "/room/tuesday-circle", "/room/tuesday-circle/"):
        async with client.get(path) as response:
            assert response.content_type == "text/html"
            assert response.headers["Cache-Control"] == "no-cache"
            assert "the page" in await response.text()
    async with client.get("/assets/index-abc123.js") as response:
        assert "immutable" in response.headers["Cache-Control"]
        assert response.content_type in ("text/javascript", "application/javascript")
    async with client.get("/icon.svg") as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/..%2fconftest.py",
        "/assets/..%2findex.html",
        "/.hidden",
        "/assets",
        "/index.html",
        "/room/",
        "/room/a/b",
        "/" + "x" * 300,
        "/assets/" + "x" * 300,
    ],
)
async def test_nothing_but_the_pages_is_served(
    client: TestClient[web.Request, web.Application], path: str
) -> None:
    async with client.get(path, allow_redirects=False) as response:
        assert response.status == 404
        assert "no such page" in await response.text()


async def test_pages_that_are_not_built_are_explained(tmp_path: Path) -> None:
    app = web.Application()
    add_pages(app, tmp_path)
    async with TestClient(TestServer(app)) as client, client.get("/room/x") as response:
        assert response.status == 503
        assert "make demo" in await response.text()


async def test_bug_in_a_handler_tells_nothing() -> None:
    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("inside")

    app = web.Application(middlewares=[plain_errors])
    app.router.add_get("/", broken)
    async with TestClient(TestServer(app)) as client, client.get("/") as response:
        assert response.status == 500
        assert "inside" not in await response.text()


async def test_whoever_goes_before_the_answer_is_no_failure() -> None:
    answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def answer_late(request: web.Request) -> web.StreamResponse:
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
        answered.set_result(None)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        return socket

    app = web.Application(middlewares=[plain_errors])
    app.router.add_get("/", answer_late)
    async with TestServer(app) as server:
        with capture_logs() as logs:
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(
                b"GET / HTTP/1.1\r\nHost: us\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await writer.drain()
            writer.close()
            await answered
            await server.close()
    assert logs == []


async def test_metrics_count(server: RunningServer, http: ClientSession) -> None:
    async with page(server) as opened:
        await opened.join("Nobody Knows")
        await opened.ask("nonsense")
        async with http.get(f"{server.url}/metrics") as response:
            text = await response.text()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["holdspace_rooms",] == 1
    assert samples["holdspace_participants",] == 1
    assert samples["holdspace_connections",] == 1
    assert samples["holdspace_relay_peers",] == 1
    assert samples["holdspace_refusals_total", "unknown_event"] == 1
    participants = {
        labels[0] for name, *labels in samples if name == "holdspace_relay_sent_packets_total"
    }
    assert len(participants) == 2
    assert "departed" in participants
    assert "process_resident_memory_bytes" in text
    assert "Nobody Knows" not in text
    assert hello(server)["room"] not in text


async def test_metrics_without_a_token_are_for_this_machine(
    server: RunningServer, http: ClientSession
) -> None:
    for header in ("X-Forwarded-For", "Forwarded"):
        async with http.get(f"{server.url}/metrics", headers={header: "for=::1"}) as response:
            assert response.status == 403


async def test_metrics_with_a_token(start: Start, http: ClientSession) -> None:
    async with start(metrics_token=SecretStr(TOKEN)) as server:
        for authorization, status in (
            (f"Bearer {TOKEN}", 200),
            (f"Bearer {TOKEN}x", 401),
            ("Bearer é", 401),
            (None, 401),
        ):
            headers = {} if authorization is None else {"Authorization": authorization}
            async with http.get(f"{server.url}/metrics", headers=headers) as response:
                assert response.status == status


async def test_not_ready_while_stopping(server: RunningServer, http: ClientSession) -> None:
    await server.wire.stop()
    async with http.get(f"{server.url}/readyz") as response:
        assert response.status == 503
    async with http.get(f"{server.url}/healthz") as response:
        assert response.status == 200


async def test_large_bodies_are_refused(server: RunningServer, http: ClientSession) -> None:
    async with http.post(f"{server.url}/healthz", data=b"x" * 100_000) as response:
        assert response.status in (405, 413)
    async with http.get(f"{server.url}/healthz") as response:
        assert response.status == 200
