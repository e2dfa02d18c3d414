"""Whose turn is next: the queue, the talking piece and the presenter, as policies of the floor."""

from __future__ import annotations

from moderation.floor import Presenter
from moderation.room import Room
from moderation.turns import begin_turn, can_speak, next_hand


def hand_on(room: Room) -> None:
    """Give the floor to whom it goes next, if it is free and there is someone."""
    if room.frozen or room.state.floor.turn is not None:
        return
    kind = room.format.kind
    if kind == "queue":
        _to_next_hand(room)
    elif kind == "circle":
        _to_next_seat(room)
    elif kind == "presentation":
        _to_presenter_or_question(room)


def _to_next_hand(room: Room) -> None:
    person = next_hand(room)
    if person is not None:
        begin_turn(room, room.state.people[person], room.format.turn.length_s)


def _to_next_seat(room: Room) -> None:
    """The talking piece goes on: to the next seat, into the next round, or to rest."""
    circle = room.state.floor.circle
    seats = [person.id for person in room.participants()]
    if circle.rests_since is not None or not any(can_speak(room, seat) for seat in seats):
        return
    if circle.round == 0:
        circle.begin_round(seats)
    person = circle.next(lambda seat: can_speak(room, seat))
    if person is None:
        if any(_may_come_back(room, seat) for seat in circle.waiting):
            return
        if circle.round >= room.format.circle.rounds:
            circle.rests_since = room.now
            room.audit("round_over", None, round=circle.round)
            return
        circle.begin_round(seats)
        person = circle.next(lambda seat: can_speak(room, seat))
    if person is not None:
        begin_turn(room, room.state.people[person], room.format.turn.length_s)


def _may_come_back(room: Room, person: str) -> bool:
    """Who is to have the floor next is waited for as long as a holder would be."""
    lost_at = room.state.people[person].lost_at
    return lost_at is not None and room.now < lost_at + room.format.turn.lost_grace_s


def _to_presenter_or_question(room: Room) -> None:
    floor = room.state.floor
    rules = room.format
    presenter = floor.presenter
    hand = next_hand(room)
    if presenter is not None and not (presenter.yields and hand is not None):
        if can_speak(room, presenter.person):
            begin_turn(room, room.state.people[presenter.person], presenter.left_s)
            return
        if _may_come_back(room, presenter.person):
            return
        floor.presenter = presenter = None
    if hand is None:
        return
    if presenter is not None:
        begin_turn(room, room.state.people[hand], rules.presentation.question_s, question=True)
    elif room.state.unattended:
        # Nobody could choose a presenter: whoever raises a hand speaks.
        floor.presenter = Presenter(hand, rules.turn.length_s)
        begin_turn(room, room.state.people[hand], rules.turn.length_s)
