"""End-to-end encryption in real browsers: ``python -m bench.e2ee``.

Runs a server and Chromium with people who speak all the time, lets one more join and leave over
and over, and prints one JSON object as its last line:

- ``join_to_decoded_ms_p50``, ``_p95``: from when the server has taken someone's join until they
  have decoded sound and a picture of each other person, and each of these theirs, in ms
- ``rekey_gap_ms_p95``: sound that a listener's jitter buffer had to make up (the standard's
  ``concealedSamples``, RFC 7294's concealment) of one speaker within 2 s of each join and
  each leave, in ms: not less than the longest gap in what was decoded
- ``quiet_gap_ms_p95``: the same over stretches of 2 s in which nobody came or went
- ``seal_us``, ``open_us``: wall time for one audio frame in the page's worker, in µs
- ``audio_core_percent``: what audio takes of one core by this in a room of 12, who all speak
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import struct
import tempfile
import wave
from pathlib import Path
from time import monotonic, time
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from bench.browser import CHROMIUM_FLAGS, FAKE_DEVICES, chromium
from server.app import RunningServer, running
from server.settings import Settings

ROOM = "bench"
PATIENCE_MS = 30_000
WATCHED_S = 2.0
AUDIO_FRAMES_PER_S = 50
PEOPLE_IN_ESTIMATE = 12

PROBE = """
(() => {
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) { super(...args); window.benchPeer = this; }
  };
  const Original = window.Worker;
  window.Worker = class extends Original {
    constructor(...args) { super(...args); window.benchWorker = this; }
  };
  // when the first frame of each m-line was decoded, on the clock of this machine
  window.benchFirst = {};
  window.benchWatch = async (mids, until) => {
    const left = new Set(mids.filter((mid) => !(mid in window.benchFirst)));
    while (left.size > 0 && Date.now() < until) {
      const report = await window.benchPeer.getStats();
      for (const one of report.values()) {
        if (one.type !== 'inbound-rtp' || !left.has(one.mid)) continue;
        const decoded = one.kind === 'video'
          ? one.framesDecoded > 0
          : one.totalSamplesReceived > one.concealedSamples + 960;
        if (decoded) { window.benchFirst[one.mid] = Date.now(); left.delete(one.mid); }
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return window.benchFirst;
  };
  window.benchConcealed = async () => {
    const found = {};
    for (const one of (await window.benchPeer.getStats()).values())
      if (one.type === 'inbound-rtp' && one.kind === 'audio' && one.packetsReceived > 0)
        found[one.mid] = one.concealedSamples;
    return found;
  };
  window.benchFrames = () => new Promise((resolve) => {
    const take = ({ data }) => {
      if (data.type !== 'stats' || data.id !== -1) return;
      window.benchWorker.removeEventListener('message', take);
      resolve(data.stats);
    };
    window.benchWorker.addEventListener('message', take);
    window.benchWorker.postMessage({ type: 'stats', id: -1 });
  });
})();
"""


def tone(folder: Path) -> Path:
    """Ten seconds of a note that swells and fades a little, so that nothing takes it for noise."""
    path = folder / "tone.wav"
    rate = 48_000
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(
            b"".join(
                struct.pack(
                    "<h",
                    int(
                        9_000
                        * (0.6 + 0.4 * math.sin(2 * math.pi * 4 * at / rate))
                        * math.sin(2 * math.pi * 220 * at / rate)
                    ),
                )
                for at in range(10 * rate)
            )
        )
    return path


class Person:
    """A browser page in the room."""

    def __init__(self, context: BrowserContext, page: Page, name: str) -> None:
        self.context = context
        self.page = page
        self.name = name

    @classmethod
    async def enter(cls, browser: Browser, server: RunningServer, name: str) -> Person:
        context = await browser.new_context()
        await context.add_init_script(PROBE)
        page = await context.new_page()
        person = cls(context, page, name)
        await page.goto(server.links.to(ROOM, "participant"))
        await page.get_by_label("How would you like to be called?").fill(name)
        await page.get_by_role("button", name="Join", exact=True).click()
        return person

    async def in_room(self) -> None:
        await self.page.get_by_test_id("room").wait_for(timeout=PATIENCE_MS)

    async def slot(self) -> int:
        own = self.page.get_by_test_id("tile").filter(has_text=self.name)
        return int(await own.first.get_attribute("data-slot") or "-1")

    async def first_decoded(self, mids: list[str]) -> dict[str, float]:
        """By mid, when its first frame was decoded, in Unix ms."""
        found: dict[str, float] = await self.page.evaluate(
            "([mids, ms]) => window.benchWatch(mids, Date.now() + ms)", [mids, PATIENCE_MS]
        )
        missing = [mid for mid in mids if mid not in found]
        if missing:
            raise RuntimeError(f"{self.name} never decoded {missing}")
        return {mid: found[mid] for mid in mids}

    async def forget(self, mids: list[str]) -> None:
        await self.page.evaluate("(mids) => mids.forEach((m) => delete benchFirst[m])", mids)

    async def concealed(self) -> dict[str, int]:
        found: dict[str, int] = await self.page.evaluate("() => window.benchConcealed()")
        return found


def mids_of(slots: list[int]) -> list[str]:
    return [f"{kind}{slot:x}" for slot in slots for kind in "av"]


async def gaps(people: list[Person], slots: list[int]) -> list[float]:
    """Ms of made-up sound of each of `slots` at each listener, from now on for `WATCHED_S`."""
    mids = {f"a{slot:x}" for slot in slots}
    before = [await person.concealed() for person in people]
    await asyncio.sleep(WATCHED_S)
    after = [await person.concealed() for person in people]
    return [
        (late[mid] - early[mid]) / 48
        for early, late in zip(before, after, strict=True)
        for mid in mids & early.keys() & late.keys()
    ]


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


async def measure(
    browser: Browser, server: RunningServer, people: int, rounds: int
) -> dict[str, float]:
    joined_at: dict[str, float] = {}
    """By name, in Unix ms, when the room took them in."""

    staying = [await Person.enter(browser, server, f"P{number}") for number in range(people)]
    for person in staying:
        await person.in_room()
    slots = [await person.slot() for person in staying]
    for person, slot in zip(staying, slots, strict=True):
        await person.first_decoded(mids_of([other for other in slots if other != slot]))
    room = server.rooms.open(ROOM)
    enter = room.enter

    def noting(*arguments: Any) -> Any:
        member = enter(*arguments)
        joined_at[member.name] = 1_000 * time()
        return member

    room.enter = noting  # type: ignore[method-assign,assignment] # only a time is noted
    quiet: list[float] = []
    rekey: list[float] = []
    delays: list[float] = []
    for number in range(rounds):
        quiet += await gaps(staying, slots)
        name = f"N{number}"
        newcomer, during = await asyncio.gather(
            Person.enter(browser, server, name), gaps_at_join(staying, slots, joined_at, name)
        )
        rekey += during
        await newcomer.in_room()
        own = await newcomer.slot()
        for person in staying:
            await person.forget(mids_of([own]))
        found = await asyncio.gather(
            newcomer.first_decoded(mids_of(slots)),
            *(person.first_decoded(mids_of([own])) for person in staying),
        )
        delays += [at - joined_at[name] for decoded in found for at in decoded.values()]
        await newcomer.page.get_by_role("button", name="Leave").click()
        rekey += await gaps(staying, slots)
        await newcomer.context.close()
    frames = [await person.page.evaluate("() => window.benchFrames()") for person in staying]
    seal = statistics.fmean(
        one["audio"]["seal"]["totalUs"] / one["audio"]["seal"]["frames"] for one in frames
    )
    open_ = statistics.fmean(
        one["audio"]["open"]["totalUs"] / one["audio"]["open"]["frames"] for one in frames
    )
    per_s = AUDIO_FRAMES_PER_S * (seal + (PEOPLE_IN_ESTIMATE - 1) * open_)
    return {
        "people": people,
        "joins": rounds,
        "join_to_decoded_ms_p50": round(percentile(delays, 0.5), 1),
        "join_to_decoded_ms_p95": round(percentile(delays, 0.95), 1),
        "rekey_gap_ms_p95": round(percentile(rekey, 0.95), 1),
        "quiet_gap_ms_p95": round(percentile(quiet, 0.95), 1),
        "seal_us": round(seal, 1),
        "open_us": round(open_, 1),
        "audio_core_percent": round(per_s / 10_000, 2),
    }


async def gaps_at_join(
    people: list[Person], slots: list[int], joined_at: dict[str, float], name: str
) -> list[float]:
    until = monotonic() + PATIENCE_MS / 1_000
    while name not in joined_at and monotonic() < until:
        await asyncio.sleep(0.01)
    return await gaps(people, slots)


async def run(people: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            host="127.0.0.1",
            port=0,
            data_dir=Path(folder),
            media_bind=["127.0.0.1"],
            media_port=0,
            room_capacity=people + 1,
        )
        audio = f"--use-file-for-fake-audio-capture={tone(Path(folder))}"
        async with running(settings) as server, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium(), args=[*CHROMIUM_FLAGS, *FAKE_DEVICES, audio]
            )
            try:
                return await measure(browser, server, people, rounds)
            finally:
                await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--people", type=int, default=5, help="who stay in the room")
    parser.add_argument("--rounds", type=int, default=10, help="joins and leaves of one more")
    parser.add_argument("--json", action="store_true", help="print the numbers only")
    arguments = parser.parse_args()
    result = asyncio.run(run(arguments.people, arguments.rounds))
    if not arguments.json:
        for key, value in result.items():
            print(f"{key:24} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
