"""One person coming in on another's talk, and the signals by which it is judged.

What the signals mean is old knowledge about turn-taking: Sacks, Schegloff & Jefferson (1974) and
Schegloff (2000) on overlap and how it is resolved; Jefferson (1984) on onsets near the end of a
turn; Yngve (1970) and Ward & Tsukahara (2000) on backchannels; Heldner & Edlund (2010) on gaps;
Gravano & Hirschberg (2011, 2012) on what tells interruptions from the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from moderation.rhythm import Rhythm, first_pause, last, silence

STOP_FRAMES = 10
"""A victim silent for 0.2 s has stopped, if perhaps to start again."""
EARLY_FRAMES = 25
"""The first half second decides much: an ordinary change of turn overlaps for less."""


class Signals(NamedTuple):
    """All that is known of an entry at one moment. Whole numbers are 20 ms frames."""

    age: int
    """Since the challenger's onset."""
    talk: int
    """The challenger's voiced frames since then."""
    spurt: int
    """How long the spurt that the challenger came in with has lasted, or lasted."""
    early: int
    """Overlap in the first half second."""
    overlap: int
    """Overlap since the onset."""
    victim_talk: int
    """The victim's voiced frames since the onset."""
    victim_stop: int
    """When, after the onset, the victim first stopped; ``age`` if not yet."""
    victim_silence: int
    """Since the victim was last voiced; at most ``age``."""
    victim_again: int
    """The victim's voiced frames after having stopped."""
    into_pause: int
    """For how long the victim had paused at the onset; 0 when voiced."""
    victim_age: int
    """How long the victim's spurt had lasted at the onset."""
    victim_talk_3s: int
    """The victim's talk in the 3 s before the onset."""
    rise_db: float
    """How much louder than usual the challenger talks; 0 when not known."""


class Victim(NamedTuple):
    """One person who was talking when the challenger came in, and what was known of it then."""

    name: str
    into_pause: int
    age: int
    talk_3s: int


class Entry:
    """One spurt of a challenger that began in others' talk, for as long as it is looked at."""

    __slots__ = ("age", "challenger", "ended", "onset", "rungs", "scored", "spurt", "victims")

    def __init__(self, challenger: str, onset: float, victims: tuple[Victim, ...]) -> None:
        self.challenger = challenger
        self.onset = onset
        """When the spurt began, s."""
        self.victims = victims
        """Those who were talking then, who had talked most in the last 3 s first."""
        self.age = 0
        """Frames since the onset."""
        self.spurt = 0
        """Frames of the spurt, up to its last voiced one."""
        self.ended = False
        """Whether the spurt is over."""
        self.scored = 0
        """The age at which it was last scored."""
        self.rungs: list[str] = []
        """The rungs already given."""

    def victim(self, people: Mapping[str, Rhythm]) -> tuple[Victim, int]:
        """Whose talk it is that is talked over most, and how much of it, in frames."""
        age = self.age
        bits = people[self.challenger].bits
        best = self.victims[0]
        most = -1
        for victim in self.victims:
            rhythm = people.get(victim.name)
            overlap = last(bits & rhythm.bits, age).bit_count() if rhythm else 0
            if overlap > most:
                best, most = victim, overlap
        return best, most

    def signals(self, people: Mapping[str, Rhythm], rise_db: float) -> tuple[Victim, Signals]:
        """What is known now, and about whom: the victim who is talked over most."""
        age = self.age
        victim, overlap = self.victim(people)
        own = last(people[self.challenger].bits, age)
        rhythm = people.get(victim.name)
        theirs = last(rhythm.bits, age) if rhythm else 0
        stop = first_pause(theirs, age, STOP_FRAMES)
        return victim, Signals(
            age=age,
            talk=own.bit_count(),
            spurt=self.spurt,
            early=((own & theirs) >> max(0, age - EARLY_FRAMES)).bit_count(),
            overlap=overlap,
            victim_talk=theirs.bit_count(),
            victim_stop=stop,
            victim_silence=min(silence(theirs), age),
            victim_again=last(theirs, age - stop).bit_count(),
            into_pause=victim.into_pause,
            victim_age=victim.age,
            victim_talk_3s=victim.talk_3s,
            rise_db=rise_db,
        )

    def save(self) -> dict[str, Any]:
        """All of it as JSON-able data."""
        data: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        data["victims"] = [list(victim) for victim in self.victims]
        data["rungs"] = list(self.rungs)
        return data

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Entry:
        entry = cls(
            data["challenger"], data["onset"], tuple(Victim(*victim) for victim in data["victims"])
        )
        for name in ("age", "spurt", "ended", "scored"):
            setattr(entry, name, data[name])
        entry.rungs = list(data["rungs"])
        return entry
