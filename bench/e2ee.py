"""End-to-end encryption in real browsers: ``python -m bench.e2ee``.

Runs a server and Chromium with people who speak all the time, lets one more join and leave over
and over, and prints one JSON object as its last line:

- ``join_to_decoded_ms_p50``, ``_p95``: from when the server has taken someone's join until they
  have decoded sound and a picture of each other person, and each of these theirs, in ms;
  ``join_to_heard_ms_*`` and ``join_to_seen_ms_*`` are the sound's and the pictures' part of it
- ``rekey_gap_ms_p95``: sound that a listener's jitter buffer had to make up (the standard's
  ``concealedSamples``, RFC 7294's concealment) of one speaker during each join or leave and
  for 2 s after it, in ms: not less than the longest gap in what was decoded
- ``quiet_gap_ms_p95``: the same over stretches of 2 s in which nobody came or went
- ``seal_us``, ``open_us``: wall time for one audio frame in the page's worker, in µs
- ``audio_core_percent``: CPU time of the page's worker and of its process's pool of threads, where
  its ciphers may run (with whatever else runs there), in a room of 12 where all send sound and
  nobody a picture, in percent of one core. The other eleven are simulated; suite 1
- ``audio_one_call_core_percent``: the same with a worker that calls WebCrypto's AES-GCM once for
  each frame, on what it already has in hand: the least that any sealing by WebCrypto takes
- ``audio_unsealed_core_percent``: the same with a worker that hands each frame on as it is: what
  the browser itself takes to lead frames through a worker. The rest is sealing and opening

Every page has the cores of this one machine and not those of its own. So the pages are the size of
a phone, pictures are small, and microphones are sent as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import statistics
import struct
import tempfile
import wave
from collections.abc import Awaitable
from pathlib import Path
from time import monotonic, time
from typing import Any

from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    Route,
    ViewportSize,
    async_playwright,
)

from bench.browser import CHROMIUM_FLAGS, FAKE_DEVICES, chromium
from moderation import events
from server.app import RunningServer, running
from server.settings import Settings
from signaling.messages import Role
from simulated.group import CIPHERSUITE
from simulated.participant import Participant
from simulated.voice import VOICES, silence, speak

ROOM = "bench"
PATIENCE_MS = 30_000
WATCHED_S = 2.0
AUDIO_FRAMES_PER_S = 50
PEOPLE_OF_COST = 12
COST_S = 10.0
SETTLED_S = 5.0
LOBBY_S = 2.0
"""Who comes looks at their own picture first."""
PICTURE = {"width": {"ideal": 320}, "height": {"ideal": 180}}
SOUND = {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}
SCREEN = ViewportSize(width=360, height=640)
"""Six pages that encode, decode and paint pictures of each other share the cores of one machine."""

_WORKER = """
const audio = { seal: { frames: 0, totalUs: 0 }, open: { frames: 0, totalUs: 0 } };
onrtctransform = async ({ transformer: { readable, writable, options } }) => {
  const reader = readable.getReader();
  const writer = writable.getWriter();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    audio[options.side].frames += 1;
    FRAME
  }
};
onmessage = ({ data }) => {
  if (data.type === 'stats') postMessage({ type: 'stats', id: data.id, stats: { audio } });
};
"""
UNSEALED = _WORKER.replace("FRAME", "writer.write(value).catch(() => undefined);")
"""A worker for the page that neither seals nor opens anything."""
ONE_CALL = (
    _WORKER.replace(
        "FRAME",
        "crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await key, value.data)"
        ".then(() => writer.write(value)).catch(() => undefined);",
    )
    + """
