"""Help and distress: what never reaches anyone but those it is for."""

from __future__ import annotations

from moderation.alerts import Alert
from moderation.events import AskHelp, RateDistress
from moderation.notices import HelpReceived, HelpSeen, Scalar, Severity
from moderation.people import Person
from moderation.room import RefusalError, Room
from moderation.words import HELP_RECEIVED, HELP_RECEIVED_ALONE, HELP_SEEN


def someone_facilitates(room: Room) -> bool:
    """Whether a facilitator is connected now."""
    return any(person.facilitates and person.connected for person in room.state.people.values())


def ask_help(room: Room, by: Person, _event: AskHelp) -> None:
    """Never refused, never held back, never seen by the group."""
    evidence: dict[str, Scalar] = {"rating": by.rating, "phase": room.state.phase}
    room.alert("help_asked", "urgent", by.id, evidence)
    by.help = "asked"
    attended = someone_facilitates(room)
    room.tell(by.id, HelpReceived(HELP_RECEIVED if attended else HELP_RECEIVED_ALONE))
    room.audit("help_asked", by.id, by.id)


def rate_distress(room: Room, by: Person, event: RateDistress) -> None:
    rating = event.rating
    if rating is not None and (type(rating) is not int or not 0 <= rating <= 10):
        raise RefusalError("bad_value")
    by.rating = rating
    by.rated_at = room.now
    room.people_changed = True
    room.audit("distress_rated", by.id, by.id)
    rules = room.format.alerts
    if rating is None or rating < rules.distress_attention:
        return
    by.high_rated_at = room.now
    severity: Severity = "urgent" if rating >= rules.distress_urgent else "attention"
    room.alert("distress_high", severity, by.id, {"rating": rating})


def help_seen(room: Room, alert: Alert) -> None:
    """Who asked for help learns that somebody has seen it."""
    if alert.kind == "help_asked" and alert.about in room.state.people:
        room.state.people[alert.about].help = "seen"
        room.tell(alert.about, HelpSeen(HELP_SEEN))
