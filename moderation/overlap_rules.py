"""The thresholds of judging overlaps: the ``[overlap]`` table of a format's TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class OverlapRules:
    """Keys ending in ``_ms`` are milliseconds, in ``_points`` points of the scorecard: ten more
    multiply the odds that it is an interruption by e (see ``moderation.scorecard``).
    """

    nudge_after_ms: int = 1_000
    """No nudge earlier than so long after the challenger came in."""
    nudge_points: float = 0.0
    """From so many points on an entry is nudged. More points, fewer nudges."""
    mute_after_ms: int = 1_800
    """No mute before the challenger has talked so long in one go, and none at all for who began in
    the victim's pause."""
    mute_points: float = 12.0
    """From so many points on the challenger is muted. Not fewer than for a nudge."""
    mute_victim_talk_ms: int = 520
    """No mute where the victim stopped, if only for a moment, sooner than so long after the
    challenger came in: they may just have finished what they were saying."""
    look_ms: int = 3000
    """After so long an entry is no longer one: whoever talks then has the turn or shares it."""
    victim_talking_ms: int = 220
    """Talk shorter than this is not come in on: who starts at the same time interrupts nobody."""
    pause_ms: int = 300
    """The longest pause of the victim that still belongs to their talk."""
    backchannel_ms: int = 700
    """Entries up to this long that leave the floor where it was are backchannels; longer ones that
    nobody minded are cooperative."""
    follow_ms: int = 1000
    """What follows for so long after the challenger's spurt decides what the entry was."""
    floor_take_ms: int = 1000
    """So much talk in the last 1.5 s, the holder silent, takes the conversational floor."""
    floor_empty_ms: int = 3000
    """After so much silence of its holder and everyone else nobody has it."""

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if name.endswith("_points"):
                if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
                    raise ValueError(f"overlap.{name} must be a number, not {value!r}")
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"overlap.{name} must be a whole number of ms, not {value!r}")
            least, most = _RANGE_MS[name]
            if not least <= value <= most:
                raise ValueError(f"overlap.{name} must be from {least} to {most} ms, not {value}")
        if self.mute_after_ms < self.nudge_after_ms:
            raise ValueError("overlap.mute_after_ms must not be less than overlap.nudge_after_ms")
        if self.mute_points < self.nudge_points:
            raise ValueError("overlap.mute_points must not be less than overlap.nudge_points")

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> OverlapRules:
        """The rules of an ``[overlap]`` table; what it leaves out is as by default.

        Raises ``ValueError``, naming the key, for one that is unknown or has no sensible value.
        """
        known = [field.name for field in fields(cls)]
        for key in data:
            if key not in known:
                raise ValueError(f"overlap.{key} is not known; there are: {', '.join(known)}")
        return cls(**data)


_RANGE_MS = {
    "nudge_after_ms": (500, 5_000),
    "mute_after_ms": (500, 5_000),
    "mute_victim_talk_ms": (0, 3_000),
    "look_ms": (1_000, 5_000),
    "victim_talking_ms": (0, 2_000),
    "pause_ms": (0, 1_000),
    "backchannel_ms": (0, 2_000),
    "follow_ms": (0, 2_000),
    "floor_take_ms": (100, 1_500),
    "floor_empty_ms": (500, 9_000),
}
"""The scorecard looks at the first half second, so nothing is judged before it is over; histories
last 10 s, so nothing looks back further."""
