"""Real Chromium with fake devices, and a server to visit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, async_playwright, expect

from bench.browser import CHROMIUM_FLAGS, FAKE_DEVICES, chromium
from bench.server_process import ServerProcess, server_process
from tests.e2e.visit import PATIENCE_S, Visit
from tests.migrated import put_migrated

ROOM = "garden"
WINDOW: ViewportSize = {"width": 1024, "height": 640}
"""Painting takes the most of a page that shows pictures."""

Begin = Callable[[], Awaitable[Visit]]

expect.set_options(timeout=PATIENCE_S * 1000)
_numbers = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=CHROMIUM_FLAGS + FAKE_DEVICES
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def begin(browser: Browser) -> AsyncIterator[Begin]:
    """Begin a visit in a browser context of its own; all are closed after the test."""
    visits: list[Visit] = []

    async def new_visit() -> Visit:
        visit = await Visit.begin(await browser.new_context(viewport=WINDOW))
        visits.append(visit)
        return visit

    yield new_visit
    await asyncio.gather(*(visit.close() for visit in visits))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server in a process of its own, for all tests that need not change or restart it."""
    folder = tmp_path_factory.mktemp("server")
    put_migrated(folder)
    async with server_process("--room-capacity=4", f"--data-dir={folder}") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def own_server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server in a process of its own, which the test may restart."""
    put_migrated(tmp_path)
    async with server_process("--room-capacity=6", f"--data-dir={tmp_path}") as running:
        yield running


@pytest.fixture
def room() -> str:
    """The name of a room in which no other test has been."""
    return f"{ROOM}-{next(_numbers)}"


@pytest.fixture
def link(server: ServerProcess, room: str) -> str:
    return server.link(room)
