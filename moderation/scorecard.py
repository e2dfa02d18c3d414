"""How sure the engine is that coming in on someone's talk is an interruption: a sum of points.

Ten points more multiply the odds by e (a logistic model with weights in whole points), and the
sum is such that entries are worth a nudge from 0 points on. Every factor is a short table that
can be read: so many points when the signal lies between these edges. The points were fitted on
recorded meetings with human labels; which, how and how well is told in
``docs/moderation-listening.md``. No factor looks at who people are or at how they behaved before
this entry: what counts is the entry.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from moderation.entry import Signals
from moderation.judgement import Factor
from moderation.rhythm import FRAMES_PER_S

BASE_POINTS = -11


@dataclass(frozen=True, slots=True)
class Table:
    """One factor. ``points`` has one number more than ``edges_ms`` has edges."""

    name: str
    """Of the factor and of the signal it looks at."""
    edges_ms: tuple[int, ...]
    points: tuple[int, ...]
    says_more: str
    """The reason in words where the points are positive; {value} is the signal in s."""
    says_less: str
    """The same where they are negative."""


VICTIM_TALK = Table(
    "victim_talk",
    (200, 300, 400, 500, 600, 800, 1_000, 1_300, 1_800),
    (-8, -5, -3, -3, 7, 10, 10, 12, 15, 16),
    "{victim} talked on for {value} s",
    "{victim} talked on for only {value} s",
)
SPURT = Table(
    "spurt",
    (300, 600, 800, 1_000, 1_200, 1_500, 2_000),
    (-9, -9, -4, 0, 1, 1, 3, 4),
    "{challenger} talked for {value} s in one go",
    "{challenger} first said no more than {value} s",
)
VICTIM_STOP = Table(
    "victim_stop",
    (60, 160, 260, 360, 460, 700, 1_200),
    (-1, 0, -2, -3, -4, 5, 4, 2),
    "{victim} gave way only after {value} s",
    "{victim} stopped after {value} s, as at the end of a turn",
)
VICTIM_SILENCE = Table(
    "victim_silence",
    (20, 200, 500, 1_000),
    (-4, -3, -1, 1, 1),
    "{victim} has been silent for {value} s",
    "{victim} is still talking",
)
VICTIM_AGAIN = Table(
    "victim_again",
    (20, 200, 500),
    (0, 4, 1, -3),
    "{victim} tried to go on",
    "{victim} has gone on talking",
)
INTO_PAUSE = Table(
    "into_pause",
    (20, 80, 160),
    (3, -2, -3, -5),
    "{challenger} began while {victim} was speaking",
    "{challenger} began in a pause of {victim}'s",
)
SHARE = Table(
    "share",
    (500, 700, 800, 900, 970),
    (-11, -5, -2, 0, 0, 2),
    "{challenger} talked without a pause",
    "{challenger} was silent for part of the time",
)
AGE = Table(
    "age",
    (1_200, 1_500, 1_900, 2_400),
    (-7, 1, -1, -2, -2),
    "enough has been heard",
    "it is early to tell, or long past",
)

EARLY_EDGES_MS = (60, 160, 260, 360, 460)
"""Overlap in the first half second ..."""
STANDING_EDGES_MS = (500, 1_200, 2_000)
"""... by how much the victim had talked in the last 3 s."""
EARLY_POINTS = (
    (-12, -10, 1, 3, 6, 6),
    (-4, -6, 3, 4, 5, 8),
    (0, 0, 3, 3, 4, 5),
    (1, 1, 1, 1, 3, 3),
)
"""Of someone who has hardly begun, only a clear overlap is talked over; one who has been talking
for long may be resting in what sounds like silence."""

LOUDER_DB = 6.0
LOUDER_POINTS = 3
"""Louder than usual by this much: a competing voice (French & Local 1983). Set by judgement, not
fitted: the labelled meetings come without levels. It counts nothing where no level is known."""


def _frames(edges_ms: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(edge * FRAMES_PER_S // 1_000 for edge in edges_ms)


_TIMED = tuple(
    (table, _frames(table.edges_ms))
    for table in (VICTIM_TALK, SPURT, VICTIM_STOP, VICTIM_SILENCE, VICTIM_AGAIN, INTO_PAUSE, AGE)
)
_EARLY_EDGES = _frames(EARLY_EDGES_MS)
_STANDING_EDGES = _frames(STANDING_EDGES_MS)


def score(signals: Signals) -> int:
    """The points of an entry at one moment."""
    points = BASE_POINTS
    for table, edges in _TIMED:
        points += table.points[bisect_right(edges, getattr(signals, table.name))]
    points += SHARE.points[bisect_right(SHARE.edges_ms, _share(signals))]
    points += _early(signals)
    if signals.rise_db >= LOUDER_DB:
        points += LOUDER_POINTS
    return points


def factors(signals: Signals, most: int = 4) -> tuple[Factor, ...]:
    """The factors that weighed most in ``score(signals)``, the weightiest first."""
    found = [
        _factor(table, edges, getattr(signals, table.name), signals) for table, edges in _TIMED
    ]
    share = SHARE.points[bisect_right(SHARE.edges_ms, _share(signals))]
    found.append(Factor("share", share, SHARE.says_more if share > 0 else SHARE.says_less))
    early = _early(signals)
    value = f"{signals.early / FRAMES_PER_S:.1f}"
    if early > 0:
        says = f"both talked for {value} s of the first half second"
    elif signals.victim_talk_3s < _STANDING_EDGES[1]:
        says = "{victim} had hardly begun to talk"
    else:
        says = f"both talked for only {value} s of the first half second"
    found.append(Factor("early", early, says))
    if signals.rise_db >= LOUDER_DB:
        says = f"{{challenger}} was {signals.rise_db:.0f} dB louder than usual"
        found.append(Factor("louder", LOUDER_POINTS, says))
    weighty = [factor for factor in found if factor.points]
    weighty.sort(key=lambda factor: (-abs(factor.points), factor.name))
    return tuple(weighty[:most])


def _factor(table: Table, edges: tuple[int, ...], value: int, signals: Signals) -> Factor:
    points = table.points[bisect_right(edges, value)]
    says = table.says_more if points > 0 else table.says_less
    if table is VICTIM_STOP and signals.victim_stop >= signals.age:
        says = "{victim} has not given way"
    return Factor(table.name, points, says.replace("{value}", f"{value / FRAMES_PER_S:.1f}"))


def _share(signals: Signals) -> int:
    """The voiced part of the challenger's time, in thousandths."""
    return signals.talk * 1_000 // signals.age


def _early(signals: Signals) -> int:
    row = EARLY_POINTS[bisect_right(_STANDING_EDGES, signals.victim_talk_3s)]
    return row[bisect_right(_EARLY_EDGES, signals.early)]
