"""A turn from its grant to its end, and the clock between them.

The floor control server of RFC 8855: granting (sections 13.1.1, 13.1.2), releasing (13.4) and
revoking (13.6). A turn is only begun while nobody holds the floor; whose it is next is decided
in :mod:`moderation.handing_on`.
"""

from __future__ import annotations

from moderation.floor import Turn
from moderation.muting import lift_mute
from moderation.notices import TurnEnd, TurnEnded, TurnEndingSoon, YourTurn
from moderation.people import Person
from moderation.room import Room
from moderation.words import ENDING_SOON, TURN_ENDED, YOUR_TURN, YOUR_TURN_CIRCLE

SHORTEST_WARNING_S = 5.0
"""What a holder whose time had no end is left with at least once someone waits, in s."""


def can_speak(room: Room, person: str) -> bool:
    """Whether a turn would be of use to them now. A short mute gives way to one's own turn."""
    found = room.state.people.get(person)
    return (
        found is not None
        and found.connected
        and (found.mute is None or found.mute.cause == "short")
    )


def next_hand(room: Room) -> str | None:
    """Whose raised hand is next by the queue's order, of those who can speak."""
    sort_queue(room)
    floor = room.state.floor
    for request in floor.queue:
        if request.person != floor.holder and can_speak(room, request.person):
            return request.person
    return None


def sort_queue(room: Room) -> None:
    """Keep quietest first: least talk in the last ten minutes; among equals, in the session."""
    floor = room.state.floor
    if floor.order == "quietest_first":
        people = room.state.people
        floor.sort_by(
            lambda person: (
                people[person].tally.talk_s.recent(),
                people[person].tally.talk_s.total,
            )
        )


def begin_turn(room: Room, person: Person, length_s: float, *, question: bool = False) -> None:
    """Grant the free floor."""
    floor = room.state.floor
    floor.lower(person.id)
    if room.format.kind == "circle":
        floor.circle.visited(person.id)
    if person.mute is not None:
        lift_mute(room, person, None)
    floor.turn = Turn(person.id, room.now, question, length_s)
    floor.turn.run(True, room.now)
    text = YOUR_TURN_CIRCLE if room.format.kind == "circle" else YOUR_TURN
    room.tell(person.id, YourTurn(floor.turn.ends_at(), text))
    room.audit("turn_began", None, person.id, question=question)


def end_turn(room: Room, why: TurnEnd) -> None:
    """Take the floor from its holder, if there is one."""
    floor = room.state.floor
    turn = floor.turn
    if turn is None:
        return
    floor.turn = None
    if why != "left":
        room.tell(turn.holder, TurnEnded(why, TURN_ENDED[why]))
    room.audit(
        "turn_ended", None, turn.holder, why=why, after_s=round(room.now - turn.started_at, 1)
    )
    kind = room.format.kind
    if kind == "presentation":
        _after_presenting(room, turn, why)
    elif why == "lost" and kind == "circle":
        floor.circle.owed(turn.holder)
    elif why == "lost" and kind == "queue":
        floor.ask_first(turn.holder)


def _after_presenting(room: Room, turn: Turn, why: TurnEnd) -> None:
    """What a presenter's turn, or a question to them, leaves behind."""
    floor = room.state.floor
    presenter = floor.presenter
    if presenter is None:
        return
    question_s = room.format.presentation.question_s
    if turn.holder != presenter.person:
        presenter.yields = False
    elif why == "granted_to_another":
        left_s = turn.remaining(room.now)
        presenter.left_s = question_s if left_s is None else max(left_s, question_s)
    elif why in {"released", "passed", "time"} and next_hand(room) is not None:
        presenter.left_s = question_s
        presenter.yields = True
    else:
        floor.presenter = None


def run_clock(room: Room) -> None:
    """Let the turn's clock run while its holder is there and the room is not frozen; give it an
    end again once someone waits for a floor that had none."""
    turn = room.state.floor.turn
    if turn is None:
        return
    if turn.left_s is None and next_hand(room) is not None:
        turn.left_s = max(room.format.turn.warning_s, SHORTEST_WARNING_S)
        turn.clock_at = None
        turn.warned = False
    holder = room.state.people[turn.holder]
    stands = room.state.paused or (room.state.all_muted and not holder.exempt)
    turn.run(holder.connected and not stands, room.now)
    _warn(room, turn)


def _warn(room: Room, turn: Turn) -> None:
    ends_at = turn.ends_at()
    if ends_at is None or turn.warned or room.now < ends_at - room.format.turn.warning_s:
        return
    turn.warned = True
    room.tell(turn.holder, TurnEndingSoon(ends_at, ENDING_SOON))


def advance_turn(room: Room) -> None:
    """End a turn whose time is up, or whose holder's network did not come back in time."""
    turn = room.state.floor.turn
    if turn is None:
        return
    lost_at = room.state.people[turn.holder].lost_at
    if lost_at is not None and room.now >= lost_at + room.format.turn.lost_grace_s:
        end_turn(room, "lost")
        return
    ends_at = turn.ends_at()
    if ends_at is None or room.now < ends_at:
        return
    if room.format.kind != "circle" and not turn.question and next_hand(room) is None:
        # Nobody waits: nobody is cut off.
        turn.left_s = None
        turn.clock_at = None
    else:
        end_turn(room, "time")


def turn_due(room: Room) -> list[float]:
    """Times at which :func:`advance_turn` or a warning has something to do."""
    turn = room.state.floor.turn
    if turn is None:
        return []
    due = []
    lost_at = room.state.people[turn.holder].lost_at
    if lost_at is not None:
        due.append(lost_at + room.format.turn.lost_grace_s)
    ends_at = turn.ends_at()
    if ends_at is not None:
        due.append(ends_at if turn.warned else ends_at - room.format.turn.warning_s)
    return due
