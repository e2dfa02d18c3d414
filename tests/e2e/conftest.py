"""Real Chromium with fake devices, and a server to visit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ViewportSize, async_playwright

from bench.browser import CHROMIUM_FLAGS, FAKE_DEVICES, chromium
from bench.server_process import ServerProcess, server_process
from tests.e2e.visit import Visit
from tests.migrated import put_migrated

ROOM = "garden"
WINDOW: ViewportSize = {"width": 1024, "height": 640}
"""Painting takes the most of a page that shows pictures."""

Begin = Callable[[], Awaitable[Visit]]


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
    for visit in visits:
        await visit.close()


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server in a process of its own, which a test may restart."""
    put_migrated(tmp_path)
    async with server_process("--room-capacity=4", f"--data-dir={tmp_path}") as running:
        yield running


@pytest.fixture
def link(server: ServerProcess) -> str:
    return f"{server.url}/room/{ROOM}#{server.token(ROOM)}"
