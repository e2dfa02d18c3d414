"""How a simulated person behaves in a room: pure, without clock or network.

It is told what the server says, who is heard talking, and when its own words have ended; it
answers what to say and what to ask. With the same seed and the same events at the same times it
always does the same. Times are in s.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from signaling.messages import Floor, Message, Own, Roster
from simulated.phrases import BACKCHANNELS, INTERRUPTIONS, PHRASES


@dataclass(frozen=True)
class Say:
    """Begin to say this now."""

    text: str


@dataclass(frozen=True)
class Hush:
    """Break off."""


@dataclass(frozen=True)
class Ask:
    """Send this request, which has no fields, to the server."""

    request: str


Action = Say | Hush | Ask


@dataclass(frozen=True)
class Temper:
    """How lively someone is; what is ``a_minute`` is how often it comes in a minute of chances."""

    gap_s: float = 2.2
    """Mean time after which each of the people in a quiet room begins, for each of them."""
    polite_gap_s: float = 1.2
    """Silence that is always left to the others first."""
    after_own_turn_s: float = 8.0
    """Silence that is left to the others in addition after one's own turn."""
    phrases: float = 2.5
    """Mean length of a turn."""
    backchannels_a_minute: float = 1.5
    interruptions_a_minute: float = 0.15
    yields: float = 0.85
    """How likely it is to fall silent when talked over."""
    hands_a_minute: float = 1.5
    lowered_a_minute: float = 0.3
    passes: float = 0.15
    """How likely it is to let the talking piece go by."""
    help_a_minute: float = 0.02


_CALM: Final = Temper()
_BREATH_S: Final = (0.25, 0.7)
"""Between the phrases of one turn."""
_OVERLAP_S: Final = (0.5, 1.2)
"""How long it takes to yield."""
_LISTENS_S: Final = 3.0
"""Nobody is backchanneled or interrupted sooner."""
_PAUSE_S: Final = 1.0
"""The most silence within a turn."""
_THINKS_S: Final = (0.8, 2.5)
"""From getting the floor to the first word."""
_REMEMBERED: Final = 10
"""So many phrases pass before one is said again."""


