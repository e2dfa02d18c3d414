"""Putting events on record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from server.audit.canonical import Json, canonical
from server.audit.chain import hash_of
from server.storage.models import AuditHead, AuditRow, Outcome

SYSTEM = "system"
"""The actor of what the server does by itself."""

OPERATOR = "operator"
"""The actor of what is done by command on the server's machine."""

_ACTION = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_PENDING = "audit_events"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that someone did or tried.

    Args:
        actor: the id of an account or guest, or `SYSTEM` or `OPERATOR`.
        action: what it was, such as ``account.login``.
        subject: the id of what it was done to.
        outcome: ``refused`` if it was not allowed, ``failed`` if it did not work.
        group_id: the group whose facilitators may see this event.
        address: the IP address it came from; only its network (/24 or /48) is kept. Events never
            change, so an address sealed in one could not be resealed when keys rotate.
        detail: more about it; never names, contacts, or anything else that is sealed elsewhere.
        time: when it was; now, if not given.

    Raises:
        ValueError: if the action, the address or the detail cannot be recorded.
    """

    actor: str
    action: str
    subject: str | None = None
    outcome: Outcome = "done"
    group_id: str | None = None
    address: str | None = None
    detail: Mapping[str, Json] = field(default_factory=dict)
    time: datetime | None = None

    def __post_init__(self) -> None:
        if not _ACTION.fullmatch(self.action):
            raise ValueError("an audit action is like account.login")
        if any("\0" in (text or "") for text in (self.actor, self.subject, self.group_id)):
            raise ValueError("an id has no NUL")
        canonical(self.detail)
        if self.address is not None:
            coarse_address(self.address)


def coarse_address(address: str) -> str:
    """The network that an address is in: /24 for IPv4, /48 for IPv6.

    Raises:
        ValueError: if it is no IP address.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        raise ValueError("this is not an IP address") from None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))


def timestamp(moment: datetime) -> str:
    """A moment as the audit writes it: UTC, with microseconds, always 27 characters."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record(session: AsyncSession, event: AuditEvent) -> None:
    """Put an event on record, together with the changes of the session.

    It is appended when the session's `Storage.transaction` ends, and lost with it if it fails. So
    what was refused is recorded in a transaction of its own, before the error is raised.
    """
    session.info.setdefault(_PENDING, []).append(event)


def append_recorded(session: Session) -> None:
    """Append what was recorded in a session; `Storage.transaction` calls it before it commits.

    From here to the commit the head of the chain is locked, and all other writers wait. Being the
    last lock that a transaction takes, it leads to no deadlocks.
    """
    events: list[AuditEvent] = session.info.pop(_PENDING, [])
    if not events:
        return
    session.flush()
    head = session.execute(
        select(AuditHead).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
    for event in events:
        row = AuditRow(
            sequence=head.sequence + 1,
            time=timestamp(event.time or datetime.now(UTC)),
            actor=event.actor,
            action=event.action,
            subject=event.subject,
            group_id=event.group_id,
            outcome=event.outcome,
            address=None if event.address is None else coarse_address(event.address),
            detail=canonical(event.detail),
            previous_hash=head.hash,
        )
        row.hash = hash_of(row)
        session.add(row)
        head.sequence, head.hash = row.sequence, row.hash
    session.flush()
