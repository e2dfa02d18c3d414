"""The way into the room of a group's session: its name, and tokens for a single person.

Someone gets a token from `server.api.routes_entry`, once `server.groups.entry.may_enter` allows
it, and shows it when the page opens its socket.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

import jwt

from server.admission import Entrant, ExpiredEntry, Grant, LinkTokens
from server.groups.persons import Person
from server.groups.standing import Kind
from server.storage.models import GroupRole
from signaling.refusal import Refused

ENTRY_AUDIENCE = "holdspace-entry"
ENTRY_LIFETIME: Final = timedelta(minutes=5)
"""Long enough to look into the camera and press the button."""

_ALGORITHM = "HS256"
_ROOM = re.compile(r"s-[a-z2-7]{32}")
_CLAIMS = [
    "exp",
    "aud",
    "room",
    "sub",
    "guest",
    "group",
    "starts",
    "closes",
    "role",
    "name",
    "kind",
    "key",
    "waits",
    "members_wait",
    "formats",
]


def session_room(secret: str, group_id: str, starts_at: datetime) -> str:
    """The name of the room where a session meets.

    It is the same each time. Who does not know the server's secret can neither guess it nor tell
    from it which group meets there.
    """
    text = f"holdspace room\n{group_id}\n{int(starts_at.timestamp())}"
    digest = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return f"s-{base64.b32encode(digest).decode().lower()[:32]}"


def is_session_room(room: str) -> bool:
    """Whether a room has the name of one where a session meets."""
    return _ROOM.fullmatch(room) is not None


class EntryTokens:
    """Signed tokens (RFC 7519, HMAC with SHA-256) with which one person enters one session.

    Args:
        secret: of this server.
        now: the clock, aware UTC.
    """

    def __init__(
        self, secret: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._secret = secret
        self._now = now

    def room_of(self, entrant: Entrant) -> str:
        """The room where someone's session meets."""
        return session_room(self._secret, entrant.group_id, entrant.starts_at)

    def issue(self, entrant: Entrant) -> str:
        """A token that is good for `ENTRY_LIFETIME`."""
        claims = {
            "aud": ENTRY_AUDIENCE,
            "exp": self._now() + ENTRY_LIFETIME,
            "room": self.room_of(entrant),
            "sub": entrant.person.id,
            "guest": entrant.person.guest_id is not None,
            "group": entrant.group_id,
            "starts": int(entrant.starts_at.timestamp()),
            "closes": int(entrant.closes_at.timestamp()),
            "role": entrant.group_role,
            "name": entrant.name,
            "pronouns": entrant.pronouns,
            "kind": entrant.kind,
            "key": entrant.key,
            "waits": entrant.waits,
            "members_wait": entrant.members_wait,
            "formats": list(entrant.formats),
        }
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def admit(self, room: str, token: str) -> Grant:
        """What the bearer of ``token`` may do in ``room``.

        Raises:
            Refused: ``bad_token``, `ExpiredEntry` or ``wrong_room``.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=ENTRY_AUDIENCE,
                # By our own clock, and after the room: only then is it an entry that has expired.
                options={"require": _CLAIMS, "verify_exp": False},
            )
            grant = _grant(claims)
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
            raise Refused(
                "bad_token", "This way in is not valid; please open the session's page again."
            ) from None
        if claims["room"] != room or self.room_of(_entrant(grant)) != room:
            raise Refused("wrong_room", "This way in is for another room.")
        if self._now().timestamp() >= claims["exp"]:
            raise ExpiredEntry(grant)
        return grant


def _entrant(grant: Grant) -> Entrant:
    assert grant.entrant is not None
    return grant.entrant


def _grant(claims: dict[str, Any]) -> Grant:
    text = [claims[name] for name in ("sub", "group", "name", "key")]
    pronouns = claims.get("pronouns")
    if not all(isinstance(one, str) and one for one in text):
        raise ValueError("a claim is not text")
    if not (pronouns is None or isinstance(pronouns, str)):
        raise ValueError("pronouns are not text")
    formats = claims["formats"]
    if not isinstance(formats, list) or not all(isinstance(one, str) for one in formats):
        raise ValueError("formats are not names")
    if claims["role"] not in get_args(GroupRole) or claims["kind"] not in get_args(Kind):
        raise ValueError("there is no such role or kind")
    if not all(type(claims[name]) is bool for name in ("guest", "waits", "members_wait")):
        raise ValueError("a claim is not a truth value")
    person = Person(guest_id=text[0]) if claims["guest"] else Person(account_id=text[0])
    entrant = Entrant(
        person=person,
        group_id=text[1],
        starts_at=datetime.fromtimestamp(claims["starts"], UTC),
        closes_at=datetime.fromtimestamp(claims["closes"], UTC),
        group_role=claims["role"],
        name=text[2],
        pronouns=pronouns,
        kind=claims["kind"],
        key=text[3],
        waits=claims["waits"],
        members_wait=claims["members_wait"],
        formats=tuple(formats),
    )
    return Grant(entrant.role, entrant)


class Entrance:
    """All ways in: sessions of groups by entry tokens alone, other rooms by links alone.

    Args:
        links: of ``holdspace link``.
        entries: of the API.
    """

    def __init__(self, links: LinkTokens, entries: EntryTokens) -> None:
        self._links = links
        self._entries = entries

    def admit(self, room: str, token: str) -> Grant:
        """As `server.admission.Admission`."""
        return (self._entries if is_session_room(room) else self._links).admit(room, token)