class Behaviour:
    """One person's.

    Args:
        me: their id.
        random: seeded by whoever wants the same again.
    """

    def __init__(self, me: str, random: Random, temper: Temper = _CALM) -> None:
        self._me = me
        self._random = random
        self._temper = temper
        self._floor: Floor | None = None
        self._own: Own | None = None
        self._people = 2
        self._now: float | None = None
        self._others_since: float | None = None
        """Since when others talk, without a break."""
        self._listening_since = self._others_heard = -_PAUSE_S
        """The same, but for short pauses, and when they were last heard."""
        self._begin_at: float | None = None
        """In a quiet room: when one begins to talk."""
        self._just_spoke = False
        self._speaking = False
        self._turn = 0
        """How many phrases are still to come."""
        self._next_phrase_at = 0.0
        self._break_off_at: float | None = None
        self._patience: float | None = None
        """How much of being talked over one bears; None: as yet nobody does."""
        self._took_floor = False
        self._recent: list[str] = []
        self.next_phrase = self._draw()
        """What comes when it is time for a phrase: it can be made ready."""

    # --- what is told --------------------------------------------------------------------------

    def take(self, event: Message) -> None:
        """Something that the server said; much of it is of no interest here."""
        match event:
            case Floor():
                self._floor = event
            case Own():
                self._own = event
            case Roster():
                self._people = max(2, len(event.participants))

    def hear(self, talking: set[str], now: float) -> None:
        """Who is heard talking, oneself left out."""
        if not talking - {self._me}:
            self._others_since = None
            return
        if self._others_since is None:
            self._others_since = now
        if now - self._others_heard > _PAUSE_S:
            self._listening_since = now
        self._others_heard = now

    def finished(self, now: float) -> None:
        """What was last to be said has been said."""
        self._speaking = False
        self._next_phrase_at = now + self._random.uniform(*_BREATH_S)

    # --- what is done --------------------------------------------------------------------------

    def act(self, now: float) -> list[Action]:
        """What to do now; to be asked several times a second."""
        passed = 0.0 if self._now is None else now - self._now
        self._now = now
        if not self._may_talk():
            actions = self._fall_silent()
        elif self._speaking or self._turn:
            actions = self._go_on(now)
        elif self._holds_turns():
            actions = self._take_floor(now)
        elif self._others_since is not None:
            actions = self._listen(now, passed)
        else:
            actions = self._bear_silence(now)
        return actions + self._ask(passed)

    @property
    def _in_turns(self) -> bool:
        """Whether the floor goes from one to the next, and is not simply taken."""
        return self._floor is not None and self._floor.kind != "open"

    def _holds_turns(self) -> bool:
        return self._in_turns and self._own is not None and self._own.holding

    def _may_talk(self) -> bool:
        if self._floor is not None and (self._floor.paused or self._floor.phase == "ended"):
            return False
        if self._own is not None and self._own.muted is not None:
            return False
        return not self._in_turns or self._holds_turns()

    def _fall_silent(self) -> list[Action]:
        was_speaking = self._speaking
        self._end_turn()
        self._took_floor = False
        self._begin_at = None
        return [Hush()] if was_speaking else []

    def _end_turn(self) -> None:
        self._speaking, self._turn, self._patience = False, 0, None

    def _go_on(self, now: float) -> list[Action]:
        """In one's own turn."""
        if self._speaking:
            return self._be_talked_over(now)
        if now < self._next_phrase_at:
            return []
        self._turn -= 1
        if not self._turn:
            return self._close_turn()
        if self._others_since is not None and not self._in_turns:
            return self._close_turn()  # someone has begun in the pause
        return self._say(self._phrase())

    def _be_talked_over(self, now: float) -> list[Action]:
        if self._others_since is None or self._in_turns:
            self._patience = None
            return []
        if self._patience is None:
            stays = self._random.random() >= self._temper.yields
            self._patience = 60.0 if stays else self._random.uniform(*_OVERLAP_S)
        if now - self._others_since < self._patience:
            return []
        self._end_turn()
        return [Hush()]

    def _close_turn(self) -> list[Action]:
        self._end_turn()
        self._just_spoke = True
        if self._holds_turns():
            self._took_floor = True
            return [Ask("release_floor")]
        return []

    def _take_floor(self, now: float) -> list[Action]:
        """One has been given the floor."""
        if self._took_floor:  # and has given it back; the server's word is on its way
            return []
        if self._begin_at is None:
            assert self._floor is not None
            if self._floor.kind == "circle" and self._random.random() < self._temper.passes:
                self._took_floor = True
                return [Ask("pass_turn")]
            self._begin_at = now + self._random.uniform(*_THINKS_S)
        if now < self._begin_at:
            return []
        return self._begin_turn()

    def _listen(self, now: float, passed: float) -> list[Action]:
        """While others talk."""
        self._begin_at = None
        if now - self._listening_since < _LISTENS_S:
            return []
        if self._comes(self._temper.backchannels_a_minute, passed):
            self._turn = 1
            return self._say(self._random.choice(BACKCHANNELS))
        if self._comes(self._temper.interruptions_a_minute, passed):
            self._turn, self._patience = 1, 60.0
            return self._say(self._random.choice(INTERRUPTIONS))
        return []

    def _bear_silence(self, now: float) -> list[Action]:
        if self._begin_at is None:
            temper = self._temper
            gap = self._random.expovariate(1 / (temper.gap_s * self._people))
            self._begin_at = now + temper.polite_gap_s + gap
            if self._just_spoke:
                self._begin_at += temper.after_own_turn_s
                self._just_spoke = False
        if now < self._begin_at:
            return []
        return self._begin_turn()

    def _begin_turn(self) -> list[Action]:
        self._begin_at = None
        self._turn = 1
        while self._random.random() < 1 - 1 / self._temper.phrases:
            self._turn += 1
        return self._say(self._phrase())

    def _say(self, text: str) -> list[Action]:
        self._speaking = True
        return [Say(text)]

    def _phrase(self) -> str:
        phrase, self.next_phrase = self.next_phrase, self._draw()
        return phrase

    def _draw(self) -> str:
        phrase = self._random.choice([one for one in PHRASES if one not in self._recent])
        self._recent = [*self._recent, phrase][-_REMEMBERED:]
        return phrase

    def _ask(self, passed: float) -> list[Action]:
        own, floor, temper = self._own, self._floor, self._temper
        if own is None or floor is None:
            return []
        asks: list[Action] = []
        if own.help == "none" and self._comes(temper.help_a_minute, passed):
            asks.append(Ask("ask_help"))
        takes_hands = floor.kind in ("queue", "presentation")
        if takes_hands and not own.holding and not floor.paused:
            if own.hand_raised:
                if self._comes(temper.lowered_a_minute, passed):
                    asks.append(Ask("cancel_request"))
            elif self._comes(temper.hands_a_minute, passed):
                asks.append(Ask("request_floor"))
        return asks

    def _comes(self, a_minute: float, passed: float) -> bool:
        """Whether something that comes so often, at random, came in the time passed."""
        return self._random.random() < a_minute * passed / 60
