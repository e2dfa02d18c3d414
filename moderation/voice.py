"""From the audio levels of one microphone to talk spurts.

A talk spurt is a stretch of one person's speech without a pause longer than the hangover (Brady
1968, "A statistical analysis of on-off patterns in 16 conversations"). All that is known of the
sound is what RFC 6464 puts into each packet in the clear: its level in −dBov (0 is the loudest,
127 digital silence) and a bit by which the sender says whether it takes the frame for voice.

The bit alone does not do: browsers are free to set it on every packet, and some never set it. So
a frame is *voiced* when it stands out from the microphone's own noise floor, and, if this sender
has ever set the bit, when the bit is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FRAME_S = 0.02
"""How much sound a frame holds: one Opus packet, s."""

DIGITAL_SILENCE = 127
"""A muted track's level: it says nothing about the noise of the room."""

_EPSILON_S = 1e-6  # sums of 0.02 are not exact


@dataclass(frozen=True, slots=True)
class VoiceRules:
    """When frames become a talk spurt. ``_ms`` are milliseconds, ``_db`` differences of level."""

    onset_ms: int = 80
    """So much voiced sound makes a spurt. It still counts from its first voiced frame."""
    onset_gap_ms: int = 120
    """A longer gap before the spurt is believed starts the count afresh."""
    hangover_ms: int = 300
    """A spurt ends after so much silence, or so long without packets. 200 to 300 ms bridges the
    closures inside words and sets apart what listeners hear as pauses (Heldner & Edlund 2010)."""
    burst_ms: int = 350
    """Sound that is loudest at once and then dies away is a tap, a knock or a cough, unless it
    goes on for so long."""
    burst_look_ms: int = 160
    """Sound that was loudest at once is looked at for so long before it is believed."""
    burst_decay_db: float = 9.0
    """Dying away: the last frames are so much quieter than the loudest."""
    burst_density: float = 0.6
    """Less of the time voiced than this, before a spurt is believed, is typing, not talking."""
    margin_db: float = 8.0
    """A voiced frame is so much louder than the noise floor."""
    quietest_dbov: int = 62
    """Nothing quieter (a larger number) is speech, in −dBov."""
    floor_rise_db_per_s: float = 2.0
    """How fast the noise floor follows a louder room while the sound may be speech."""
    floor_rise_unvoiced_db_per_s: float = 15.0
    """The same while the sender's voice bit says that it is not."""
    floor_fall: float = 0.25
    """The part of the way that the noise floor goes down in one quieter frame."""
    floor_loudest_dbov: float = 36.0
    floor_quietest_dbov: float = 90.0
    """The noise floor stays between these, in −dBov, whatever a microphone sends."""


@dataclass(frozen=True, slots=True)
class SpurtStarted:
    """Someone is talking. ``onset`` is the time of the first voiced frame, s: a little past."""

    onset: float


@dataclass(frozen=True, slots=True)
class SpurtEnded:
    """Someone stopped talking a hangover ago.

    ``end`` is when the last voiced frame ended, s; ``voiced_s`` how much of the spurt was voiced.
    """

    onset: float
    end: float
    voiced_s: float


