"""Commands about the floor, from whoever may give them (RFC 8855, sections 10 and 11)."""

from __future__ import annotations

import math

from moderation.events import (
    CancelRequest,
    ExtendTurn,
    GrantFloor,
    Invite,
    NextRound,
    PassTurn,
    ReleaseFloor,
    ReorderQueue,
    RequestFloor,
    RevokeFloor,
    SetQueueOrder,
)
from moderation.floor import Presenter, rank
from moderation.formats import QUEUE_ORDERS
from moderation.muting import lift_mute
from moderation.notices import Invited
from moderation.people import Person
from moderation.room import RefusalError, Room
from moderation.turns import begin_turn, end_turn, sort_queue
from moderation.words import INVITED

LONGEST_EXTENSION_S = 3600.0


def request_floor(room: Room, by: Person, _event: RequestFloor) -> None:
    floor = room.state.floor
    if room.state.phase == "ended":
        raise RefusalError("ended")
    if floor.holder == by.id:
        raise RefusalError("has_floor")
    if floor.hand_of(by.id) is not None:
        raise RefusalError("hand_already_up")
    floor.ask(by.id)
    sort_queue(room)
    room.people_changed = True
    room.audit("hand_raised", by.id, by.id)


def cancel_request(room: Room, by: Person, _event: CancelRequest) -> None:
    if room.state.floor.hand_of(by.id) is None:
        raise RefusalError("hand_not_up")
    room.state.floor.lower(by.id)
    room.people_changed = True
    room.audit("hand_lowered", by.id, by.id)


def release_floor(room: Room, by: Person, _event: ReleaseFloor) -> None:
    if room.state.floor.holder != by.id:
        raise RefusalError("not_your_turn")
    end_turn(room, "released")


def pass_turn(room: Room, by: Person, _event: PassTurn) -> None:
    """The right to pass: in one's turn in any format; in a circle also before it comes."""
    floor = room.state.floor
    if floor.holder == by.id:
        end_turn(room, "passed")
    elif by.id in floor.circle.waiting:
        floor.circle.visited(by.id)
        room.audit("passed_beforehand", by.id, by.id)
    else:
        raise RefusalError("not_your_turn")


def grant_floor(room: Room, by: Person, event: GrantFloor) -> None:
    """Give the floor to someone at once, whoever has it; lifts what mutes them, and only them."""
    to = room.person(event.to)
    floor = room.state.floor
    rules = room.format
    if not rules.structured:
        raise RefusalError("open_floor")
    if room.state.paused:
        raise RefusalError("paused")
    if floor.holder == to.id:
        raise RefusalError("has_floor" if to is by else "already")
    if not to.connected:
        raise RefusalError("not_connected")
    end_turn(room, "granted_to_another")
    room.audit("floor_granted", by.id, to.id)
    lift_mute(room, to, by.id)
    to.exempt = room.state.all_muted and not to.facilitates
    if rules.kind != "presentation":
        begin_turn(room, to, rules.turn.length_s)
    elif floor.presenter is None:
        floor.presenter = Presenter(to.id, rules.turn.length_s)
        begin_turn(room, to, rules.turn.length_s)
    elif floor.presenter.person == to.id:
        begin_turn(room, to, floor.presenter.left_s)
    else:
        begin_turn(room, to, rules.presentation.question_s, question=True)


def revoke_floor(room: Room, by: Person, _event: RevokeFloor) -> None:
    holder = room.state.floor.holder
    if holder is None:
        raise RefusalError("no_holder")
    room.audit("floor_revoked", by.id, holder)
    end_turn(room, "revoked")


def reorder_queue(room: Room, by: Person, event: ReorderQueue) -> None:
    """A facilitator's own order stands: from now on new hands go to the end."""
    floor = room.state.floor
    order = list(event.order)
    in_queue = any(floor.hand_of(person) for person in order)
    in_circle = any(person in floor.circle.waiting for person in order)
    if not in_queue and not in_circle:
        raise RefusalError("bad_value")
    if in_circle:
        floor.circle.waiting.sort(key=lambda person: rank(person, order))
    if in_queue:
        floor.rearrange(order)
        floor.order = "first_come"
    room.audit("queue_reordered", by.id)


def set_queue_order(room: Room, by: Person, event: SetQueueOrder) -> None:
    floor = room.state.floor
    order = next((known for known in QUEUE_ORDERS if known == event.order), None)
    if order is None:
        raise RefusalError("bad_value")
    floor.order = order
    if floor.order == "first_come":
        floor.queue.sort(key=lambda request: request.number)
    sort_queue(room)
    room.audit("queue_order", by.id, order=order)


def extend_turn(room: Room, by: Person, event: ExtendTurn) -> None:
    turn = room.state.floor.turn
    seconds = checked_seconds(event.seconds, LONGEST_EXTENSION_S)
    if turn is None:
        raise RefusalError("no_holder")
    if turn.left_s is None:
        turn.left_s = 0.0
        turn.clock_at = None
    turn.left_s += seconds
    turn.warned = False
    room.audit("turn_extended", by.id, turn.holder, seconds=seconds)


def next_round(room: Room, by: Person, _event: NextRound) -> None:
    circle = room.state.floor.circle
    if room.format.kind != "circle":
        raise RefusalError("not_circle")
    if circle.rests_since is None:
        raise RefusalError("round_going")
    circle.begin_round([person.id for person in room.participants()])
    room.audit("round_begun", by.id, round=circle.round)


def invite(room: Room, by: Person, event: Invite) -> None:
    to = room.person(event.to)
    if to.facilitates:
        raise RefusalError("bad_value")
    if not to.connected:
        raise RefusalError("not_connected")
    if not room.format.structured:
        # Being invited is what a raised hand asks for in an open floor.
        room.state.floor.lower(to.id)
    room.tell(to.id, Invited(INVITED))
    room.audit("invited", by.id, to.id)


def checked_seconds(seconds: object, longest: float) -> float:
    """A length of time that a person gave, in s."""
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, int | float)
        or not math.isfinite(seconds)
        or not 0 < seconds <= longest
    ):
        raise RefusalError("bad_value")
    return float(seconds)
