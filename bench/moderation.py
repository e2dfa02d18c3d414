"""How well interruptions are told from the rest: ``python -m bench.moderation --json``.

Plays recorded meetings with human labels through the listening half of the moderation engine and
compares. ``--data DIR`` names a folder with ``timeline.csv.gz`` and ``overlaps.csv.gz`` as
described in the README of the default folder, ``../shared/data/meetings``; ``--split val`` takes
only the meetings of that split. Prints one JSON object as its last line; in it, under ``nudge``
and under ``mute``:

- ``precision``: the part of the decisions that fell on an interruption; decisions on what the
  labellers left unlabelled are not counted
- ``recall``: the part of the interruptions, but for those begun in a pause, that was decided on
- ``f1``: the harmonic mean of the two
- ``backchannel_false_rate``: the part of the backchannels that was decided on
- ``latency_ms_p50``: median time from the onset of the talk spurt to the decision, in ms
- ``decisions``: how many there were

and, beside these, ``speed_x_realtime``: how many seconds of meeting were played in one second,
``meetings`` and ``hours``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

from moderation.judgement import Judgement, Rung
from moderation.replay import listen

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data" / "meetings"
INTERRUPTIONS = frozenset({"INT", "INTRUDE"})
BACKCHANNEL = "BC"
UNLABELLED = "UNL"
NEAR_S = 0.3
"""A decision belongs to the row whose onset is nearest to its spurt's, if no farther than this."""
_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of one speaker into another's talk, as people labelled it; times in s."""

    challenger: str
    onset: float
    end: float
    label: str
    onset_in_pause: bool


@dataclass(slots=True)
class Meeting:
    voiced: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    length_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What a judgement with a rung comes down to; times in s."""

    rung: str
    challenger: str
    onset: float
    decided_at: float


class Score:
    """Decisions of one rung against rows, over many meetings."""

    def __init__(self) -> None:
        self.decisions = self.right = 0
        self.found = self.to_find = 0
        self.backchannels_hit = self.backchannels = 0
        self.latencies: list[float] = []

    def add(self, rows: Sequence[Row], decisions: Iterable[Decision]) -> None:
        """Take in one meeting."""
        wanted = {
            at
            for at, row in enumerate(rows)
            if row.label in INTERRUPTIONS and not row.onset_in_pause
        }
        backchannels = {at for at, row in enumerate(rows) if row.label == BACKCHANNEL}
        matched: set[int] = set()
        find = Matcher(rows)
        for decision in decisions:
            at = find.row(decision.challenger, decision.onset)
            label = None if at is None else rows[at].label
            if at is not None:
                matched.add(at)
            if label == UNLABELLED:
                continue
            self.decisions += 1
            self.right += label in INTERRUPTIONS
            self.latencies.append(decision.decided_at - decision.onset)
        self.to_find += len(wanted)
        self.found += len(wanted & matched)
        self.backchannels += len(backchannels)
        self.backchannels_hit += len(backchannels & matched)

    def result(self) -> dict[str, float | int | None]:
        precision = _part(self.right, self.decisions)
        recall = _part(self.found, self.to_find)
        both = (precision or 0.0) + (recall or 0.0)
        return {
            "precision": _rounded(precision),
            "recall": _rounded(recall),
            "f1": round(2 * (precision or 0.0) * (recall or 0.0) / both, 4) if both else 0.0,
            "backchannel_false_rate": _rounded(_part(self.backchannels_hit, self.backchannels)),
            "latency_ms_p50": round(median(self.latencies) * 1e3) if self.latencies else None,
            "decisions": self.decisions,
        }


class Matcher:
    """Finds the row that a decision belongs to."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._of: dict[str, list[tuple[float, int]]] = {}
        for at, row in enumerate(rows):
            self._of.setdefault(row.challenger, []).append((row.onset, at))
        for onsets in self._of.values():
            onsets.sort()

    def row(self, challenger: str, onset: float) -> int | None:
        """The index of the challenger's row nearest to ``onset``, or the one around it."""
        onsets = self._of.get(challenger, [])
        at = bisect_left(onsets, (onset, -1))
        beside = onsets[max(0, at - 1) : at + 1]
        nearest = min(beside, key=lambda found: abs(found[0] - onset), default=None)
        if nearest and abs(nearest[0] - onset) <= NEAR_S + _EPSILON_S:
            return nearest[1]
        for start, index in reversed(onsets[:at]):
            if start <= onset <= self._rows[index].end:
                return index
        return None


def read(folder: Path, split: str | None = None) -> dict[str, Meeting]:
    """The meetings of a folder, or of one split in it."""
    meetings: dict[str, Meeting] = {}
    for line in _lines(folder / "timeline.csv.gz", split):
        meeting = meetings.setdefault(line["meeting"], Meeting())
        meeting.length_s = max(meeting.length_s, float(line["end"]))
        intervals = meeting.voiced.setdefault(line["speaker"], [])
        for interval in filter(None, line["voiced"].split(";")):
            start, _, end = interval.partition("-")
            intervals.append((float(start), float(end)))
    for line in _lines(folder / "overlaps.csv.gz", split):
        meetings.setdefault(line["meeting"], Meeting()).rows.append(
            Row(
                line["challenger"],
                float(line["onset"]),
                float(line["end"]),
                line["class"],
                line["onset_in_pause"] == "1",
            )
        )
    return meetings


def run(meetings: Iterable[Meeting]) -> dict[str, object]:
    """Play, score, and measure how fast it was."""
    scores = {rung.value: Score() for rung in Rung}
    played_s = took_s = 0.0
    count = 0
    for meeting in meetings:
        began = perf_counter()
        decisions = list(_decisions(listen(meeting.voiced)))
        took_s += perf_counter() - began
        played_s += meeting.length_s
        count += 1
        for rung, score in scores.items():
            score.add(meeting.rows, [found for found in decisions if found.rung == rung])
    return {
        **{rung: score.result() for rung, score in scores.items()},
        "speed_x_realtime": round(played_s / took_s) if took_s else 0,
        "meetings": count,
        "hours": round(played_s / 3600, 2),
    }


def _decisions(judgements: Iterable[Judgement]) -> Iterator[Decision]:
    for judgement in judgements:
        if judgement.rung:
            yield Decision(
                judgement.rung.value, judgement.challenger, judgement.onset, judgement.decided_at
            )


def _lines(path: Path, split: str | None) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if split is None or line["split"] == split:
                yield line


def _part(some: int, all_: int) -> float | None:
    return some / all_ if all_ else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="bench.moderation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, metavar="DIR")
    parser.add_argument("--split", help="train, val, or whatever the folder has; default: all")
    options = parser.parse_args(arguments)
    missing = [
        name
        for name in ("timeline.csv.gz", "overlaps.csv.gz")
        if not (options.data / name).is_file()
    ]
    if missing:
        parser.error(f"{options.data} has no {' and no '.join(missing)}; name a folder with --data")
    meetings = read(options.data, options.split)
    if not meetings:
        parser.error(f"no meetings of split {options.split!r} in {options.data}")
    result = run(meetings.values())
    if not options.json:
        for rung in Rung:
            print(f"{rung.value}: {result[rung.value]}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
