"""Every message between browser and server, as typed models: the only file to read for the wire.

Each Socket.IO event has one model for its payload. A request from the browser is acknowledged
with ``{"ok": true, ...}`` (an :class:`Ok` or one of its subclasses) or with
``{"error": {"code": ..., "message": ...}}`` (:class:`Refusal`). ``make types`` turns these models
into JSON Schema and that into TypeScript.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

PROTOCOL_VERSION = 1
"""Raised when an older browser page could no longer talk to this server."""

MAX_SLOTS = 16
"""The largest room: each participant has one slot."""

MAX_SDP_CHARS = 100_000

ErrorCode = Literal[
    "bad_token",
    "expired_token",
    "wrong_room",
    "outdated_page",
    "room_full",
    "server_full",
    "malformed",
    "unknown_event",
    "too_fast",
    "too_many_connections",
    "not_joined",
    "already_joined",
    "bad_answer",
    "screen_taken",
    "stopping",
    "internal",
]

Role = Literal["participant", "facilitator"]

Connection = Literal["connecting", "connected", "reconnecting"]

_JOINERS = "\u200c\u200d"

RoomId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Message(BaseModel):
    """Base of all wire models: nothing unnamed is let through."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, json_schema_serialization_defaults_required=True
    )


# --- Handshake: the Socket.IO CONNECT packet's auth object -------------------------------------


class Hello(Message):
    """Who wants to come in, sent as Socket.IO ``auth`` when the socket opens."""

    protocol: int
    """The :data:`PROTOCOL_VERSION` the page was built for."""
    room: RoomId
    token: Annotated[str, StringConstraints(max_length=2_000)]
    """The link's signed token."""
    resume: Annotated[str, StringConstraints(max_length=2_000)] | None = None
    """From an earlier :class:`Joined`, to take one's own place again."""


# --- Requests: browser to server ---------------------------------------------------------------


class Join(Message):
    """Event ``join``: enter the room; acknowledged with :class:`Joined`."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    """How this person wants to be called."""
    mic: bool
    camera: bool

    @field_validator("name")
    @classmethod
    def _can_be_shown(cls, name: str) -> str:
        """Refuse control and format characters: they can spoof or garble another's name.

        The two zero-width joiners are let through: Persian names and many emoji need them.
        """
        hidden = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        if any(unicodedata.category(char) in hidden for char in name if char not in _JOINERS):
            raise ValueError("has a character that cannot be shown")
        if not any(unicodedata.category(char)[0] in "LNPS" for char in name):
            raise ValueError("has nothing that can be seen")
        return name


class Answer(Message):
    """Event ``answer``: the browser's SDP answer to the latest offer; acknowledged with Ok."""

    sdp: Annotated[str, StringConstraints(max_length=MAX_SDP_CHARS)]


class Media(Message):
    """Event ``media``: what this person now sends; acknowledged with Ok."""

    mic: bool
    camera: bool


class ShareScreen(Message):
    """Event ``share_screen``: take or free the room's one screen slot; acknowledged with Ok."""

    on: bool


class RestartIce(Message):
    """Event ``restart_ice``: ask for an offer with new ICE credentials; acknowledged with
    :class:`Offer`."""


class Leave(Message):
    """Event ``leave``: give up one's place; acknowledged with Ok."""


# --- Acknowledgements --------------------------------------------------------------------------


class Ok(Message):
    ok: Literal[True] = True


class Participant(Message):
    """One person in the room, as everyone in it may see them."""

    id: str
    """Random for each visit; says nothing about the person."""
    name: str
    role: Role
    slot: Annotated[int, Field(ge=0, lt=MAX_SLOTS)]
    """Their audio comes on the m-line with mid ``a<slot>``, their video on ``v<slot>``, the slot
    in hexadecimal: ``a0`` to ``af``."""
    mic: bool
    camera: bool
    screen: bool
    """Their shared screen comes on mid ``s0``; at most one person has it."""
    connection: Connection


class Roster(Message):
    """Event ``roster`` (also inside :class:`Joined`): everyone in the room, in order of slot.

    A roster replaces the one before it; one with a smaller version is older and to be ignored.
    """

    version: int
    participants: Annotated[list[Participant], Field(max_length=MAX_SLOTS)]


class Offer(Ok):
    sdp: str


class Joined(Offer):
    """Acknowledges ``join``; the offer must be answered with ``answer``.

    The offer's mids: ``mi``, ``ca`` and ``sc`` take this person's microphone, camera and screen;
    ``a<slot>``, ``v<slot>`` and ``s0`` bring the others' (see :class:`Participant`).
    """

    id: str
    """This person's own ``Participant.id``."""
    resume: str
    """Present it in :class:`Hello` and join again to get the same place; keep it as secret as
    the link."""
    roster: Roster


class Problem(Message):
    code: ErrorCode
    message: str
    """One sentence in plain words, fit to be shown."""


class Refusal(Message):
    error: Problem


# --- Events: server to browser -----------------------------------------------------------------


class Welcome(Message):
    """Event ``welcome``: sent once the socket is let in, before ``join``."""

    role: Role
    capacity: Annotated[int, Field(ge=2, le=MAX_SLOTS)]
    present: int
    """How many people are in the room now."""


class Stopping(Message):
    """Event ``stopping``: the server stops in a moment; reconnect by yourself after the delay."""

    retry_after_ms: int


class Removed(Message):
    """Event ``removed``: this page is no longer in the room and must not reconnect by itself."""

    code: Literal["joined_elsewhere", "idle"]
    message: str


REQUESTS: dict[str, tuple[type[Message], type[Ok]]] = {
    "join": (Join, Joined),
    "answer": (Answer, Ok),
    "media": (Media, Ok),
    "share_screen": (ShareScreen, Ok),
    "restart_ice": (RestartIce, Offer),
    "leave": (Leave, Ok),
}
"""Event name to its payload's model and its acknowledgement's model."""

EVENTS: dict[str, type[Message]] = {
    "welcome": Welcome,
    "roster": Roster,
    "stopping": Stopping,
    "removed": Removed,
}
"""Event name from the server to its payload's model."""
