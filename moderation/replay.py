"""A recorded conversation played through the engine, faster than real time.

A recording here is only when each person was voiced, which is what one gets from hand-labelled
meetings. It is turned into what the engine would have been told live: a level and a voice bit for
each person every 20 ms, as in RFC 6464.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import ceil

from moderation.effects import Effect
from moderation.events import Joined, VoiceFrames
from moderation.formats import Formats
from moderation.judgement import Judgement
from moderation.overlap import Overlaps
from moderation.overlap_rules import OverlapRules
from moderation.people import Role
from moderation.rhythm import FRAMES_PER_S
from moderation.session import Session
from moderation.voice import FRAME_S, Voice, VoiceRules

Recording = Mapping[str, Sequence[tuple[float, float]]]
"""For each person the intervals in which they were voiced, from and to, in s."""

SPEECH_DBOV = 25
SILENCE_DBOV = 70
"""Typical levels of speech and of a quiet room, in −dBov."""

AFTER_S = 4.0
"""Silence played after the last word, so that whatever is open comes to its end."""

# What microphones add: −3 to 3 dB, over and over in an order without a beat to it. Fixed, because
# the same recording must give the same judgements every time.
_NOISE = tuple((step * step * 5 + step * 3) % 61 % 7 - 3 for step in range(61))
_SPEECH = tuple((SPEECH_DBOV + noise, True) for noise in _NOISE)
_SILENCE = tuple((SILENCE_DBOV + noise, False) for noise in _NOISE)


def frames(recording: Recording) -> Iterator[tuple[float, dict[str, tuple[int, bool]]]]:
    """The time, s, and everyone's level and voice bit, for each 20 ms from 0 to the end.

    A frame is voiced when its middle is.
    """
    names = sorted(recording)
    changes: dict[int, list[tuple[int, int]]] = {}
    end = 0.0
    for index, name in enumerate(names):
        for start, stop in recording[name]:
            changes.setdefault(ceil(start * FRAMES_PER_S - 0.5), []).append((index, 1))
            changes.setdefault(ceil(stop * FRAMES_PER_S - 0.5), []).append((index, -1))
            end = max(end, stop)
    # Intervals of one person may touch or overlap, so they are counted.
    voiced = [0] * len(names)
    tables = [_SILENCE] * len(names)
    for frame in range(ceil((end + AFTER_S) * FRAMES_PER_S)):
        for index, change in changes.get(frame, ()):
            voiced[index] += change
            tables[index] = _SPEECH if voiced[index] > 0 else _SILENCE
        at = frame
        told = {}
        for name, table in zip(names, tables, strict=True):
            told[name] = table[at % 61]
            at += 7  # so that no two microphones have the same noise
        yield frame * FRAME_S, told


def play(
    recording: Recording, formats: Formats, facilitators: Collection[str] = ()
) -> Iterator[tuple[float, Effect]]:
    """The effects of the whole engine on a recording, with their times in s, in their order.

    Everyone is there from the start, as a participant or, if named, as a facilitator. A mute closes
    gates, but of course nobody in a recording falls silent for it.
    """
    session = Session(formats)
    for name in sorted(recording):
        role: Role = "facilitator" if name in facilitators else "participant"
        for effect in session.handle(Joined(name, role), 0.0):
            yield 0.0, effect
    for now, told in frames(recording):
        for effect in session.handle(VoiceFrames(told), now):
            yield now, effect


def listen(
    recording: Recording,
    rules: OverlapRules | None = None,
    voice_rules: VoiceRules | None = None,
) -> Iterator[Judgement]:
    """The judgements of the listening half on a recording, in the order in which they are made."""
    voices = {name: Voice(voice_rules) for name in sorted(recording)}
    overlaps = Overlaps(rules)
    for now, told in frames(recording):
        for name, (level, active) in told.items():
            voices[name].frame(level, active, now)
        yield from overlaps.frame(voices, now)