class Voice:
    """One microphone. Call ``frame`` for each packet, ``tick`` where one is missing."""

    __slots__ = (
        "_count",
        "_end",
        "_floor",
        "_has_bit",
        "_mean",
        "_onset",
        "_peak",
        "_peak_count",
        "_recent",
        "_rules",
        "_usual",
        "_usual_frames",
        "onset",
        "voiced",
    )

    def __init__(self, rules: VoiceRules | None = None) -> None:
        self._rules = rules or VoiceRules()
        self.voiced = False
        """Whether the last frame was voiced."""
        self.onset: float | None = None
        """When the talk spurt going on began, s; None while there is none."""
        self._floor = 60.0  # −dBov; a quiet room with a headset, until better is known
        self._has_bit = False
        # The stretch of sound that is, or may become, a spurt: its first frame, its last frame's
        # end, voiced frames, the loudest level, the voiced frame that had it, and the last few
        # frames' level.
        self._onset: float | None = None
        self._end = 0.0
        self._count = 0
        self._peak = 127.0
        self._peak_count = 0
        self._recent = 127.0
        # Level of this spurt and of this person's speech as a rule, −dBov.
        self._mean = 0.0
        self._usual = 0.0
        self._usual_frames = 0

    @property
    def noise_floor(self) -> float:
        """The microphone's noise, in −dBov."""
        return self._floor

    @property
    def rise_db(self) -> float:
        """How much louder this spurt is than this person's speech as a rule, in dB.

        Nought while nobody talks and until 5 s of speech were heard to compare with. Speakers who
        compete for the turn grow louder (French & Local 1983, "Turn-competitive incomings").
        """
        if self.onset is None or self._usual_frames < 250:
            return 0.0
        return self._usual - self._mean

    def frame(self, level: int, active: bool, now: float) -> SpurtStarted | SpurtEnded | None:
        """A packet: 20 ms of sound that began at ``now`` s."""
        rules = self._rules
        floor = self._floor
        if active and not self._has_bit:
            self._has_bit = True
        if level >= floor:
            if level != DIGITAL_SILENCE:
                self._floor = min(
                    floor + (level - floor) * rules.floor_fall, rules.floor_quietest_dbov
                )
            return self._quiet(now)
        if self._has_bit and not active:
            self._raise_floor(level, rules.floor_rise_unvoiced_db_per_s)
            return self._quiet(now)
        self._raise_floor(level, rules.floor_rise_db_per_s)
        if level > floor - rules.margin_db or level > rules.quietest_dbov:
            return self._quiet(now)
        return self._loud(level, now)

    def tick(self, now: float) -> SpurtEnded | SpurtStarted | None:
        """No packet for the 20 ms from ``now``: loss or discontinuous transmission.

        Nobody knows what was said in it, so it teaches the noise floor nothing, and is an end of
        speech only once the hangover has passed.
        """
        return self._quiet(now)

    def _raise_floor(self, level: int, db_per_s: float) -> None:
        risen = max(self._floor - db_per_s * FRAME_S, self._rules.floor_loudest_dbov)
        # Never above the sound that raises it: noise is absorbed, not overshot.
        self._floor = max(risen, min(float(level), self._floor))

    def _loud(self, level: int, now: float) -> SpurtStarted | None:
        self.voiced = True
        if self.onset is not None:
            self._count += 1
            self._end = now + FRAME_S
            self._mean += (level - self._mean) * 0.05
            # The first 30 s weigh alike, later ones fade: people move and turn up their gain.
            if self._usual_frames < 1_500:
                self._usual_frames += 1
            self._usual += (level - self._usual) / self._usual_frames
            return None
        rules = self._rules
        if self._onset is None or now - self._end > rules.onset_gap_ms / 1e3 + _EPSILON_S:
            self._onset = now
            self._count = 0
            self._peak = 128.0
            self._recent = self._mean = float(level)
        self._count += 1
        self._end = now + FRAME_S
        self._recent += (level - self._recent) * 0.4
        self._mean += (level - self._mean) / self._count
        if level < self._peak:
            self._peak = float(level)
            self._peak_count = self._count
        return self._believe(over=False)

    def _believe(self, *, over: bool) -> SpurtStarted | None:
        """Take the sound so far for speech, or wait. ``over``: it has ended, so do not wait."""
        rules = self._rules
        assert self._onset is not None
        voiced_ms = self._count * FRAME_S * 1e3 + _EPSILON_S
        if voiced_ms < rules.onset_ms:
            return None
        if self._count * FRAME_S < rules.burst_density * (self._end - self._onset) - _EPSILON_S:
            return None
        if voiced_ms < rules.burst_ms:
            if self._recent > self._peak + rules.burst_decay_db:
                return None
            sudden = self._peak_count * FRAME_S * 1e3 <= rules.onset_ms - 20 + _EPSILON_S
            if sudden and voiced_ms < rules.burst_look_ms and not over:
                return None
        self.onset = self._onset
        return SpurtStarted(self._onset)

    def _quiet(self, now: float) -> SpurtStarted | SpurtEnded | None:
        self.voiced = False
        if self._onset is None:
            return None
        rules = self._rules
        silent_ms = (now + FRAME_S - self._end + _EPSILON_S) * 1e3
        if self.onset is None:
            if silent_ms < rules.onset_gap_ms:
                return None
            # A short word that was still being looked at when it ended: speech after all, unless
            # it died away like a knock.
            started = self._believe(over=True)
            if started is None:
                self._onset = None
            return started
        if silent_ms < rules.hangover_ms:
            return None
        ended = SpurtEnded(self.onset, self._end, self._count * FRAME_S)
        self.onset = self._onset = None
        return ended

    def save(self) -> dict[str, Any]:
        """All that is remembered, as JSON-able data; the rules are the caller's to keep."""
        return {
            name.lstrip("_") if name != "_onset" else "began": getattr(self, name)
            for name in self.__slots__
            if name != "_rules"
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], rules: VoiceRules | None = None) -> Voice:
        """The microphone as it was when ``data`` was saved."""
        voice = cls(rules)
        for name in cls.__slots__:
            if name != "_rules":
                key = name.lstrip("_") if name != "_onset" else "began"
                setattr(voice, name, data[key])
        return voice
