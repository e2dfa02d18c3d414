"""A person in a browser, as the end-to-end tests see them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, Locator, Page

PATIENCE_S = 30.0
"""How long a test waits for what must come true, on a machine that does more than it can."""

# every peer connection that the page makes, so that its statistics can be read
WATCH_PEER_CONNECTIONS = """
(() => {
  const Original = window.RTCPeerConnection;
  window.watchedPeerConnections = [];
  window.RTCPeerConnection = class extends Original {
    constructor(...args) {
      super(...args);
      window.watchedPeerConnections.push(this);
    }
  };
})();
"""

# the worker that seals and opens frames, so that its counts can be read and old keys replayed, and
# whether it was told to seal video whole
WATCH_WORKERS = """
(() => {
  const Original = window.Worker;
  window.watchedWorkers = [];
  window.toldWorkers = [];
  window.Worker = class extends Original {
    constructor(...args) {
      super(...args);
      window.watchedWorkers.push(this);
    }
    postMessage(message, ...more) {
      if (message.type === 'epoch') window.toldWorkers.push(message.keys);
      if (message.type === 'whole_frames') window.sealsWhole = message.whole;
      super.postMessage(message, ...more);
    }
  };
})();
"""

READ_FRAMES = """
() => new Promise((resolve) => {
  const worker = window.watchedWorkers.at(-1);
  const id = -Math.floor(1 + Math.random() * 1e9);
  const take = ({ data }) => {
    if (data.type !== 'stats' || data.id !== id) return;
    worker.removeEventListener('message', take);
    resolve(data.stats);
  };
  worker.addEventListener('message', take);
  worker.postMessage({ type: 'stats', id });
})
"""

READ_INBOUND = """
async () => {
  const pc = window.watchedPeerConnections.at(-1);
  const found = {};
  if (!pc || pc.connectionState === 'closed') return found;
  const report = await pc.getStats();
  for (const entry of report.values()) {
    if (entry.type !== 'inbound-rtp' || !entry.mid) continue;
    found[entry.mid] = {
      packets: entry.packetsReceived ?? 0,
      lost: entry.packetsLost ?? 0,
      frames: entry.framesDecoded ?? 0,
      energy: entry.totalAudioEnergy ?? 0,
    };
  }
  return found;
}
"""


@dataclass(frozen=True)
class Inbound:
    """What the browser has received on one m-line so far."""

    packets: int = 0
    lost: int = 0
    frames: int = 0
    """Video frames decoded."""
    energy: float = 0.0
    """Audio energy played out."""


async def until(condition: Callable[[], Awaitable[bool]], what: str, patience_s: float) -> None:
    """Wait until `condition` holds; fail saying `what` was waited for."""
    try:
        async with asyncio.timeout(patience_s):
            while not await condition():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"waited {patience_s:g} s for: {what}") from None


async def receives(
    inbound: Callable[[], Awaitable[dict[str, Inbound]]], slot: int, patience_s: float
) -> None:
    """Wait until audio from `slot` is heard and its video is decoded, and both go on."""
    audio, video = f"a{slot:x}", f"v{slot:x}"
    before = await inbound()

    async def grown() -> bool:
        now = await inbound()
        a0, a1 = before.get(audio, Inbound()), now.get(audio, Inbound())
        v0, v1 = before.get(video, Inbound()), now.get(video, Inbound())
        return a1.energy > a0.energy and a1.packets > a0.packets and v1.frames > v0.frames + 3

    await until(grown, f"audio and video from slot {slot}", patience_s)


class Visit:
    """One page of one browser context."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        """Errors on the page's console."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                self.complaints.append(message.text) if message.type == "error" else None
            ),
        )

    @classmethod
    async def begin(cls, context: BrowserContext) -> Visit:
        await context.add_init_script(WATCH_PEER_CONNECTIONS)
        await context.add_init_script(WATCH_WORKERS)
        return cls(context, await context.new_page())

    async def join(self, link: str, name: str) -> None:
        """Open the link, say one's name in the lobby, and enter."""
        await self.page.goto(link)
        await self.enter(name)

    async def enter(self, name: str) -> None:
        await self.page.get_by_label("How would you like to be called?").fill(name)
        await self.page.get_by_role("button", name="Join", exact=True).click()
        await self.page.get_by_test_id("room").wait_for(timeout=PATIENCE_S * 1000)

    def tile(self, name: str) -> Locator:
        return self.page.get_by_test_id("tile").filter(has_text=name)

    async def slot_of(self, name: str) -> int:
        return int(await self.tile(name).get_attribute("data-slot") or "-1")

    async def sees(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until `count` people, oneself included, are shown as connected."""
        tiles = self.page.locator("[data-testid=tile][data-connection=connected]")

        async def shown() -> bool:
            return await tiles.count() == count

        await until(shown, f"{count} connected tiles", patience_s)

    async def frames(self) -> dict[str, Any]:
        """What the page's frame worker has counted so far (`FrameStats` of the page)."""
        found: dict[str, Any] = await self.page.evaluate(READ_FRAMES)
        return found

    async def secured(self, epoch: int | None = None) -> int:
        """Wait until the page is in the room's encrypted group; gives the epoch."""
        lock = self.page.get_by_test_id("encryption")

        async def is_secured() -> bool:
            if await lock.get_attribute("data-phase") != "secured":
                return False
            return epoch is None or await lock.get_attribute("data-epoch") == str(epoch)

        await until(is_secured, f"the page to be secured in epoch {epoch}", PATIENCE_S)
        return int(await lock.get_attribute("data-epoch") or "-1")

    async def safety_words(self) -> str:
        """The words as shown in their dialog."""
        await self.page.get_by_test_id("encryption").click()
        words = (await self.page.get_by_test_id("safety-words").inner_text()).split()
        await self.page.keyboard.press("Escape")
        return " ".join(words)

    async def inbound(self) -> dict[str, Inbound]:
        """By mid, what the newest peer connection has received."""
        found: dict[str, Any] = await self.page.evaluate(READ_INBOUND)
        return {mid: Inbound(**entry) for mid, entry in found.items()}

    async def receives(self, slot: int, patience_s: float = PATIENCE_S) -> None:
        await receives(self.inbound, slot, patience_s)

    async def close(self) -> None:
        await self.context.close()