const iv = new Uint8Array(12);
const key = crypto.subtle.importKey('raw', new Uint8Array(32), 'AES-GCM', false, ['encrypt']);
"""
)
"""One that calls the cipher once for each frame, and does nothing else."""

PROBE = """
(() => {
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(...args) { super(...args); window.benchPeer = this; }
  };
  const devices = navigator.mediaDevices;
  const original = devices.getUserMedia.bind(devices);
  devices.getUserMedia = ({ audio, video }) =>
    original({
      audio: audio && { ...(audio === true ? {} : audio), ...SOUND },
      video: video && { ...(video === true ? {} : video), ...PICTURE },
    });
  const Original = window.Worker;
  window.Worker = class extends Original {
    constructor(...args) { super(...args); window.benchWorker = this; }
  };
  // When each m-line played or showed the next frame after now, on the clock of this machine. Not
  // by getStats, which takes as long on six pages as all else.
  window.benchNext = async (mids, patience) => {
    const first = {};
    const from = Date.now();
    while (Object.keys(first).length < mids.length && Date.now() < from + patience) {
      await new Promise((resolve) => setTimeout(resolve, 25)); // the page stands still as it looks
      for (const { mid, receiver } of window.benchPeer?.getTransceivers() ?? []) {
        if (mid in first || !mids.includes(mid)) continue;
        const at = receiver.getSynchronizationSources()[0]?.timestamp ?? 0;
        if (at > from) first[mid] = at;
      }
    }
    return first;
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
""".replace("PICTURE", json.dumps(PICTURE)).replace("SOUND", json.dumps(SOUND))


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
    async def arrive(
        cls,
        browser: Browser,
        server: RunningServer,
        name: str,
        role: Role = "participant",
        *,
        worker: str | None = None,
    ) -> Person:
        """Open the link, and have the name ready in the lobby; with `worker` in place of ours."""
        context = await browser.new_context(viewport=SCREEN)
        if worker is not None:

            async def fulfill(route: Route) -> None:
                await route.fulfill(content_type="text/javascript", body=worker)

            await context.route("**/assets/worker-*.js", fulfill)
        await context.add_init_script(PROBE)
        page = await context.new_page()
        await page.goto(server.links.to(ROOM, role))
        await page.get_by_label("How would you like to be called?").fill(name)
        return cls(context, page, name)

    async def join(self) -> None:
        await self.page.get_by_role("button", name="Join", exact=True).click()

    @classmethod
    async def enter(
        cls,
        browser: Browser,
        server: RunningServer,
        name: str,
        role: Role = "participant",
        *,
        worker: str | None = None,
    ) -> Person:
        person = await cls.arrive(browser, server, name, role, worker=worker)
        await person.join()
        return person

    async def in_room(self) -> None:
        await self.page.get_by_test_id("room").wait_for(timeout=PATIENCE_MS)

    async def slot(self) -> int:
        own = self.page.get_by_test_id("tile").filter(has_text=self.name)
        return int(await own.first.get_attribute("data-slot") or "-1")

    async def next_decoded(self, mids: list[str]) -> dict[str, float]:
        """By mid, when the next frame after now was decoded and played or shown, in Unix ms."""
        found: dict[str, float] = await self.page.evaluate(
            "([mids, ms]) => window.benchNext(mids, ms)", [mids, PATIENCE_MS]
        )
        missing = [mid for mid in mids if mid not in found]
        if missing:
            raise RuntimeError(f"{self.name} never decoded {missing}")
        return found

    async def frames(self) -> dict[str, Any]:
        """What the page's worker has counted."""
        found: dict[str, Any] = await self.page.evaluate("() => window.benchFrames()")
        return found

    async def concealed(self) -> dict[str, int]:
        found: dict[str, int] = await self.page.evaluate("() => window.benchConcealed()")
        return found


def mids_of(slots: list[int]) -> list[str]:
    return [f"{kind}{slot:x}" for slot in slots for kind in "av"]


async def gaps(
    people: list[Person], slots: list[int], what: Awaitable[object] | None = None
) -> list[float]:
    """Ms of made-up sound of each of `slots` at each listener, while `what` and for `WATCHED_S`."""
    mids = {f"a{slot:x}" for slot in slots}
    before = [await person.concealed() for person in people]
    if what is not None:
        await what
    await asyncio.sleep(WATCHED_S)
    after = [await person.concealed() for person in people]
    return [
        (late[mid] - early[mid]) / 48
        for early, late in zip(before, after, strict=True)
        for mid in mids & early.keys() & late.keys()
    ]


def _threads() -> dict[Path, int]:
    """CPU time so far, in clock ticks, of the threads that seal and open in our browser."""
    found: dict[Path, int] = {}
    parents = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            stat = (process / "stat").read_text().rpartition(")")[2].split()
            parents[int(process.name)] = int(stat[1])
    for pid in parents:
        ancestor: int | None = pid
        while ancestor is not None and ancestor != os.getpid():
            ancestor = parents.get(ancestor)
        if ancestor is None:
            continue
        with contextlib.suppress(OSError):
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            names = {task: (task / "comm").read_text().strip() for task in tasks}
            if not any(name.startswith("DedicatedWorker") for name in names.values()):
                continue
            for task, name in names.items():
                if name.startswith(("DedicatedWorker", "ThreadPoolForeg")):
                    stat = (task / "stat").read_text().rpartition(")")[2].split()
                    found[task] = int(stat[11]) + int(stat[12])
    return found


async def cost_of_audio(browser: Browser, folder: Path, worker: str | None) -> float:
    """Percent of one core; see the top of this file."""
    settings = _settings(folder, PEOPLE_OF_COST).model_copy(update={"ciphersuite": CIPHERSUITE})
    async with running(settings) as server:
        link = server.links.to(ROOM, "participant")
        others = [
            Participant(link, f"S{number}", camera=False) for number in range(PEOPLE_OF_COST - 1)
        ]
        for other in others:
            await other.join()
        # Speech by its bytes, but as loud as silence: moderation would mute twelve voices at once.
        speech, level = speak(VOICES[0], "And this is how we all talk at once."), silence().level
        stop = asyncio.Event()

        async def keep_sending() -> None:
            due, tick = monotonic(), 0
            while not stop.is_set():
                for other in others:
                    other.send_audio(speech[tick % len(speech)].opus, level)
                tick += 1
                due += 1 / AUDIO_FRAMES_PER_S
                await asyncio.sleep(due - monotonic())

        sending = asyncio.create_task(keep_sending())
        try:
            person = await Person.enter(browser, server, "P", worker=worker)
            await person.in_room()
            await person.page.get_by_role("button", name="Camera off").click()
            own = await person.slot()
            slots = [slot for slot in range(PEOPLE_OF_COST) if slot != own]
            await asyncio.sleep(SETTLED_S)
            before, began = _threads(), monotonic()
            opened = (await person.frames())["audio"]["open"]["frames"]
            await asyncio.sleep(COST_S)
            after, seconds = _threads(), monotonic() - began
            opened = (await person.frames())["audio"]["open"]["frames"] - opened
            expected = AUDIO_FRAMES_PER_S * len(slots) * seconds
            if opened < 0.95 * expected:
                raise RuntimeError(f"only {opened} of {expected:.0f} frames came through")
            await person.context.close()
        finally:
            stop.set()
            await sending
            for other in others:
                await other.leave()
    ticks = sum(count - before.get(task, 0) for task, count in after.items())
    return 100 * ticks / os.sysconf("SC_CLK_TCK") / seconds


def _settings(folder: Path, capacity: int) -> Settings:
    return Settings(
        host="127.0.0.1",
        port=0,
        data_dir=folder,
        media_bind=["127.0.0.1"],
        media_port=0,
        room_capacity=capacity,
        log_level="error",
    )


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


async def measure(
    browser: Browser, server: RunningServer, people: int, rounds: int
) -> dict[str, float]:
    joined_at: dict[str, float] = {}
    """By name, in Unix ms, when the room took them in."""

    staying = [await Person.enter(browser, server, "P0", "facilitator")]
    staying += [await Person.enter(browser, server, f"P{n}") for n in range(1, people)]
    for person in staying:
        await person.in_room()
    slots = [await person.slot() for person in staying]
    for person, slot in zip(staying, slots, strict=True):
        await person.next_decoded(mids_of([other for other in slots if other != slot]))
    room = server.rooms.rooms[ROOM]
    facilitator = next(one.id for one in room.members.values() if one.role == "facilitator")
    # They all talk at the same time, all the time, and are to be heard.
    room.moderator.command(events.SetLadder(by=facilitator, on=False))
    enter = room.enter

    def noting(*arguments: Any) -> Any:
        member = enter(*arguments)
        joined_at[member.name] = 1_000 * time()
        return member

    room.enter = noting  # type: ignore[method-assign,assignment] # only a time is noted
    quiet: list[float] = []
    rekey: list[float] = []
    delays: dict[str, list[float]] = {"a": [], "v": []}
    free = next(slot for slot in range(people + 1) if slot not in slots)
    for number in range(rounds):
        quiet += await gaps(staying, slots)
        name = f"N{number}"
        newcomer = await Person.arrive(browser, server, name)
        await asyncio.sleep(LOBBY_S)
        found: list[dict[str, float]] = []

        async def join(newcomer: Person = newcomer, found: list[dict[str, float]] = found) -> None:
            watching = [
                newcomer.next_decoded(mids_of(slots)),
                *(one.next_decoded(mids_of([free])) for one in staying),
            ]
            joining = asyncio.create_task(newcomer.join())
            found += await asyncio.gather(*watching)
            await joining

        rekey += await gaps(staying, slots, join())
        for decoded in found:
            for mid, at in decoded.items():
                delays[mid[0]].append(at - joined_at[name])
        rekey += await gaps(
            staying, slots, newcomer.page.get_by_role("button", name="Leave").click()
        )
        await newcomer.context.close()
    frames = [await person.frames() for person in staying]
    for person in staying:
        await person.context.close()
    seal = statistics.fmean(
        one["audio"]["seal"]["totalUs"] / one["audio"]["seal"]["frames"] for one in frames
    )
    open_ = statistics.fmean(
        one["audio"]["open"]["totalUs"] / one["audio"]["open"]["frames"] for one in frames
    )
    return {
        "people": people,
        "joins": rounds,
        **{
            f"join_to_{what}_ms_p{share}": round(percentile(values, share / 100), 1)
            for what, values in (
                ("decoded", delays["a"] + delays["v"]),
                ("heard", delays["a"]),
                ("seen", delays["v"]),
            )
            for share in (50, 95)
        },
        "rekey_gap_ms_p95": round(percentile(rekey, 0.95), 1),
        "quiet_gap_ms_p95": round(percentile(quiet, 0.95), 1),
        "seal_us": round(seal, 1),
        "open_us": round(open_, 1),
    }


async def run(people: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audio = f"--use-file-for-fake-audio-capture={tone(folder)}"
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium(),
                args=[*CHROMIUM_FLAGS, *FAKE_DEVICES, audio],
            )
            try:
                async with running(_settings(folder, people + 1)) as server:
                    result = await measure(browser, server, people, rounds)
                for key, worker in (
                    ("audio_core_percent", None),
                    ("audio_one_call_core_percent", ONE_CALL),
                    ("audio_unsealed_core_percent", UNSEALED),
                ):
                    cost = await cost_of_audio(browser, folder, worker)
                    result[key] = round(cost, 2)
            finally:
                await browser.close()
    return result


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
