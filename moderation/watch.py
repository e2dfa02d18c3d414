"""What the engine keeps an eye on, once a second: silence, one-sidedness, sudden leaving."""

from __future__ import annotations

from moderation.fairness import TURN_S, fair_share, recent_talk_s, session_talk_s, share
from moderation.notices import AlertKind, AlertNotice, Nudge, Scalar
from moderation.people import Person, ShareNudge
from moderation.room import Room
from moderation.words import NUDGES


def watch_talk(room: Room) -> None:
    """Not in circles and presentations, where the format sees to turns, nor in a pause."""
    state = room.state
    if state.active_since is None or room.frozen or room.format.kind not in {"open", "queue"}:
        return
    total_s, fair = recent_talk_s(room), fair_share(room)
    for person in room.participants():
        _watch_silence(room, person, state.active_since)
        _watch_dominance(room, person, total_s, fair)


def _watch_silence(room: Room, person: Person, active_since: float) -> None:
    heard_at = person.tally.last_heard_at
    quiet_since = max(person.joined_at, active_since, heard_at or person.joined_at)
    rules = room.format.fairness
    if room.now - quiet_since < rules.not_heard_s:
        if person.silence_told_at is not None:
            person.silence_told_at = None
            withdraw(room, "not_heard", person.id)
    elif (
        person.connected
        and person.id != room.state.floor.holder
        and room.now - (person.silence_told_at or quiet_since) >= rules.not_heard_s
        and len(room.participants()) > 1
    ):
        person.silence_told_at = room.now
        quiet_s = round(room.now - quiet_since)
        room.alert("not_heard", "info", person.id, {"quiet_s": quiet_s})


def _watch_dominance(room: Room, person: Person, total_s: float, fair: float) -> None:
    """A nudge first; an alert, or another nudge, only to who goes on as before after it."""
    rules = room.format.fairness
    limit = rules.dominating_times * fair
    talk_s = person.tally.talk_s.recent()
    part = share(talk_s, total_s)
    if talk_s < rules.min_talk_s or part <= limit:
        person.share_nudge = None
        return
    last = person.share_nudge
    goes_on = last is not None and limit < share(
        person.tally.talk_s.total - last.own_s, session_talk_s(room) - last.all_s
    )
    nudged_at = person.share_nudged_at
    spaced = nudged_at is None or room.now - nudged_at >= rules.nudge_every_s
    if spaced and (last is None or goes_on):
        person.share_nudged_at = room.now
        person.share_nudge = ShareNudge(person.tally.talk_s.total, session_talk_s(room))
        room.tell(person.id, Nudge("share", NUDGES["share"]))
        room.audit("nudged", None, person.id, reason="share")
    elif (
        last is not None
        and nudged_at is not None
        and goes_on
        and not last.reported
        and room.now - nudged_at >= rules.report_after_s
    ):
        last.reported = True
        evidence: dict[str, Scalar] = {
            "recent_talk_s": round(talk_s),
            "share": round(part, 2),
            "fair_share": round(fair, 2),
        }
        room.alert("dominating", "info", person.id, evidence)


def in_own_turn(room: Room, person: Person) -> bool:
    """Whether they have the floor, or in an open session are in the middle of speaking."""
    if room.state.floor.holder == person.id:
        return True
    open_session = room.state.active_since is not None and not room.format.structured
    return open_session and person.gate is None and person.tally.spurt_s >= TURN_S


def watch_leaving(room: Room, person: Person) -> None:
    """Called as someone leaves, before they are taken out.

    Closing a page looks like a lost network first: what counts is how it was when they went.
    """
    if person.facilitates:
        return
    rules = room.format.alerts
    went_at = room.now if person.lost_at is None else person.lost_at
    rated_at, muted_at = person.high_rated_at, person.muted_at
    after_rating = rated_at is not None and went_at - rated_at <= rules.left_after_rating_s
    ended = room.state.phase == "ended"
    after_mute = not ended and (
        person.mute is not None
        or (muted_at is not None and went_at - muted_at <= rules.left_after_mute_s)
    )
    in_turn = person.lost_in_turn if person.lost_at is not None else in_own_turn(room, person)
    if not (after_rating or after_mute or in_turn):
        return
    evidence: dict[str, Scalar] = {
        "in_own_turn": in_turn,
        "after_mute": after_mute,
        "rating": person.rating if after_rating else None,
        "network_lost": not person.connected,
    }
    room.alert("left_abruptly", "urgent" if after_rating else "attention", person.id, evidence)


def withdraw(room: Room, kind: AlertKind, about: str | None) -> None:
    """Close an alert whose cause is gone, so that nobody acts on it any more."""
    alert = room.state.alerts.withdraw(kind, about)
    if alert is not None:
        room.tell_facilitators(AlertNotice("withdrawn", alert.view()))
