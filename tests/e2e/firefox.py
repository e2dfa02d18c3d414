"""Real Firefox, by WebDriver BiDi (W3C): Playwright drives only one that was changed for it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

PREFERENCES: Final[dict[str, bool | int | str]] = {
    # a camera and a microphone that are made up, and nobody to ask for them
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    # media on loopback, which is only tried for pages that may use camera or microphone
    "media.peerconnection.ice.loopback": True,
    "permissions.default.camera": 1,
    "permissions.default.microphone": 1,
    # nothing asked of the world outside
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.newtabpage.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.startup.page": 0,
    "browser.topsites.contile.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.prefetch-next": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}

SLOW_CAMERA = """
const devices = navigator.mediaDevices; // not on about:blank
const open = devices?.getUserMedia.bind(devices);
const video = { width: 320, height: 240, frameRate: 5 };
if (open) devices.getUserMedia = (wanted) => open(wanted.video ? { ...wanted, video } : wanted);
"""
"""Several pages share few cores."""

ESCAPE = "\ue00c"
"""The key, for :meth:`FirefoxPage.type`."""

PATIENCE_S = 45.0
"""How long a start, a command or an element may take on a machine that does more than it can."""

_LISTENS = re.compile(rb"WebDriver BiDi listening on (ws://\S+)")


def executable() -> str:
    """Debian's Firefox."""
    path = shutil.which("firefox-esr")
    assert path is not None, "the end-to-end tests need Firefox; `make test` installs it"
    return path


def css(selector: str) -> dict[str, Any]:
    return {"type": "css", "value": selector}


def marked(testid: str) -> dict[str, Any]:
    return css(f"[data-testid={testid}]")


def button(words: str) -> dict[str, Any]:
    """By all that stands on it, or by its title."""
    return {"type": "xpath", "value": f"//button[normalize-space()='{words}' or @title='{words}']"}


class Firefox:
    """A running browser; its commands and events go over one WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._pages: dict[str, FirefoxPage] = {}

    async def command(self, method: str, **params: Any) -> Any:
        """Raises RuntimeError with what the browser says is wrong, TimeoutError if nothing."""
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE_S):
            return await answer

    async def listen(self) -> None:
        """Take what the browser says, for as long as it runs."""
        async for message in self._socket:
            self._take(json.loads(message.data))
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(RuntimeError("Firefox is gone"))

    def _take(self, said: dict[str, Any]) -> None:
        if said["type"] == "event":
            entry = said["params"]
            page = self._pages.get(entry["source"].get("context", ""))
            if page is not None and entry["level"] == "error":
                page.complaints.append(entry["text"] or "")
            return
        answer = self._asked.pop(said["id"])
        if answer.done():  # nobody waits for it any more
            return
        if said["type"] == "error":
            answer.set_exception(RuntimeError(f"{said['error']}: {said['message']}"))
        else:
            answer.set_result(said["result"])

    async def new_page(self, *scripts: str) -> FirefoxPage:
        """A window with storage of its own; ``scripts`` run in it before those of any document."""
        user = (await self.command("browser.createUserContext"))["userContext"]
        for script in scripts:
            await self.command(
                "script.addPreloadScript",
                functionDeclaration=f"() => {{ {script} }}",
                userContexts=[user],
            )
        # not a tab: one in the background paints nothing, and its timers are slow
        created = await self.command("browsingContext.create", type="window", userContext=user)
        page = FirefoxPage(self, created["context"])
        self._pages[created["context"]] = page
        return page


class FirefoxPage:
    """One window."""

    def __init__(self, browser: Firefox, context: str) -> None:
        self.browser = browser
        self.complaints: list[str] = []
        """Errors on the page's console, and those that nothing on it has caught."""
        self._context = context

    async def goto(self, url: str) -> None:
        await self._command("browsingContext.navigate", url=url, wait="complete")

    async def evaluate(self, function: str, *arguments: str | int) -> Any:
        """What a JavaScript function gives, by way of JSON, once its promise is kept."""
        result = await self.browser.command(
            "script.callFunction",
            functionDeclaration=f"async (...args) => JSON.stringify(await ({function})(...args))",
            target={"context": self._context},
            arguments=[
                {"type": "string" if isinstance(argument, str) else "number", "value": argument}
                for argument in arguments
            ],
            awaitPromise=True,
        )
        if result["type"] == "exception":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"].get("value", "null"))

    async def find(self, locator: dict[str, Any]) -> list[Any]:
        """Every element that fits."""
        found = await self._command("browsingContext.locateNodes", locator=locator)
        nodes: list[Any] = found["nodes"]
        return nodes

    async def wait_for(self, locator: dict[str, Any]) -> Any:
        """The one element that fits, waiting for it if need be."""
        nodes: list[Any] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(nodes := await self.find(locator)) != 1:
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{len(nodes)} elements are {locator}") from None
        return nodes[0]

    async def click(self, locator: dict[str, Any]) -> None:
        """Wait for the one element that fits, and click it as with a mouse."""
        node = await self.wait_for(locator)
        element = {"type": "element", "element": {"sharedId": node["sharedId"]}}
        await self._perform(
            "pointer",
            {"type": "pointerMove", "x": 0, "y": 0, "origin": element},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        )

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        strokes = [{"type": way, "value": key} for key in text for way in ("keyDown", "keyUp")]
        await self._perform("key", *strokes)

    async def _perform(self, kind: str, *actions: dict[str, Any]) -> None:
        source = {"type": kind, "id": kind, "actions": list(actions)}
        await self._command("input.performActions", actions=[source])

    async def _command(self, method: str, **params: Any) -> Any:
        return await self.browser.command(method, context=self._context, **params)


@asynccontextmanager
async def firefox() -> AsyncIterator[Firefox]:
    """Run a headless Firefox with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        process = await asyncio.create_subprocess_exec(
            executable(),
            "--headless",
            "--no-remote",
            f"--profile={profile}",
            "--remote-debugging-port=0",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        tasks: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                url = await _address(process.stderr)
            tasks.append(asyncio.create_task(_drain(process.stderr)))
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"{url}/session", max_msg_size=0) as socket,
            ):
                browser = Firefox(socket)
                tasks.append(asyncio.create_task(browser.listen()))
                await browser.command("session.new", capabilities={})
                await browser.command("session.subscribe", events=["log.entryAdded"])
                yield browser
        finally:
            for task in tasks:
                task.cancel()
            # its content processes end with it
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _address(lines: asyncio.StreamReader) -> str:
    """Raises RuntimeError if the browser ends before it says where it listens."""
    async for line in lines:
        if found := _LISTENS.search(line):
            return found[1].decode()
    raise RuntimeError("Firefox did not start")


async def _drain(lines: asyncio.StreamReader) -> None:
    """Nobody reads the rest of its warnings, but it must be able to write them."""
    async for _ in lines:
        pass
