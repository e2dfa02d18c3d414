"""Help, distress and private words: what never reaches anyone but those it is for."""

from __future__ import annotations

from moderation.alerts import Alert
from moderation.events import (
    AskHelp,
    MessageAmongFacilitators,
    MessageFacilitators,
    MessagePerson,
    RateDistress,
)
from moderation.notices import HelpReceived, HelpSeen, PrivateText, Scalar, Severity
from moderation.people import Person
from moderation.room import RefusalError, Room
from moderation.words import HELP_RECEIVED, HELP_RECEIVED_ALONE, HELP_SEEN

LONGEST_TEXT = 2000
"""Characters of one private message."""


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


def message_facilitators(room: Room, by: Person, event: MessageFacilitators) -> None:
    text = _checked(event.text)
    if not someone_facilitates(room):
        raise RefusalError("nobody_there")
    room.tell_facilitators(PrivateText(by.id, "to_facilitators", by.id, text))


def message_person(room: Room, by: Person, event: MessagePerson) -> None:
    text = _checked(event.text)
    to = room.person(event.to)
    if to.facilitates:
        raise RefusalError("bad_value")
    if not to.connected:
        raise RefusalError("not_connected")
    room.tell(to.id, PrivateText(by.id, "to_participant", to.id, text))


def message_among_facilitators(room: Room, by: Person, event: MessageAmongFacilitators) -> None:
    text = _checked(event.text)
    if not any(
        person.facilitates and person.connected and person is not by
        for person in room.state.people.values()
    ):
        raise RefusalError("no_other_facilitator")
    room.tell_facilitators(PrivateText(by.id, "among_facilitators", None, text), without=by.id)


def _checked(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise RefusalError("empty_text")
    if len(text) > LONGEST_TEXT:
        raise RefusalError("long_text")
    return text
