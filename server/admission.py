"""Who may join which room, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

import jwt

from server.groups.persons import Person
from server.groups.standing import Kind
from server.storage.models import GroupRole
from signaling.messages import MAX_SLOTS, Role
from signaling.refusal import Refused

LINK_AUDIENCE = "holdspace-link"
RESUME_AUDIENCE = "holdspace-resume"
RESUME_LIFETIME = timedelta(hours=12)

_ALGORITHM = "HS256"
_ROLES: tuple[Role, ...] = ("participant", "facilitator")


@dataclass(frozen=True, slots=True)
class Entrant:
    """Someone who comes to a session of a group; known to the server alone.

    Args:
        person: who they are.
        group_id: to which group's session.
        starts_at: to which of its sessions, UTC.
        closes_at: when nobody can enter that any more, UTC.
        group_role: in the group.
        name: by which the group knows them.
        pronouns: as chosen.
        kind: by what they belong to the session.
        key: by which the group's facilitators name them, see `server.groups.standing.Standing`.
        waits: whether a facilitator has to let them in.
        members_wait: whether that is so for the group's members at all.
        formats: names of the session formats that the group uses, the first to begin with.
    """

    person: Person
    group_id: str
    starts_at: datetime
    closes_at: datetime
    group_role: GroupRole
    name: str
    pronouns: str | None
    kind: Kind
    key: str
    waits: bool
    members_wait: bool
    formats: tuple[str, ...]

    @property
    def role(self) -> Role:
        """In the live room. Counselors moderate nothing there."""
        return "facilitator" if self.group_role == "facilitator" else "participant"


@dataclass(frozen=True)
class Grant:
    """What a token allows.

    Args:
        role: in the room.
        entrant: who comes, in rooms of groups; None for whoever has a link.
    """

    role: Role
    entrant: Entrant | None = None


class ExpiredEntry(Refused):
    """An entry token that was good once: enough for those who were here before.

    Args:
        grant: what it allowed.
    """

    def __init__(self, grant: Grant) -> None:
        super().__init__(
            "expired_token", "This way in has expired; please open the session's page again."
        )
        self.grant = grant


@dataclass(frozen=True)
class Place:
    """A place in a room that someone had, and may take again."""

    participant_id: str
    room: str
    slot: int
    role: Role
    person: str | None = None
    """The id of the entrant who had it; None for someone who came by a link."""


class Admission(Protocol):
    """Decides who may join."""

    def admit(self, room: str, token: str) -> Grant:
        """What the bearer of ``token`` may do in ``room``.

        Raises:
            Refused: ``bad_token``, ``expired_token`` (`ExpiredEntry` in rooms of groups) or
                ``wrong_room``.
        """


class LinkTokens:
    """Signed tokens (RFC 7519, HMAC with SHA-256) that stand in the links of one server.

    Whoever has the link has what it allows, until it expires.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def issue(self, room: str, role: Role, lifetime: timedelta) -> str:
        """A token for one room and role that expires after ``lifetime``."""
        claims = {
            "aud": LINK_AUDIENCE,
            "room": room,
            "role": role,
            "exp": datetime.now(UTC) + lifetime,
        }
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def admit(self, room: str, token: str) -> Grant:
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=LINK_AUDIENCE,
                options={"require": ["exp", "aud", "room", "role"]},
            )
        except jwt.ExpiredSignatureError:
            raise Refused("expired_token", "This link has expired; ask for a new one.") from None
        except jwt.InvalidTokenError:
            raise Refused("bad_token", "This link is not valid; ask for a new one.") from None
        if claims["role"] not in _ROLES or not isinstance(claims["room"], str):
            raise Refused("bad_token", "This link is not valid; ask for a new one.")
        if claims["room"] != room:
            raise Refused("wrong_room", "This link is for another room.")
        return Grant(cast(Role, claims["role"]))


class ResumeTokens:
    """Signed tokens that give someone their own place again, also after a restart.

    They allow nothing by themselves: the link is always needed, too.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def issue(self, place: Place) -> str:
        claims = {
            "aud": RESUME_AUDIENCE,
            "sub": place.participant_id,
            "room": place.room,
            "slot": place.slot,
            "role": place.role,
            "person": place.person,
            "exp": datetime.now(UTC) + RESUME_LIFETIME,
        }
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def read(self, room: str, token: str) -> Place | None:
        """The place this token gives back, or None if it gives none in this room."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=RESUME_AUDIENCE,
                options={"require": ["exp", "aud", "sub", "room", "slot", "role"]},
            )
        except jwt.InvalidTokenError:
            return None
        slot = claims["slot"]
        if claims["room"] != room or claims["role"] not in _ROLES:
            return None
        if type(slot) is not int or not 0 <= slot < MAX_SLOTS:
            return None
        return Place(claims["sub"], room, slot, cast(Role, claims["role"]), claims.get("person"))
