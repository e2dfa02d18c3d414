"""How soon moderation takes effect: ``python -m bench.live``.

Runs a server and prints one JSON object as its last line:

- ``decision_to_silence_ms_p50``, ``_p95``: from the engine's decision to mute someone who talks
  over another until the last of their packets has arrived at a listener, in ms
- ``onset_to_decision_ms_p50``: from when they began to talk until that decision, in ms
- ``help_to_console_ms_p50``, ``_p95``: in Chromium, from the click on "Ask for help" until the
  facilitator's console shows it, in ms
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from itertools import count
from pathlib import Path
from time import monotonic

from aiortc.rtcdtlstransport import RTCCertificate
from playwright.async_api import Browser, Page, async_playwright

from bench.browser import CHROMIUM_FLAGS, FAKE_DEVICES, chromium
from bench.relay import Person
from server.app import RunningServer, running
from server.settings import Settings
from signaling.messages import Role
from simulated.group import CIPHERSUITE

FRAME_S = 0.02
SYLLABLE = (50, 38, 28, 24, 22, 24, 28, 34, 42, 52)
"""Levels in -dBov over the 0.2 s of a syllable: what stays even is taken for noise."""
ROOM_NOISE = 75
FLOOR_HELD_S = 4.0
QUIET_S = 3.0
PATIENCE_S = 15.0
AFTER_S = 0.4
HEARD_S = 0.2


class Voice(Person):
    """Someone who sends audio alone, at a level that can be changed, and notes what they hear."""

    talking = False
    last_heard: dict[int, float]
    """By SSRC, when its last packet came."""

    def send_frame_at(self, tick: int) -> None:
        self.level = 0x80 | SYLLABLE[tick % len(SYLLABLE)] if self.talking else ROOM_NOISE
        self.send_audio()

    def receive(self, datagram: memoryview) -> None:
        if not 192 <= datagram[1] <= 223:
            self.last_heard[int.from_bytes(datagram[8:12], "big")] = monotonic()

    @classmethod
    async def enter(
        cls, server: RunningServer, name: str, role: Role, certificate: RTCCertificate
    ) -> Voice:
        token = server.links.to("bench", role).partition("#")[2]
        voice = cls(server.url, "bench", token, certificate)
        voice.last_heard = {}
        await voice.join(name)
        return voice


async def keep_sending(voices: list[Voice]) -> None:
    """One audio packet each, every 20 ms."""
    due = monotonic()
    for tick in count():
        for voice in voices:
            voice.send_frame_at(tick)
        due += FRAME_S
        await asyncio.sleep(due - monotonic())


async def interruptions(server: RunningServer, rounds: int) -> tuple[list[float], list[float]]:
    """Talk over someone until muted, over and over: ms to the decision, and to silence."""
    certificate = RTCCertificate.generateCertificate()
    fay = await Voice.enter(server, "Fay", "facilitator", certificate)
    ada = await Voice.enter(server, "Ada", "participant", certificate)
    ben = await Voice.enter(server, "Ben", "participant", certificate)
    room = server.rooms.rooms["bench"]
    member = room.members[ben.visitor.id]
    ssrc = ada.visitor.offer.slots[f"a{member.slot:x}"]
    closed: list[float] = []
    carry_out = room.set_voice

    def noting(person: str, is_open: bool) -> None:
        if person == member.id and not is_open:
            closed.append(monotonic())
        carry_out(person, is_open)

    room.set_voice = noting  # type: ignore[method-assign]
    sending = asyncio.create_task(keep_sending([fay, ada, ben]))
    decided: list[float] = []
    silent: list[float] = []
    for _ in range(rounds):
        await asyncio.sleep(QUIET_S)
        ada.talking = True
        await asyncio.sleep(FLOOR_HELD_S)
        closed.clear()
        onset = monotonic()
        ben.talking = True
        async with asyncio.timeout(PATIENCE_S):
            while not closed:
                await asyncio.sleep(FRAME_S)
        assert closed[0] - ada.last_heard[ssrc] < HEARD_S, "nobody heard them before the mute"
        await asyncio.sleep(AFTER_S)
        decided.append((closed[0] - onset) * 1e3)
        silent.append(max(0.0, ada.last_heard[ssrc] - closed[0]) * 1e3)
        ben.talking = False
        ada.talking = False
        await fay.visitor.request("forgive", {"who": member.id})
    sending.cancel()
    await asyncio.wait([sending])
    for voice in (fay, ada, ben):
        await voice.visitor.leave()
    return decided, silent


NOTE_CLICK = """
document.addEventListener('click', () => { window.clickedAt = Date.now(); }, true);
"""
NOTE_ALERT = """
new MutationObserver(() => {
  if (document.querySelector('[data-testid=alert][data-kind=help_asked][data-acknowledged=false]'))
    window.alertAt ??= Date.now();
}).observe(document, { childList: true, subtree: true, attributes: true });
"""


async def enter(browser: Browser, link: str, name: str, script: str) -> Page:
    page = await (await browser.new_context()).new_page()
    await page.add_init_script(script)
    await page.goto(link)
    await page.get_by_role("button", name="Turn camera off").click()
    await page.get_by_label("How would you like to be called?").fill(name)
    await page.get_by_role("button", name="Join", exact=True).click()
    await page.get_by_test_id("room").wait_for()
    return page


async def calls_for_help(server: RunningServer, rounds: int) -> list[float]:
    """Ask for help in one browser and see it in another, over and over; ms from click to sight."""
    times: list[float] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=CHROMIUM_FLAGS + FAKE_DEVICES
        )
        fay = await enter(browser, server.links.to("help", "facilitator"), "Fay", NOTE_ALERT)
        ada = await enter(browser, server.links.to("help", "participant"), "Ada", NOTE_CLICK)
        if not await fay.get_by_test_id("console").is_visible():
            await fay.get_by_role("button", name="Console").first.click()
        await ada.get_by_role("button", name="Help").first.click()
        for _ in range(rounds):
            await fay.evaluate("window.alertAt = undefined")
            await ada.get_by_role("button", name="Ask for help").click()
            await fay.wait_for_function("window.alertAt !== undefined")
            clicked = await ada.evaluate("window.clickedAt")
            times.append(await fay.evaluate("window.alertAt") - clicked)
            await fay.get_by_role("button", name="Seen").first.click()
            await asyncio.sleep(2.5)  # the server lets nobody press Help without end
        await browser.close()
    return times


async def measure(rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            port=0,
            data_dir=Path(folder),
            media_bind=["127.0.0.1"],
            media_port=0,
            room_capacity=4,
            ciphersuite=CIPHERSUITE,
        )
        async with running(settings) as server:
            decided, silent = await interruptions(server, rounds)
            helped = await calls_for_help(server, rounds)
    result: dict[str, float] = {"onset_to_decision_ms_p50": round(statistics.median(decided))}
    for name, times in (("decision_to_silence", silent), ("help_to_console", helped)):
        percentiles = statistics.quantiles(times, n=20, method="inclusive")
        result[f"{name}_ms_p50"] = round(percentiles[9], 1)
        result[f"{name}_ms_p95"] = round(percentiles[18], 1)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.live", description="How soon moderation takes effect."
    )
    parser.add_argument("--rounds", type=int, default=10, help="how often each is tried, from 2")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    arguments = parser.parse_args()
    if not arguments.json:
        print(f"{arguments.rounds} interruptions and as many calls for help ...")
    result = asyncio.run(measure(max(2, arguments.rounds)))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
