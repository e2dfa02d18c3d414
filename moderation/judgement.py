"""What the engine says about one person's talk over another's, and why it says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an overlap was (Schegloff 2000, "Overlapping talk and the organization of turn-taking").

    Only the two last contend for the turn; the others are part of listening.
    """

    BACKCHANNEL = "backchannel"
    """"mm-hm", laughter, "right": short, and not taking the turn (Yngve 1970)."""
    COOPERATIVE = "cooperative"
    """A few words with the speaker, like completing their sentence, and the turn stays theirs."""
    FAILED_INTERRUPTION = "failed_interruption"
    """A bid for the turn that the speaker outlasted."""
    INTERRUPTION = "interruption"
    """The speaker stopped, or had been talked over for long, and the other went on."""


class Rung(StrEnum):
    """What a judgement is sure enough for."""

    NUDGE = "nudge"
    MUTE = "mute"


@dataclass(frozen=True, slots=True)
class Factor:
    """One reason, with the points it gave for (positive) or against its being an interruption."""

    name: str
    points: float
    says: str
    """The reason in words, with {challenger} and {victim} where their names go."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen, all times in s; from it one plain sentence can be made for a facilitator."""

    overlapped_s: float
    """How long both were voiced at once since the challenger came in."""
    talked_s: float
    """How long the challenger was voiced since then."""
    victim_stopped: bool
    """Whether the victim has fallen silent since."""
    victim_had_talked_s: float
    """How long the victim's talk spurt had lasted when the challenger came in."""
    in_pause_s: float
    """How long the victim had paused just then; 0 when the entry was into sounding speech."""
    points: float
    """The sum over all factors, base included; the more, the surer."""
    needed: float
    """The points that the rung asks for; for a judgement without a rung, those of a nudge."""
    factors: tuple[Factor, ...]
    """The few reasons that weighed most, the weightiest first."""

    def sentence(self, challenger: str, victim: str) -> str:
        """What happened, for a facilitator to read, and the reasons that speak for the decision.

        The names are as they are shown; placeholders in braces do as well.
        """
        into = (
            f"in {victim}'s pause of {self.in_pause_s:.2f} s"
            if self.in_pause_s > 0
            else f"{self.victim_had_talked_s:.1f} s into {victim}'s talk"
        )
        ending = f"{victim} fell silent" if self.victim_stopped else f"{victim} kept on"
        text = (
            f"{challenger} came in {into}, talked for {self.talked_s:.1f} s,"
            f" {self.overlapped_s:.1f} s of it at the same time; {ending}."
        )
        enough = self.points >= self.needed
        reasons = [
            factor.says.format(challenger=challenger, victim=victim)
            for factor in self.factors
            if (factor.points > 0) == enough
        ]
        return f"{text} What weighed most: {'; '.join(reasons)}." if reasons else text


@dataclass(frozen=True, slots=True)
class Judgement:
    """One decision about one entry of ``challenger`` into ``victim``'s talk.

    With a ``rung`` it is made while the challenger talks and asks for something to be done; then
    ``kind`` is ``INTERRUPTION``, as far as can be told by then. Without one it is the closing
    judgement, made when the entry is over, and ``kind`` is what it turned out to be. There is at
    most one for each talk spurt and rung, and one without.
    """

    kind: Kind
    rung: Rung | None
    challenger: str
    victim: str
    onset: float
    """When the challenger's talk spurt began, s."""
    decided_at: float
    """When this was decided, s."""
    evidence: Evidence
