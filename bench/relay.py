"""What a forwarded packet costs: ``python -m bench.relay --rooms 4 --people 8 --seconds 10``.

Starts a server pinned to one core, and from another core plays rooms in which everyone sends
50 audio packets of 100 bytes and 90 video packets of 1,100 bytes a second (30 frames of three) to
everyone else. Prints one JSON object as its last line:

- ``forwarded_per_s``: packets a second that arrived at their sinks
- ``cpu_us_per_forwarded``: user and system time of the server process for each of them, in µs
- ``latency_ms_p50``, ``latency_ms_p99``: from before sending to the sink having received, in ms
- ``loss``: the part of the packets sent that did not arrive
- ``rss_mb_per_person``: growth of the server's resident memory for each person, in MB
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import struct
from heapq import heappop, heappush
from pathlib import Path
from time import monotonic, monotonic_ns

from aiortc.rtcdtlstransport import RTCCertificate

from bench.server_process import server_process
from relay.profile import OPUS_PAYLOAD_TYPE, VP8_PAYLOAD_TYPE
from simulated.group import CIPHERSUITE
from simulated.visitor import Visitor

AUDIO_BYTES = 100
VIDEO_BYTES = 1_100
FRAMES_PER_S = 30
PACKETS_PER_FRAME = 3
AUDIO_PER_S = 50
SAMPLE_EVERY = 16
"""Latency is read from every sixteenth packet: it must be decrypted for that."""
WARM_UP_S = 2.0
DRAIN_S = 1.0

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in s (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


class Person:
    """One simulated person: makes packets and counts those of the others."""

    def __init__(self, url: str, room: str, token: str, certificate: RTCCertificate) -> None:
        self.visitor = Visitor(url, room, token, certificate, self.receive)
        self.media: set[int] = set()
        """The SSRCs of the media that count: retransmissions do not."""
        self.received = 0
        self.sent = 0
        self.latencies: list[float] = []
        self.measuring = False
        self.level = 0x80 | 30
        """The audio level extension's byte: voice bit and level in -dBov (RFC 6464)."""
        self._seq = {"mi": 0, "ca": 0}
        self._header = struct.Struct("!BBHIIHHBBB3sBx")

    async def join(self, name: str) -> None:
        await self.visitor.join(name)
        self.media = set(self.visitor.offer.slots.values())

    def receive(self, datagram: memoryview) -> None:
        if 192 <= datagram[1] <= 223:
            return
        (ssrc,) = struct.unpack_from("!I", datagram, 8)
        if ssrc not in self.media:
            return
        self.received += 1
        if self.measuring and self.received % SAMPLE_EVERY == 0:
            arrived = monotonic_ns()
            packet = self.visitor.client.srtp_in.unprotect(bytes(datagram))
            (sent,) = struct.unpack_from("!Q", packet, 24)
            self.latencies.append((arrived - sent) / 1e6)

    def send_audio(self) -> None:
        self._send("mi", OPUS_PAYLOAD_TYPE, 960 * self._seq["mi"], AUDIO_BYTES)

    def send_frame(self) -> None:
        timestamp = 3_000 * (self._seq["ca"] // PACKETS_PER_FRAME)
        for index in range(PACKETS_PER_FRAME):
            marker = 0x80 if index == PACKETS_PER_FRAME - 1 else 0
            self._send("ca", VP8_PAYLOAD_TYPE | marker, timestamp, VIDEO_BYTES)

    def _send(self, mid: str, payload_type: int, timestamp: int, size: int) -> None:
        """Header, level and abs-send-time, the time of sending in ns, and filling."""
        client = self.visitor.client
        seq = self._seq[mid]
        self._seq[mid] = seq + 1
        send_time = (int(monotonic() * 0x40000) & 0xFFFFFF).to_bytes(3, "big")
        header = self._header.pack(
            0x90,
            payload_type,
            seq & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            client.ssrcs[mid].main,
            0xBEDE,
            2,
            0x10,
            self.level,
            0x22,
            send_time,
            0,
        )
        filling = bytes(size - len(header) - 8)
        client.send_rtp(header + struct.pack("!Q", monotonic_ns()) + filling)
        self.sent += 1


async def play(people: list[Person], until: float) -> None:
    """Let everyone send at their own even pace, each starting at another moment."""
    start = monotonic()
    schedule: list[tuple[float, int, int, float]] = []
    for index, _ in enumerate(people):
        for kind, period in enumerate((1 / AUDIO_PER_S, 1 / FRAMES_PER_S)):
            heappush(schedule, (start + period * index / len(people), index, kind, period))
    while schedule and (now := monotonic()) < until:
        while schedule[0][0] <= now:
            due, index, kind, period = heappop(schedule)
            person = people[index]
            (person.send_frame if kind else person.send_audio)()
            heappush(schedule, (due + period, index, kind, period))
        await asyncio.sleep(min(max(schedule[0][0] - monotonic(), 0.0), 0.001))


async def measure(rooms: int, people: int, seconds: float) -> dict[str, float]:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(0, cpus[1:])
    certificate = RTCCertificate.generateCertificate()
    arguments = (
        f"--room-capacity={max(people, 2)}",
        f"--max-rooms={max(rooms, 1)}",
        f"--ciphersuite={CIPHERSUITE}",
    )
    async with server_process(*arguments, cpu=cpus[0]) as server:
        before = rss_mb(server.pid)
        everyone: list[Person] = []
        for room in range(rooms):
            name = f"bench-{room}"
            token = server.token(name)
            members = [Person(server.url, name, token, certificate) for _ in range(people)]
            for index, person in enumerate(members):
                await person.join(f"Person {index + 1}")
            everyone += members
        async with asyncio.timeout(10):
            while any(person.visitor.connected < people for person in everyone):
                await asyncio.sleep(0.05)
        gc.freeze()

        warm_until = monotonic() + WARM_UP_S
        until = warm_until + seconds
        playing = asyncio.create_task(play(everyone, until))
        await asyncio.sleep(WARM_UP_S)
        for person in everyone:
            person.measuring = True
        cpu_before = cpu_seconds(server.pid)
        received_before = sum(person.received for person in everyone)
        measured_from = monotonic()
        await playing
        measured_s = monotonic() - measured_from
        cpu = cpu_seconds(server.pid) - cpu_before
        received = sum(person.received for person in everyone) - received_before
        memory = rss_mb(server.pid) - before
        for person in everyone:
            person.measuring = False
        await asyncio.sleep(DRAIN_S)
        sent = sum(person.sent for person in everyone) * (people - 1)
        arrived = sum(person.received for person in everyone)
        latencies = [latency for person in everyone for latency in person.latencies]
        for person in everyone:
            await person.visitor.leave()
    percentiles = statistics.quantiles(latencies, n=100)
    return {
        "forwarded_per_s": round(received / measured_s),
        "cpu_us_per_forwarded": round(cpu / received * 1e6, 2),
        "latency_ms_p50": round(percentiles[49], 3),
        "latency_ms_p99": round(percentiles[98], 3),
        "loss": round(max(0.0, 1 - arrived / sent), 6),
        "rss_mb_per_person": round(memory / len(everyone), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.relay", description="What a forwarded packet costs the server."
    )
    parser.add_argument("--rooms", type=int, default=1, help="rooms played at once")
    parser.add_argument("--people", type=int, default=8, help="people in each room")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long is measured")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    arguments = parser.parse_args()
    if not arguments.json:
        print(f"{arguments.rooms} rooms of {arguments.people} for {arguments.seconds:g} s ...")
    result = asyncio.run(measure(arguments.rooms, arguments.people, arguments.seconds))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
