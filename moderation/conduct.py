"""The conduct ladder: a nudge, then short mutes, then muted until a facilitator lifts it.

Each judged interruption that weighs enough for a mute is a strike. Strikes are forgotten one by
one with time, so that an evening is not spoiled by its first ten minutes. Nudges are for what is
less certain: they never add a strike.
"""

from __future__ import annotations

from moderation.formats import ConductRules
from moderation.muting import lift_mute, put_mute
from moderation.notices import Nudge, Scalar
from moderation.people import Conduct, Person
from moderation.room import Room
from moderation.words import NUDGES


def decay(conduct: Conduct, rules: ConductRules, now: float) -> None:
    """Forget one strike for each ``decay_s`` since the last one was added or forgotten."""
    while conduct.strikes and now - conduct.struck_at >= rules.decay_s:
        conduct.strikes -= 1
        conduct.struck_at += rules.decay_s


def strike(conduct: Conduct, rules: ConductRules, now: float) -> float | None:
    """Add a strike. Answers the length of the mute it brings, in s; None: until it is lifted."""
    decay(conduct, rules, now)
    step = conduct.strikes
    conduct.strikes = min(step + 1, len(rules.short_mutes_s) + 1)
    conduct.struck_at = now
    return rules.short_mutes_s[step] if step < len(rules.short_mutes_s) else None


def nudge(room: Room, person: Person) -> None:
    """Tell them, and only them, that someone may not have finished; not too often."""
    conduct = person.conduct
    last = conduct.nudged_at
    if not room.state.ladder_on or (
        last is not None and room.now - last < room.format.conduct.nudge_every_s
    ):
        return
    conduct.nudged_at = room.now
    room.tell(person.id, Nudge("interruption", NUDGES["interruption"]))
    room.audit("nudged", None, person.id, reason="interruption")


def mute_for_interrupting(room: Room, person: Person, evidence: dict[str, Scalar]) -> None:
    """One step up the ladder; the top one comes with an alert."""
    if not room.state.ladder_on:
        return
    why = str(evidence.get("what", ""))
    length_s = strike(person.conduct, room.format.conduct, room.now)
    if length_s is None:
        put_mute(room, person, "held", None, None, why)
        room.alert(
            "repeated_interruptions",
            "attention",
            person.id,
            {**evidence, "muted_until_lifted": True},
        )
    else:
        put_mute(room, person, "short", room.now + length_s, None, why)


def count_interruption(room: Room, person: Person, evidence: dict[str, Scalar]) -> None:
    """Remember that it happened; several within a while are for the facilitators to know."""
    rules = room.format.conduct
    judged = person.conduct.judged_at
    judged.append(room.now)
    person.conduct.judged_at = [at for at in judged if room.now - at < rules.report_window_s]
    times = len(person.conduct.judged_at)
    if times >= rules.report_after:
        room.alert("repeated_interruptions", "attention", person.id, {**evidence, "times": times})


def forgive(room: Room, person: Person, by: str) -> None:
    """Back to the foot of the ladder. A facilitator's own mute is not the ladder's to lift."""
    person.conduct = Conduct()
    if person.mute is not None and person.mute.cause != "facilitator":
        lift_mute(room, person, by)
    room.audit("forgiven", by, person.id)


def switch_ladder(room: Room, on: bool, by: str) -> None:
    """Off: no interruption nudges or mutes any more, and those the ladder put on are lifted."""
    room.state.ladder_on = on
    room.audit("ladder_on" if on else "ladder_off", by)
    if not on:
        for person in room.participants():
            if person.mute is not None and person.mute.cause != "facilitator":
                lift_mute(room, person, by)
