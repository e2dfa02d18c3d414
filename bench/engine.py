"""What the moderation engine costs: ``python -m bench.engine --json``.

Plays one room in an open floor, where the engine has most to do: people take turns, talk over each
other, and send background noise in between. Each 20 ms tick is one event; time in ``handle`` is
measured for each, with the garbage collector off. Prints one JSON object as its last line:

- ``tick_us_p50``, ``tick_us_p99``: time for one tick of a room, in µs
- ``rooms_per_core``: rooms at 50 ticks a second that keep one core busy, from the mean
- ``effects_per_s``: effects the room brought about, in a second of its own time
- ``save_us``, ``saved_bytes``: time to save the room's state, in µs, and its size
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import tomllib
from pathlib import Path
from time import perf_counter_ns

from moderation import events as ev
from moderation.formats import Formats
from moderation.session import Session

FORMATS = Path(__file__).parents[1] / "config" / "formats"
TICKS_PER_S = 50
WARM_UP_S = 20

Frames = dict[str, tuple[int, bool]]


def conversation(people: list[str], ticks: int, seed: int = 1) -> list[Frames]:
    """Talk in which every third turn begins before the other's has ended."""
    rng = random.Random(seed)
    talking = {person: [False] * ticks for person in people}
    at = 0
    while at < ticks:
        length = rng.randrange(50, 400)
        speaker = rng.choice(people)
        for tick in range(at, min(at + length, ticks)):
            # Words with short gaps between them.
            talking[speaker][tick] = rng.random() < 0.9
        at += length + rng.choice([-75, 10, 30])
    return [
        {
            person: (rng.randrange(20, 35), True)
            if talking[person][tick]
            else (rng.randrange(70, 90), False)
            for person in people
        }
        for tick in range(ticks)
    ]


def measure(people: int, seconds: int) -> dict[str, float]:
    formats = Formats.parse(
        {path.stem: tomllib.loads(path.read_text()) for path in sorted(FORMATS.glob("*.toml"))}
    )
    session = Session(formats)
    names = [f"person-{number}" for number in range(people)]
    now = 1_800_000_000.0
    for name in names:
        session.handle(ev.Joined(name, "participant" if name != names[0] else "facilitator"), now)
    session.handle(ev.SetPhase(names[0], "work"), now)
    ticks = (seconds + WARM_UP_S) * TICKS_PER_S
    events = [ev.VoiceFrames(frames) for frames in conversation(names, ticks)]
    took: list[int] = []
    effects = 0
    gc.collect()
    gc.disable()
    for number, event in enumerate(events):
        before = perf_counter_ns()
        answer = session.handle(event, now + number / TICKS_PER_S)
        took.append(perf_counter_ns() - before)
        effects += len(answer)
    gc.enable()
    took = took[WARM_UP_S * TICKS_PER_S :]
    before = perf_counter_ns()
    saved = session.save()
    save_ns = perf_counter_ns() - before
    quantiles = statistics.quantiles(took, n=100)
    return {
        "people": people,
        "tick_us_p50": round(statistics.median(took) / 1e3, 1),
        "tick_us_p99": round(quantiles[98] / 1e3, 1),
        "rooms_per_core": round(1e9 / TICKS_PER_S / statistics.fmean(took)),
        "effects_per_s": round(effects / (ticks / TICKS_PER_S), 1),
        "save_us": round(save_ns / 1e3),
        "saved_bytes": len(saved),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", type=int, default=12, help="in the room (2 to 16)")
    parser.add_argument("--seconds", type=int, default=120, help="of talk, in the room's own time")
    parser.add_argument("--json", action="store_true", help="nothing but the JSON object")
    options = parser.parse_args()
    figures = measure(options.people, options.seconds)
    if not options.json:
        for name, value in figures.items():
            print(f"{name:>16} {value:>12,}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
