"""The microphones of a room, who of them is heard, and the talk between those."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moderation.overlap import OverlapRules, Overlaps
from moderation.voice import Voice


class Listening:
    """State of the listening half of the engine for one room."""

    def __init__(self, rules: OverlapRules) -> None:
        self.voices: dict[str, Voice] = {}
        self.heard: dict[str, Voice] = {}
        """Those whose gate is open, in the order in which they came into the room."""
        self.overlaps = Overlaps(rules)
        self._rules = rules

    def voice_of(self, person: str) -> Voice:
        voice = self.voices.get(person)
        if voice is None:
            voice = self.voices[person] = Voice()
        return voice

    def set_heard(self, people: Iterable[str]) -> None:
        """Gates have opened or closed: these people are heard now."""
        self.heard = {person: self.voice_of(person) for person in people}

    def judge_by(self, rules: OverlapRules) -> None:
        """The format changed: its thresholds hold from now on, what was heard stays known."""
        if rules != self._rules:
            self._rules = rules
            self.overlaps = Overlaps.restore(self.overlaps.save(), rules)

    def forget(self, person: str) -> None:
        self.voices.pop(person, None)
        self.heard.pop(person, None)
        self.overlaps.leave(person)

    def clear(self) -> None:
        self.voices.clear()
        self.heard = {}
        self.overlaps = Overlaps(self._rules)

    def save(self) -> dict[str, Any]:
        return {
            "voices": {person: voice.save() for person, voice in self.voices.items()},
            "heard": list(self.heard),
            "overlaps": self.overlaps.save(),
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        self.voices = {person: Voice.restore(data) for person, data in saved["voices"].items()}
        self.set_heard(saved["heard"])
        self.overlaps = Overlaps.restore(saved["overlaps"], self._rules)
