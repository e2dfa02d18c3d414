"""What people ask of the moderation engine, from the wire's terms into the engine's."""

from __future__ import annotations

from typing import Final

from moderation import events
from signaling import messages

_EVENTS: Final[dict[type[messages.Message], type[events.Command]]] = {
    messages.RequestFloor: events.RequestFloor,
    messages.CancelRequest: events.CancelRequest,
    messages.ReleaseFloor: events.ReleaseFloor,
    messages.PassTurn: events.PassTurn,
    messages.AskHelp: events.AskHelp,
    messages.RateDistress: events.RateDistress,
    messages.GrantFloor: events.GrantFloor,
    messages.RevokeFloor: events.RevokeFloor,
    messages.ReorderQueue: events.ReorderQueue,
    messages.SetQueueOrder: events.SetQueueOrder,
    messages.ExtendTurn: events.ExtendTurn,
    messages.NextRound: events.NextRound,
    messages.Invite: events.Invite,
    messages.SetFormat: events.SetFormat,
    messages.SetPhase: events.SetPhase,
    messages.Pause: events.Pause,
    messages.Resume: events.Resume,
    messages.MutePerson: events.MutePerson,
    messages.UnmutePerson: events.UnmutePerson,
    messages.MuteAll: events.MuteAll,
    messages.UnmuteAll: events.UnmuteAll,
    messages.Forgive: events.Forgive,
    messages.SetLadder: events.SetLadder,
    messages.AcknowledgeAlert: events.AcknowledgeAlert,
}
"""The fields of each pair have the same names; the event has ``by`` in addition."""


def command_of(request: messages.Message, by: str) -> events.Command | None:
    """The engine's event for a request that ``by`` sent; None if it is none of the engine's."""
    event = _EVENTS.get(type(request))
    if event is None:
        return None
    fields = request.model_dump()
    if "order" in fields and isinstance(fields["order"], list):
        fields["order"] = tuple(fields["order"])
    return event(by=by, **fields)
