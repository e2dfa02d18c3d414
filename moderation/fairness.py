"""How evenly the talk is spread: shares, Gini coefficient, whom to invite next.

Shares are of the participants' talk: facilitators have another part to play, and their talk is
shown but not shared out.
"""

from __future__ import annotations

from moderation.notices import Figures, OwnShare
from moderation.people import Person
from moderation.room import Room
from moderation.tally import SLOT_S, Rolling, gini
from moderation.words import own_share

TURN_S = 1.0
"""A talk spurt counts as a turn once it is so long, in s: shorter ones are mostly feedback."""

SUGGESTIONS = 3


def roll(room: Room) -> None:
    """Begin the slot of time that has come, and forget what is not recent any more."""
    state = room.state
    slot = int(room.now // SLOT_S)
    if slot != state.slot:
        state.slot = slot
        for person in [*state.people.values(), *state.gone.values()]:
            person.tally.forget(slot)


def talked(room: Room, person: Person, seconds: float) -> None:
    """Credit heard talk; ``seconds`` since the last credit of the same talk spurt."""
    tally = person.tally
    slot = room.state.slot
    tally.talk_s.add(seconds, slot)
    tally.last_heard_at = room.now
    before = tally.spurt_s
    tally.spurt_s = before + seconds
    if before < TURN_S <= tally.spurt_s and room.state.last_speaker != person.id:
        tally.turns.add(1.0, slot)
        room.state.last_speaker = person.id


def fair_share(room: Room) -> float:
    """What each participant would have if all had the same, 0 to 1."""
    return 1 / max(1, len(room.participants()))


def share(amount: float, total: float) -> float:
    return amount / total if total > 0.0 else 0.0


def recent_talk_s(room: Room) -> float:
    return sum(person.tally.talk_s.recent() for person in room.participants())


def session_talk_s(room: Room) -> float:
    return sum(person.tally.talk_s.total for person in room.participants())


def figures(person: Person, total_s: float, *, recent: bool) -> Figures:
    """One person's figures, of the participants' ``total_s`` of talk."""
    tally = person.tally

    def read(quantity: Rolling) -> float:
        return quantity.recent() if recent else quantity.total

    talk_s = read(tally.talk_s)
    return Figures(
        talk_s=round(talk_s, 2),
        share=0.0 if person.facilitates else round(share(talk_s, total_s), 4),
        turns=int(read(tally.turns)),
        interruptions_made=int(read(tally.made)),
        interruptions_suffered=int(read(tally.suffered)),
    )


def session_gini(room: Room) -> float:
    return round(gini([person.tally.talk_s.total for person in room.participants()]), 4)


def recent_gini(room: Room) -> float:
    return round(gini([person.tally.talk_s.recent() for person in room.participants()]), 4)


def suggested(room: Room) -> tuple[str, ...]:
    """Whom to invite next: least heard in ten minutes, then in the session, then longest ago.

    Only people who could speak now: connected, not muted by a facilitator, not holding the floor.
    """
    holder = room.state.floor.holder
    candidates = [
        person
        for person in room.participants()
        if person.connected and person.mute is None and person.id != holder
    ]
    candidates.sort(
        key=lambda person: (
            person.tally.talk_s.recent(),
            person.tally.talk_s.total,
            person.joined_at if person.tally.last_heard_at is None else person.tally.last_heard_at,
        )
    )
    return tuple(person.id for person in candidates[:SUGGESTIONS])


def tell_own_shares(room: Room) -> None:
    """Each participant learns their own part, and nobody else's."""
    if len(room.participants()) < 2:
        return
    total_s, recent_s = session_talk_s(room), recent_talk_s(room)
    fair = fair_share(room)
    if recent_s <= 0.0:
        return
    for person in room.participants():
        talk = person.tally.talk_s
        recent = share(talk.recent(), recent_s)
        room.tell(
            person.id,
            OwnShare(
                talk_s=round(talk.total, 1),
                share=round(share(talk.total, total_s), 3),
                recent_share=round(recent, 3),
                fair_share=round(fair, 3),
                text=own_share(recent, fair),
            ),
        )
