"""The engine's one door: ``Session.handle(event, now) -> effects``.

Pure and sans-IO: the only time it knows is the ``now`` it is given, in s. All nodes that may go
on with a saved session must use the same clock (Unix time); a time earlier than one already seen
counts as that one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moderation import care, floor_commands, room_commands
from moderation import events as ev
from moderation.attendance import joined, left, network_back, network_lost
from moderation.chores import advance, next_due
from moderation.effects import Effect, Refused, SetGate
from moderation.formats import Formats, Phase
from moderation.hearing import hear
from moderation.people import Person
from moderation.room import RefusalError, Room
from moderation.saved import StateError, from_plain, to_plain
from moderation.settle import settle
from moderation.state import RoomState, fresh
from moderation.words import REFUSALS, RefusalCode

SCHEMA = 1
"""Version of the saved state; raised whenever older state would be misread."""

_FROM_SERVER: dict[type, Callable[[Room, Any], None]] = {
    ev.Joined: joined,
    ev.Left: left,
    ev.NetworkLost: network_lost,
    ev.NetworkBack: network_back,
}

_Command = Callable[[Room, Person, Any], None]

_FROM_ANYONE: dict[type, _Command] = {
    ev.RequestFloor: floor_commands.request_floor,
    ev.CancelRequest: floor_commands.cancel_request,
    ev.ReleaseFloor: floor_commands.release_floor,
    ev.PassTurn: floor_commands.pass_turn,
    ev.AskHelp: care.ask_help,
}

_FROM_PARTICIPANTS: dict[type, _Command] = {
    ev.RateDistress: care.rate_distress,
}

_FROM_FACILITATORS: dict[type, _Command] = {
    ev.GrantFloor: floor_commands.grant_floor,
    ev.RevokeFloor: floor_commands.revoke_floor,
    ev.ReorderQueue: floor_commands.reorder_queue,
    ev.SetQueueOrder: floor_commands.set_queue_order,
    ev.ExtendTurn: floor_commands.extend_turn,
    ev.NextRound: floor_commands.next_round,
    ev.Invite: floor_commands.invite,
    ev.SetFormat: room_commands.set_format,
    ev.SetPhase: room_commands.set_phase,
    ev.Pause: room_commands.pause,
    ev.Resume: room_commands.resume,
    ev.MutePerson: room_commands.mute_person,
    ev.UnmutePerson: room_commands.unmute_person,
    ev.MuteAll: room_commands.mute_all,
    ev.UnmuteAll: room_commands.unmute_all,
    ev.Forgive: room_commands.forgive_person,
    ev.SetLadder: room_commands.set_ladder,
    ev.AcknowledgeAlert: room_commands.acknowledge_alert,
}


class Session:
    """The rules of one room at work."""

    def __init__(self, formats: Formats, phase: Phase = "lobby") -> None:
        self._room = Room(formats, fresh(formats, phase))
        self._due = 0.0

    def handle(self, event: ev.Event, now: float) -> list[Effect]:
        """Take in one event at a time in s; answer what is to be done, in order."""
        room = self._room
        state = room.state
        room.effects = []
        room.now = state.time = max(state.time, float(now))
        if room.now >= self._due and state.people:
            advance(room)
            self._settle()
        if isinstance(event, ev.VoiceFrames):
            if state.people and hear(room, event):
                self._settle()
        elif not isinstance(event, ev.Tick):
            self._carry_out(type(event), event)
            self._settle()
        # Gates first, in their order: the relay is never later than a word about it.
        room.effects.sort(key=lambda effect: not isinstance(effect, SetGate))
        return room.effects

    def _settle(self) -> None:
        settle(self._room)
        self._due = next_due(self._room)

    def _carry_out(self, kind: type, event: Any) -> None:
        from_server = _FROM_SERVER.get(kind)
        if from_server is not None:
            from_server(self._room, event)
            return
        try:
            self._command(kind, event)
        except RefusalError as refusal:
            self._refuse(event.by, refusal.code)

    def _command(self, kind: type, event: Any) -> None:
        by = self._room.state.people.get(event.by)
        if by is None:
            raise RefusalError("not_here")
        if kind in _FROM_FACILITATORS:
            if not by.facilitates:
                raise RefusalError("not_facilitator")
            _FROM_FACILITATORS[kind](self._room, by, event)
        elif kind in _FROM_PARTICIPANTS:
            if by.facilitates:
                raise RefusalError("not_participant")
            _FROM_PARTICIPANTS[kind](self._room, by, event)
        else:
            _FROM_ANYONE[kind](self._room, by, event)

    def _refuse(self, to: str, code: RefusalCode) -> None:
        self._room.effects.append(Refused(to, code, REFUSALS[code]))

    def save(self) -> bytes:
        """Everything, so that ``restore`` goes on with the same effects."""
        room = self._room
        saved = {
            "schema": SCHEMA,
            "state": to_plain(room.state),
            "listening": room.listening.save(),
        }
        return json.dumps(saved, separators=(",", ":")).encode()

    @classmethod
    def restore(cls, saved: bytes, formats: Formats) -> Session:
        """Go on with a saved session.

        Raises :class:`~moderation.saved.StateError` if it is not one, has another schema version,
        or uses a format that is not in ``formats``.
        """
        try:
            content = json.loads(saved)
        except ValueError as error:
            raise StateError(f"saved state: not readable: {error}") from error
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            found = content.get("schema") if isinstance(content, dict) else None
            raise StateError(f"saved state: schema {found!r} is not known, only {SCHEMA}")
        state = from_plain(RoomState, content.get("state"))
        if state.floor.format not in formats:
            raise StateError(f"saved state: there is no format {state.floor.format!r} any more")
        session = cls(formats, state.phase)
        session._room = Room(formats, state)
        try:
            session._room.listening.restore(content["listening"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise StateError(f"saved state: listening: does not fit: {error!r}") from error
        session._due = next_due(session._room)
        return session
