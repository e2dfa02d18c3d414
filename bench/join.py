"""How long joining takes: ``python -m bench.join --people 12``.

Starts a server and lets people join one room one after the other, where those who are in already
speak. Prints one JSON object as its last line: ``join_ms_p50`` and ``join_ms_p95``, from opening
the socket to the first media packet received, in ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from time import monotonic

from aiortc.rtcdtlstransport import RTCCertificate

from bench.relay import Person, play
from bench.server_process import server_process
from simulated.group import CIPHERSUITE

ROUNDS = 5
FIRST_MEDIA_TIMEOUT_S = 10.0


async def join_round(url: str, room: str, token: str, people: int) -> list[float]:
    """Fill a room; the time that each person but the first took, in ms."""
    certificate = RTCCertificate.generateCertificate()
    inside: list[Person] = []
    times: list[float] = []
    for index in range(people):
        person = Person(url, room, token, certificate)
        speaking = asyncio.create_task(play(inside, monotonic() + FIRST_MEDIA_TIMEOUT_S))
        await asyncio.sleep(0.1)
        opened = monotonic()
        await person.join(f"Person {index + 1}")
        if inside:
            async with asyncio.timeout(FIRST_MEDIA_TIMEOUT_S):
                while not person.received:
                    await asyncio.sleep(0.001)
            times.append((monotonic() - opened) * 1e3)
        speaking.cancel()
        await asyncio.wait([speaking])
        inside.append(person)
    for person in inside:
        await person.visitor.leave()
    return times


async def measure(people: int) -> dict[str, float]:
    times: list[float] = []
    async with server_process(
        f"--room-capacity={people}", f"--ciphersuite={CIPHERSUITE}"
    ) as server:
        for number in range(ROUNDS):
            room = f"bench-{number}"
            times += await join_round(server.url, room, server.token(room), people)
    percentiles = statistics.quantiles(times, n=100)
    return {"join_ms_p50": round(percentiles[49], 1), "join_ms_p95": round(percentiles[94], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.join", description="How long it takes to join a room."
    )
    parser.add_argument("--people", type=int, default=12, help="people in the room, 2 to 16")
    parser.add_argument("--json", action="store_true", help="print nothing but the JSON object")
    arguments = parser.parse_args()
    if not arguments.json:
        print(f"{ROUNDS} rooms of {arguments.people} ...")
    print(json.dumps(asyncio.run(measure(arguments.people))))


if __name__ == "__main__":
    main()
