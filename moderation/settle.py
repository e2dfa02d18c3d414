"""After each event: what follows from the state is worked out once, and changes are told."""

from __future__ import annotations

from moderation.care import someone_facilitates
from moderation.effects import CallOnCall, SetGate, TellEveryone, TellFacilitators
from moderation.fairness import (
    fair_share,
    figures,
    recent_gini,
    recent_talk_s,
    session_gini,
    session_talk_s,
    suggested,
)
from moderation.handing_on import hand_on
from moderation.notices import (
    AlertNotice,
    FloorState,
    GateReason,
    Muted,
    OwnState,
    PeopleState,
    PersonView,
    PieceState,
    Unmuted,
)
from moderation.people import MuteCause, Person
from moderation.room import Room
from moderation.turns import run_clock, sort_queue
from moderation.words import GATES, HELD_ALONE, MUTED, UNMUTED

_MUTE_REASONS: dict[MuteCause, GateReason] = {
    "short": "short_mute",
    "held": "held_mute",
    "facilitator": "facilitator_mute",
}


def settle(room: Room) -> None:
    if not room.state.people:
        room.people_changed = False
        return
    hand_on(room)
    run_clock(room)
    _set_gates(room)
    _tell_floor(room)
    _tell_own_states(room)
    tell_alerts(room)
    if room.people_changed:
        tell_people(room)
    _show_newcomers_alerts(room)
    room.newcomers.clear()


def gate_reason(room: Room, person: Person) -> GateReason | None:
    """Why this person is not heard; None: they are."""
    if person.facilitates:
        return None
    if person.mute is not None:
        return _MUTE_REASONS[person.mute.cause]
    if room.state.all_muted and not person.exempt:
        return "all_muted"
    if room.state.paused:
        return "paused"
    if room.format.structured and room.state.floor.holder != person.id:
        return "not_your_turn"
    return None


def _set_gates(room: Room) -> None:
    """Closed ones first: between two of these effects nobody is heard who should not be."""
    opened: list[SetGate] = []
    changed = False
    for person in room.state.people.values():
        reason = gate_reason(room, person)
        before = person.gate
        if reason == before:
            continue
        person.gate = reason
        changed = True
        room.people_changed = True
        gate = SetGate(person.id, reason is None, reason)
        if reason is None:
            opened.append(gate)
        else:
            room.effects.append(gate)
        if reason is not None and reason != "not_your_turn":
            room.tell(person.id, Muted(reason, _muted_until(person), _words(room, reason)))
        elif reason is None and before in {"paused", "all_muted", *_MUTE_REASONS.values()}:
            room.tell(person.id, Unmuted(UNMUTED))
    room.effects.extend(opened)
    if changed:
        people = room.state.people.values()
        room.listening.set_heard(person.id for person in people if person.gate is None)


def _muted_until(person: Person) -> float | None:
    return person.mute.until if person.mute is not None else None


def _words(room: Room, reason: GateReason) -> str:
    if reason == "held_mute" and room.state.unattended:
        return HELD_ALONE
    return MUTED[reason]


def floor_state(room: Room) -> FloorState:
    """What everyone may see."""
    sort_queue(room)
    state = room.state
    floor = state.floor
    turn = floor.turn
    circle = floor.circle
    stands = turn is not None and turn.clock_at is None
    return FloorState(
        phase=state.phase,
        format=floor.format,
        kind=room.format.kind,
        holder=floor.holder,
        turn_ends_at=turn.ends_at() if turn else None,
        turn_left_s=turn.left_s if turn and stands else None,
        queue=tuple(request.person for request in floor.queue),
        queue_order=floor.order,
        piece=PieceState(
            round=circle.round,
            rounds=max(circle.round, room.format.circle.rounds),
            waiting=tuple(circle.waiting),
            resting=circle.rests_since is not None,
        )
        if room.format.kind == "circle"
        else None,
        presenter=floor.presenter.person if floor.presenter else None,
        paused=state.paused,
        all_muted=state.all_muted,
        attended=bool(room.facilitators()) and not state.unattended,
    )


def _tell_floor(room: Room) -> None:
    now = floor_state(room)
    if now != room.state.told_floor:
        room.state.told_floor = now
        room.effects.append(TellEveryone(now))
    else:
        for person in room.newcomers:
            room.tell(person, now)


def _tell_own_states(room: Room) -> None:
    floor = room.state.floor
    queue = [request.person for request in floor.queue]
    line = floor.circle.waiting if room.format.kind == "circle" else queue
    for person in room.state.people.values():
        reason = gate_reason(room, person)
        own = OwnState(
            holding=floor.holder == person.id,
            hand_raised=person.id in queue,
            place=line.index(person.id) + 1 if person.id in line else None,
            muted=reason,
            muted_until=_muted_until(person),
            text=_words(room, reason) if reason else "",
            rating=person.rating,
            help=person.help,
        )
        if own != person.told:
            person.told = own
            room.tell(person.id, own)


def tell_alerts(room: Room) -> None:
    """Show what is due; nobody there to see an urgent one about a person: call at once."""
    alone = not someone_facilitates(room)
    for change, alert in room.state.alerts.due(room.now, room.format.alerts):
        view = alert.view()
        room.tell_facilitators(AlertNotice(change, view))
        room.audit("alert_" + change, None, alert.about, alert=alert.id, kind=alert.kind)
        urgent_alone = alone and alert.severity == "urgent" and alert.about is not None
        if change == "rose_again" or urgent_alone:
            room.effects.append(CallOnCall(view))


def _show_newcomers_alerts(room: Room) -> None:
    """A facilitator who comes in sees what is open; what was just told to all is not repeated."""
    for newcomer in room.newcomers:
        if not room.state.people[newcomer].facilitates:
            continue
        for alert in room.state.alerts.open():
            if alert.shown is not None and alert.shown_at < room.now:
                notice = AlertNotice("raised", alert.view())
                room.effects.append(TellFacilitators((newcomer,), notice))


def tell_people(room: Room) -> None:
    """The facilitators' console: everyone with their figures, mutes and ratings."""
    room.people_changed = False
    room.state.people_told_at = room.now
    if not room.facilitators():
        return
    total_s, recent_s = session_talk_s(room), recent_talk_s(room)
    views = []
    for person in room.state.people.values():
        reason = gate_reason(room, person)
        mute = person.mute
        views.append(
            PersonView(
                id=person.id,
                role=person.role,
                connected=person.connected,
                session=figures(person, total_s, recent=False),
                recent=figures(person, recent_s, recent=True),
                last_heard_at=person.tally.last_heard_at,
                gate=reason,
                gate_text=GATES[reason] if reason else "",
                muted_until=mute.until if mute else None,
                muted_by=mute.by if mute else None,
                muted_why=mute.why if mute else "",
                strikes=person.conduct.strikes,
                rating=person.rating,
                rated_at=person.rated_at,
                hand_raised=room.state.floor.hand_of(person.id) is not None,
            )
        )
    room.tell_facilitators(
        PeopleState(
            people=tuple(views),
            gini=session_gini(room),
            recent_gini=recent_gini(room),
            fair_share=round(fair_share(room), 4),
            suggested=suggested(room),
            ladder_on=room.state.ladder_on,
        )
    )
