"""What a route of the API is, and what its handler gets and gives.

A route states who may use it, and what it takes and gives, as data: `server.api.app` enforces
that before the handler runs, `server.api.openapi` describes it, and
``tests/api/authorization.csv`` states what comes of it for everyone.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from moderation.formats import Formats
from server.accounts.signed_in import SignedIn
from server.audit.anchor import Anchor
from server.formats import load_formats, shipped_formats
from server.settings import Settings
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from signaling.rates import Rate as Rate

PREFIX = "/api/v1"

Access = Literal[
    "anyone", "signed_in", "administrator", "member", "participant", "facilitator", "care"
]
"""Who may use a route.

``member`` is who has any role in the group of the path, ``participant`` and ``facilitator`` who has
that role in it, ``care`` its facilitators and counselors. Administrators are not members: they do
not see into groups. A handler may narrow this further (such as to rows of that group), never widen
it.
"""

GROUP_ACCESS: frozenset[Access] = frozenset({"member", "participant", "facilitator", "care"})
"""Those that need ``{group}`` in the path. Only administrators may use others that have it."""

GroupRole = Literal["participant", "facilitator", "counselor"]

DEFAULT = Rate(burst=60, per_second=5)
"""How often one account, or one address if not signed in, may use a route."""

STEP_UP_S = 600
"""For how long a proved login lets through to what needs one, in seconds."""


class Model(BaseModel):
    """What goes over the wire: nothing unknown and nothing converted ("1" is no number).

    Each text and list has limits of its own.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )


Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
"""An id of any row, as `server.storage.ids` makes them."""


@dataclass(frozen=True, slots=True)
class GroupAccess:
    """As what someone stands in the group of the path.

    Args:
        id: of the group.
        membership_id: of their membership in it.
        role: that they have there.
    """

    id: str
    membership_id: str
    role: GroupRole


@dataclass(frozen=True)
class Services:
    """What handlers work with.

    Args:
        storage: the database.
        keyring: opens and seals private text.
        settings: of this server.
        mailer: sends email; None if there is no SMTP (`server.accounts`).
        anchor: of the audit; None where none is kept.
        more: further services by name, for handlers that need one of their own.
    """

    storage: Storage
    keyring: KeyRing
    settings: Settings
    mailer: Any = None
    anchor: Anchor | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def formats(self) -> Formats:
        """The formats that sessions may have. They are read once: the server does so at its start.

        Raises:
            SettingsError: if they cannot be read.
        """
        return load_formats(self.settings.formats_dir or shipped_formats())


@dataclass(frozen=True)
class Call:
    """One request, checked.

    Args:
        services: of this server.
        now: when it came, aware UTC.
        address: the IP address that it came from, if known.
        device: the browser's ``User-Agent``, at most 200 characters.
        account: who asks; None if not signed in.
        group: as what they stand in the group of the path; None where the path has no group, and
            on the administrators' routes.
        body: of the route's model, or None.
        query: of the route's model, or None.
        path: the variable parts of the path.
        token: of the session cookie, whether or not it is valid; for signing out and renewing.
        https: whether people reach this server by HTTPS, for cookies.
        host: that the request was sent to, such as ``groups.example.org``.
    """

    services: Services
    now: datetime
    address: str | None
    device: str
    account: SignedIn | None
    group: GroupAccess | None
    body: Any
    query: Any
    path: Mapping[str, str]
    token: str | None = None
    https: bool = True
    host: str = ""

    @property
    def who(self) -> SignedIn:
        """The account, on routes where there is one."""
        assert self.account is not None
        return self.account

    @property
    def within(self) -> GroupAccess:
        """The group, on routes that have one."""
        assert self.group is not None
        return self.group


@dataclass(frozen=True)
class Reply:
    """An answer that is more than a model: with the session's cookie, or not JSON.

    Args:
        body: a model, sent as JSON; or bytes with their content type, at once or as they come; or
            None.
        content_type: of bytes, such as ``text/calendar``; its charset is UTF-8.
        headers: further ones; none of those that every answer carries.
        session_token: becomes the session cookie of the browser.
        session_max_age_s: for how long the browser keeps it; without it, until it is closed.
        clear_session: takes the session cookie from the browser.
    """

    body: BaseModel | bytes | AsyncIterator[bytes] | None = None
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    session_token: str | None = None
    session_max_age_s: int | None = None
    clear_session: bool = False


Handler = Callable[[Call], Awaitable[BaseModel | Reply | None]]

_PATH = re.compile(rf"{PREFIX}(/([a-z0-9-]+|\{{[a-z_]+\}})(\.[a-z]+)?)+")


@dataclass(frozen=True)
class Route:
    """One thing that can be asked of the API.

    Args:
        method: GET, POST, PUT, PATCH or DELETE. GET changes nothing.
        path: such as ``/api/v1/groups/{group}/members``; ``{group}`` is the id of a group.
        handler: answers; None is sent as 204.
        access: who may use it.
        summary: one sentence for the description of the API.
        body: what is sent as JSON; None if nothing is.
        query: what may stand after the question mark: a flat model.
        reply: what is answered as JSON; None for nothing, or a `Reply` that is not JSON.
        status: of a successful answer with a body.
        step_up: whether it needs a login that was proved in the last `STEP_UP_S`.
        rate: for each account, or address where nobody is signed in.
        sensitive: whether refusals for lack of access are put on record; routes that change
            something, need a step-up or are of a group or the administrators are always.
        content_type: of an answer that is not JSON, for the description.

    Raises:
        ValueError: if it is not a route that can be served safely.
    """

    method: str
    path: str
    handler: Handler
    access: Access
    summary: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    reply: type[BaseModel] | None = None
    status: int = 200
    step_up: bool = False
    rate: Rate = DEFAULT
    sensitive: bool = False
    content_type: str = "application/json"

    def __post_init__(self) -> None:
        if self.method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            raise ValueError(f"{self.method} is no method of the API")
        if not _PATH.fullmatch(self.path):
            raise ValueError(f"{self.path} is no path of the API")
        if self.access not in get_args(Access):
            raise ValueError(f"{self.name} has no access")
        if self.access in GROUP_ACCESS and "group" not in self.parameters:
            raise ValueError(f"{self.name} needs a {{group}}")
        if "group" in self.parameters and self.access in ("anyone", "signed_in"):
            raise ValueError(f"{self.name} would let strangers into a group")
        if self.step_up and self.access == "anyone":
            raise ValueError(f"{self.name} needs a step-up of nobody")
        if self.body is not None and self.method == "GET":
            raise ValueError(f"{self.name} cannot have a body")

    @property
    def name(self) -> str:
        """Such as ``GET /api/v1/groups/{group}``."""
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """The names of the variable parts of the path."""
        return re.findall(r"\{([a-z_]+)\}", self.path)

    @property
    def audited(self) -> bool:
        """Whether refusals for lack of access are put on record."""
        return (
            self.sensitive or self.step_up or self.method != "GET" or self.access != "signed_in"
        ) and self.access != "anyone"
