"""Voice frames, and what follows from them: credit for talk, nudges and mutes.

Only what the group can hear counts: someone whose gate is closed talks over nobody and is credited
with nothing.
"""

from __future__ import annotations

from moderation.conduct import count_interruption, mute_for_interrupting, nudge
from moderation.events import VoiceFrames
from moderation.fairness import talked
from moderation.judgement import Judgement, Kind, Rung
from moderation.notices import Scalar
from moderation.room import Room
from moderation.voice import FRAME_S, SpurtEnded

LONGEST_TICK_S = 0.1
"""More time than this between two ticks is a gap in listening, not talk, in s."""


def hear(room: Room, event: VoiceFrames) -> bool:
    """Take in one tick. Answers whether anything is to be settled."""
    state = room.state
    listening = room.listening
    now = room.now
    before = state.frames_at
    state.frames_at = now
    tick_s = FRAME_S if before is None else min(now - before, LONGEST_TICK_S)
    frame_of = event.frames.get
    voice_of = listening.voice_of
    for name, person in state.people.items():
        voice = voice_of(name)
        frame = frame_of(name)
        change = voice.tick(now) if frame is None else voice.frame(frame[0], frame[1], now)
        if change is None:
            if voice.voiced and voice.onset is not None and person.gate is None:
                talked(room, person, tick_s)
        elif isinstance(change, SpurtEnded):
            person.tally.spurt_s = 0.0
        elif person.gate is None:
            # Known only now, it counts from its onset.
            talked(room, person, now + FRAME_S - change.onset)
    judgements = listening.overlaps.frame(listening.heard, now)
    for judgement in judgements:
        _act_on(room, judgement)
    return bool(judgements)


def _act_on(room: Room, judgement: Judgement) -> None:
    """The ladder is for participants in an open floor: a holder has the floor by right, and
    facilitators answer for how they lead."""
    challenger = room.state.people.get(judgement.challenger)
    victim = room.state.people.get(judgement.victim)
    if challenger is None or victim is None or room.format.structured:
        return
    if judgement.onset < (challenger.unmuted_at or 0.0):
        return  # a facilitator's pardon, or time, has covered the talk that goes on from before
    evidence: dict[str, Scalar] = {
        "victim": judgement.victim,
        "onset": round(judgement.onset, 2),
        "talked_s": round(judgement.evidence.talked_s, 2),
        "overlapped_s": round(judgement.evidence.overlapped_s, 2),
        "victim_stopped": judgement.evidence.victim_stopped,
        "what": judgement.evidence.sentence("{challenger}", "{victim}"),
    }
    interrupted = judgement.rung is Rung.MUTE or (
        judgement.rung is None and judgement.kind is Kind.INTERRUPTION
    )
    if interrupted and challenger.conduct.counted_onset != judgement.onset:
        challenger.conduct.counted_onset = judgement.onset
        challenger.tally.made.add(1.0, room.state.slot)
        victim.tally.suffered.add(1.0, room.state.slot)
        if not challenger.facilitates:
            count_interruption(room, challenger, evidence)
    if challenger.facilitates or challenger.mute is not None:
        return
    if judgement.rung is Rung.NUDGE:
        nudge(room, challenger)
    elif judgement.rung is Rung.MUTE:
        mute_for_interrupting(room, challenger, evidence)
