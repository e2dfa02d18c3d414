"""What the moderation engine has people told, from the engine's terms into the wire's.

The engine counts in s on a clock of its own; pages are told how many ms are left or have passed,
since their clocks may be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict

from moderation import notices
from signaling import messages

NameOf = Callable[[str], str]
"""How someone is called who is or was in the room."""

KeyOf = Callable[[str], str | None]
"""By which the group's facilitators know them in the HTTP API; None in rooms with links."""

SOMEONE = "another person"


def notice_of(
    notice: notices.PersonalNotice | notices.FacilitatorNotice,
    now: float,
    name_of: NameOf,
    key_of: KeyOf,
) -> messages.Message:
    """The message that tells ``notice`` at the time ``now``, in s on the engine's clock.

    Keys stand in what facilitators alone are told.
    """
    match notice:
        case notices.FloorState():
            return _floor(notice, now)
        case notices.OwnState():
            return messages.Own(
                holding=notice.holding,
                hand_raised=notice.hand_raised,
                place=notice.place,
                muted=notice.muted,
                muted_left_ms=_left(notice.muted_until, now),
                text=notice.text,
                rating=notice.rating,
                help=notice.help,
            )
        case notices.YourTurn():
            return messages.YourTurn(left_ms=_left(notice.ends_at, now), text=notice.text)
        case notices.TurnEndingSoon():
            left_ms = _left(notice.ends_at, now)
            return messages.TurnEndingSoon(left_ms=left_ms or 0, text=notice.text)
        case notices.TurnEnded():
            return messages.TurnEnded(why=notice.why, text=notice.text)
        case notices.Nudge():
            return messages.Nudge(about=notice.about, text=notice.text)
        case notices.Muted():
            return messages.Muted(
                reason=notice.reason, left_ms=_left(notice.until, now), text=notice.text
            )
        case notices.Unmuted():
            return messages.Unmuted(text=notice.text)
        case notices.Invited():
            return messages.Invited(text=notice.text)
        case notices.OwnShare():
            return messages.OwnShare(**asdict(notice))
        case notices.HelpReceived():
            return messages.HelpReceived(text=notice.text)
        case notices.HelpSeen():
            return messages.HelpSeen(text=notice.text)
        case notices.PeopleState():
            return messages.People(
                people=[_person(person, now, name_of, key_of) for person in notice.people],
                gini=notice.gini,
                recent_gini=notice.recent_gini,
                fair_share=notice.fair_share,
                suggested=list(notice.suggested),
                ladder_on=notice.ladder_on,
            )
        case notices.AlertNotice():
            return _alert(notice, name_of, key_of)


def _floor(state: notices.FloorState, now: float) -> messages.Floor:
    left_ms = _left(state.turn_ends_at, now)
    if left_ms is None and state.turn_left_s is not None:
        left_ms = round(state.turn_left_s * 1000)
    piece = state.piece
    return messages.Floor.model_validate(
        {
            "phase": state.phase,
            "format": state.format,
            "kind": state.kind,
            "holder": state.holder,
            "turn_left_ms": left_ms,
            "turn_runs": state.turn_ends_at is not None,
            "queue": list(state.queue),
            "queue_order": state.queue_order,
            "piece": None
            if piece is None
            else messages.Piece(
                round=piece.round,
                rounds=piece.rounds,
                waiting=list(piece.waiting),
                resting=piece.resting,
            ),
            "presenter": state.presenter,
            "paused": state.paused,
            "all_muted": state.all_muted,
            "attended": state.attended,
        }
    )


def _person(
    view: notices.PersonView, now: float, name_of: NameOf, key_of: KeyOf
) -> messages.PersonView:
    return messages.PersonView.model_validate(
        {
            "id": view.id,
            "person": key_of(view.id),
            "role": view.role,
            "connected": view.connected,
            "session": messages.Figures(**asdict(view.session)),
            "recent": messages.Figures(**asdict(view.recent)),
            "last_heard_ms": _ago(view.last_heard_at, now),
            "gate": view.gate,
            "gate_text": view.gate_text,
            "muted_left_ms": _left(view.muted_until, now),
            "muted_by": view.muted_by and name_of(view.muted_by),
            "muted_why": _with_names(view.muted_why, name_of(view.id), SOMEONE),
            "strikes": view.strikes,
            "rating": view.rating,
            "rated_ms": _ago(view.rated_at, now),
            "hand_raised": view.hand_raised,
        }
    )


def _alert(notice: notices.AlertNotice, name_of: NameOf, key_of: KeyOf) -> messages.Alert:
    alert = notice.alert
    about_name = None if alert.about is None else name_of(alert.about)
    evidence = dict(alert.evidence)
    victim = evidence.get("victim")
    if isinstance(victim, str):
        evidence["victim"] = name_of(victim)
    if isinstance(evidence.get("what"), str):
        evidence["what"] = _with_names(
            str(evidence["what"]), about_name or SOMEONE, str(evidence.get("victim", SOMEONE))
        )
    return messages.Alert(
        change=notice.change,
        id=alert.id,
        kind=alert.kind,
        severity=alert.severity,
        about=alert.about,
        about_name=about_name,
        about_person=None if alert.about is None else key_of(alert.about),
        text=alert.text,
        evidence=evidence,
        count=alert.count,
        raised_at=alert.raised_at,
        rises=alert.rises,
        acknowledged_by=alert.acknowledged_by and name_of(alert.acknowledged_by),
        acknowledged_at=alert.acknowledged_at,
    )


def _with_names(sentence: str, challenger: str, victim: str) -> str:
    # not str.format, nor one after the other: a name may have braces of its own
    names = {"{challenger}": challenger, "{victim}": victim}
    return re.sub(r"\{challenger\}|\{victim\}", lambda found: names[found[0]], sentence)


def _left(deadline: float | None, now: float) -> int | None:
    return None if deadline is None else max(0, round((deadline - now) * 1000))


def _ago(time: float | None, now: float) -> int | None:
    return None if time is None else max(0, round((now - time) * 1000))
