"""Bring simulated people into a room: ``python -m simulated LINK --people 5``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from simulated.company import company


async def run(link: str, people: int, seed: int, seconds: float | None) -> None:
    """Keep a room company, until Ctrl-C, SIGTERM or the end of the time."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with company(link, people, seed):
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            pass


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulated", description="Bring simulated people into a room."
    )
    parser.add_argument("link", help="a link for participants")
    parser.add_argument("--people", type=int, default=5, help="how many, 1 to 16 (default: 5)")
    parser.add_argument(
        "--seed", type=int, default=0, help="another number makes them behave otherwise"
    )
    parser.add_argument("--seconds", type=float, help="for how long (default: until Ctrl-C)")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.link, arguments.people, arguments.seed, arguments.seconds))
    except (ConnectionError, TimeoutError, ValueError) as error:
        print(f"simulated: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
