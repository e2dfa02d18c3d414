"""Who holds the conversational floor, and what it is when someone talks while another does.

``Overlaps`` is told 50 times a second who is voiced. Where someone begins to talk in another's
talk, it opens an entry; every 0.1 s the entry is scored (see ``moderation.scorecard``) until it
has earned its rungs or is too old; when it is over, a closing judgement says what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from moderation.entry import EARLY_FRAMES, Entry, Signals, Victim
from moderation.judgement import Evidence, Factor, Judgement, Kind, Rung
from moderation.overlap_rules import OverlapRules
from moderation.rhythm import FRAMES_PER_S, HISTORY_FRAMES, Rhythm, last, silence
from moderation.scorecard import factors, score
from moderation.voice import FRAME_S

__all__ = [
    "Evidence",
    "Factor",
    "Judgement",
    "Kind",
    "OverlapRules",
    "Overlaps",
    "Rung",
    "VoiceFrame",
]

_LATELY = (1 << 15) - 1
_FLOOR_WINDOW = (1 << 75) - 1
"""The newest 0.3 s and 1.5 s of a history."""

LATE_S = 0.05
"""A tick this much later than due follows on others that were left out; less is a busy server."""

SCORE_EVERY = 5
"""Entries are scored every so many frames of their age."""


class VoiceFrame(Protocol):
    """What is asked of one microphone; ``moderation.voice.Voice`` answers it as it is."""

    @property
    def voiced(self) -> bool:
        """Whether this frame is voiced."""

    @property
    def onset(self) -> float | None:
        """When the talk spurt going on began, s; None while there is none."""

    @property
    def rise_db(self) -> float:
        """How much louder than usual this person talks; 0 when that is not known."""


def _frames(ms: int) -> int:
    return ms * FRAMES_PER_S // 1_000


def _gave_way(signals: Signals) -> bool:
    """Whether the victim stopped and did not take the word again, but for a word or two."""
    return signals.victim_stop < signals.age and signals.victim_again < EARLY_FRAMES


def _evidence(victim: Victim, signals: Signals, points: float, needed: float) -> Evidence:
    return Evidence(
        overlapped_s=signals.overlap / FRAMES_PER_S,
        talked_s=signals.talk / FRAMES_PER_S,
        victim_stopped=_gave_way(signals),
        victim_had_talked_s=victim.age / FRAMES_PER_S,
        in_pause_s=victim.into_pause / FRAMES_PER_S,
        points=points,
        needed=needed,
        factors=factors(signals),
    )


class Overlaps:
    """The talk of one room. Call ``frame`` for each 20 ms, with everyone who can be heard."""

    __slots__ = ("_entries", "_last", "_people", "_rules", "holder")

    def __init__(self, rules: OverlapRules | None = None) -> None:
        self._rules = rules or OverlapRules()
        self._people: dict[str, Rhythm] = {}
        self._entries: list[Entry] = []
        self._last: float | None = None
        self.holder: str | None = None
        """Who holds the conversational floor: it outlasts their pauses and others' backchannels,
        and goes to whoever talks on while they are silent (Edelsky 1981, "Who's got the
        floor?")."""

    def frame(self, voices: Mapping[str, VoiceFrame], now: float) -> list[Judgement]:
        """One tick of the room: the 20 ms from ``now``, s.

        Whoever is left out of ``voices`` is not heard: their talk ends. Ticks that come a little
        early or late are one frame each; where time is missing between them it counts as silence.
        """
        steps = self._steps(now)
        people = self._people
        began: list[str] | None = None
        for name, voice in voices.items():
            person = people.get(name)
            if person is None:
                person = people[name] = Rhythm()
            onset = voice.onset
            voiced = voice.voiced
            if voiced or person.bits or person.pending:
                person.advance(steps, voiced, onset is not None)
            if onset is not None:
                if not person.talking:
                    person.begin(onset, round((now - onset) * FRAMES_PER_S) + 1)
                    began = [*(began or ()), name]
            elif person.talking:
                self._ended(name, person)
        if len(people) != len(voices):
            self._unheard(voices, steps)
        if began:
            for name in began:
                self._open(name, now)
        self._pass_floor()
        return self._look(voices, steps, now) if self._entries else []

    def leave(self, name: str) -> None:
        """Someone is gone: what is remembered of them goes with them."""
        self._people.pop(name, None)
        self._entries = [
            entry
            for entry in self._entries
            if entry.challenger != name and all(victim.name != name for victim in entry.victims)
        ]
        if self.holder == name:
            self.holder = None

    def _steps(self, now: float) -> int:
        """How many frames have passed since the last call, this one included."""
        due = now if self._last is None else self._last + FRAME_S
        steps = 1
        if now - due >= LATE_S:
            steps += min(round((now - due) * FRAMES_PER_S), 2 * HISTORY_FRAMES)
            due = now
        # A tick that is early moves the due times along, so that they never run ahead of time.
        self._last = min(due, now)
        return steps

    # --- Talk begins and ends --------------------------------------------------------------------

    def _ended(self, name: str, person: Rhythm) -> None:
        person.talking = False
        for entry in self._entries:
            if entry.challenger == name:
                entry.ended = True

    def _unheard(self, voices: Mapping[str, VoiceFrame], steps: int) -> None:
        for name, person in self._people.items():
            if name not in voices:
                if person.bits or person.pending:
                    person.advance(steps, False, False)
                if person.talking:
                    self._ended(name, person)

    def _open(self, name: str, now: float) -> None:
        """Open an entry if ``name`` began to talk in others' talk."""
        people = self._people
        own = people[name]
        onset = own.onset
        age = round((now - onset) * FRAMES_PER_S) + 1
        pause = _frames(self._rules.pause_ms)
        shortest = self._rules.victim_talking_ms / 1e3 - 1e-6
        victims = []
        for other, person in people.items():
            if other == name or onset - person.onset < shortest:
                continue
            # The frame at the onset counts: they may fall silent just then.
            into_pause = silence(person.bits >> (age - 1))
            if into_pause <= pause:
                since = min(round((onset - person.onset) * FRAMES_PER_S), 3_000)
                talk_3s = last(person.bits >> age, 150).bit_count()
                victims.append(Victim(other, into_pause, since, talk_3s))
        if victims:
            victims.sort(key=lambda victim: (-victim.talk_3s, victim.name))
            entry = Entry(name, onset, tuple(victims))
            entry.age = age - 1  # ``_look`` adds this frame
            self._entries.append(entry)

    # --- What it is ------------------------------------------------------------------------------

    def _look(self, voices: Mapping[str, VoiceFrame], steps: int, now: float) -> list[Judgement]:
        judgements: list[Judgement] = []
        rules = self._rules
        follow = _frames(rules.follow_ms)
        longest = _frames(rules.look_ms)
        open_entries = []
        for entry in self._entries:
            entry.age += steps
            age = entry.age
            person = self._people[entry.challenger]
            quiet = silence(person.bits)
            if not entry.ended:
                entry.spurt = max(0, age - quiet)
            if age > longest + follow or (entry.ended and quiet > follow):
                judgement = self._close(entry, now)
                if judgement:
                    judgements.append(judgement)
                continue
            open_entries.append(entry)
            if age <= longest and age // SCORE_EVERY > entry.scored // SCORE_EVERY:
                entry.scored = age
                # Whoever is silent just now is not told to stop talking.
                if quiet == 0 and len(entry.rungs) < len(Rung):
                    self._judge(entry, voices, now, judgements)
        self._entries = open_entries
        return judgements

    def _judge(
        self,
        entry: Entry,
        voices: Mapping[str, VoiceFrame],
        now: float,
        judgements: list[Judgement],
    ) -> None:
        """Give an entry the rungs that it has earned by now."""
        rules = self._rules
        if entry.age < _frames(rules.nudge_after_ms):
            return
        victim, signals = entry.signals(self._people, voices[entry.challenger].rise_db)
        points = score(signals)
        # Whoever began in a pause may have taken it for the end, and whoever came in on the last
        # words of what was being said could hear the end coming: neither is worth a mute.
        may_mute = (
            entry.spurt >= _frames(rules.mute_after_ms)
            and not signals.into_pause
            and signals.victim_stop >= _frames(rules.mute_victim_talk_ms)
        )
        for rung, needed, is_time in (
            (Rung.NUDGE, rules.nudge_points, True),
            (Rung.MUTE, rules.mute_points, may_mute),
        ):
            if is_time and points >= needed and rung not in entry.rungs:
                entry.rungs.append(rung)
                evidence = _evidence(victim, signals, points, needed)
                judgements.append(
                    Judgement(
                        Kind.INTERRUPTION,
                        rung,
                        entry.challenger,
                        victim.name,
                        entry.onset,
                        now,
                        evidence,
                    )
                )

    def _close(self, entry: Entry, now: float) -> Judgement | None:
        """What an entry turned out to be; None where the turn just changed hands."""
        rules = self._rules
        victim, signals = entry.signals(self._people, 0.0)
        gave_way = _gave_way(signals)
        if entry.rungs:
            lost = entry.ended and not gave_way
            kind = Kind.FAILED_INTERRUPTION if lost else Kind.INTERRUPTION
        elif entry.spurt <= _frames(rules.backchannel_ms):
            if self.holder == entry.challenger:
                return None  # a short turn, or the beginning of one
            kind = Kind.BACKCHANNEL
        elif gave_way:
            return None
        else:
            kind = Kind.COOPERATIVE
        evidence = _evidence(victim, signals, score(signals), rules.nudge_points)
        return Judgement(kind, None, entry.challenger, victim.name, entry.onset, now, evidence)

    # --- The floor -------------------------------------------------------------------------------

    def _pass_floor(self) -> None:
        """Keep ``holder``: the floor passes to whoever has talked enough without the holder."""
        people = self._people
        holder = people.get(self.holder) if self.holder is not None else None
        held = holder.bits if holder else 0
        if held & _LATELY:
            return
        rules = self._rules
        most = _frames(rules.floor_take_ms) // (1 if holder else 2)
        taker: str | None = None
        talking = False
        for name, person in people.items():
            if person.talking and name != self.holder:
                talking = True
                alone = (person.bits & ~held & _FLOOR_WINDOW).bit_count()
                if alone >= most:
                    taker, most = name, alone + 1
        if taker is not None:
            self.holder = taker
        elif holder and not talking and silence(held) >= _frames(rules.floor_empty_ms):
            self.holder = None

    # --- Saved and restored ----------------------------------------------------------------------

    def save(self) -> dict[str, Any]:
        """All that is remembered, as JSON-able data; the rules are the caller's to keep."""
        return {
            "entries": [entry.save() for entry in self._entries],
            "holder": self.holder,
            "last": self._last,
            "people": {name: person.save() for name, person in self._people.items()},
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], rules: OverlapRules | None = None) -> Overlaps:
        """The room as it was when ``data`` was saved; it goes on with the same judgements."""
        overlaps = cls(rules)
        overlaps._entries = [Entry.restore(entry) for entry in data["entries"]]
        overlaps.holder = data["holder"]
        overlaps._last = data["last"]
        overlaps._people = {name: Rhythm.restore(person) for name, person in data["people"].items()}
        return overlaps
