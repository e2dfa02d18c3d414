"""Routes about the audit, how long data is kept, and emergency access."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from server import break_glass
from server.api.routes import PREFIX, Call, GroupRole, Id, Model, Rate, Reply, Route
from server.audit.export import export, latest
from server.audit.record import AuditEvent, record
from server.audit.verify import verify
from server.groups.groups import find_group
from server.groups.record_names import record_names
from server.refusals import Refused
from server.storage.models import AuditRow
from server.storage.models.base import Outcome

EXPORTED = "audit.exported"
VERIFY_WAIT_S = 25.0

_HEAVY = Rate(burst=4, per_second=1 / 30)

Sequence63 = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Event(Model):
    sequence: int
    time: str
    actor: str
    action: str
    subject: str | None
    group: str | None
    outcome: Outcome
    address: str | None
    detail: dict[str, Any]


class Events(Model):
    """Newest first."""

    events: list[Event]


class GroupEvents(Events):
    """With whom the ids mean, as far as the group knows them."""

    people: dict[str, str]
    """Chosen names by id."""
    administrators: list[str]
    """Ids of administrators of this server."""


class Page(Model):
    before: Sequence63 | None = None
    """Only events with lower sequence numbers: the lowest of the page before."""
    limit: Annotated[int, Field(ge=1, le=200)] = 100


class PageOfAll(Page):
    group: Id | None = None


class OneFinding(Model):
    sequence: int
    text: str


class Verified(Model):
    ok: bool
    events: int
    first: int
    last: int
    anchored_through: int
    """Up to here it is certain that nothing was changed."""
    findings: list[OneFinding]


class Period(Model):
    name: str
    value: int
    description: str


class Retention(Model):
    periods: list[Period]


class Reason(Model):
    reason: Annotated[str, Field(min_length=10, max_length=1_000, pattern=r"\S.*\S")]


class Access(Model):
    """Someone's own emergency access to a group."""

    group_name: str
    seconds_left: int | None
    """None if they have none now. Not a time, since the clock of a page may be wrong."""


class Granted(Model):
    id: str
    expires_at: datetime


class Confirmed(Model):
    """Where someone said they are, and whom to call, for the latest session."""

    session_starts_at: datetime
    confirmed_at: datetime
    location: str
    phone: str
    contact_name: str
    contact_phone: str
    is_private: bool


class Reached(Model):
    membership: str
    display_name: str
    role: GroupRole
    legal_name: str
    email: str | None
    phone: str | None
    confirmed: Confirmed | None


class People(Model):
    seconds_left: int
    people: list[Reached]


async def show_group_audit(call: Call) -> GroupEvents:
    page: Page = call.query
    storage, group_id = call.services.storage, call.within.id
    rows = await latest(storage, group_id=group_id, before=page.before, limit=page.limit)
    ids = {each for row in rows for each in (row.actor, row.subject) if each is not None}
    async with storage.snapshot() as session:
        names = await record_names(session, group_id, ids)
    return GroupEvents(
        events=_events(rows),
        people=names.people,
        administrators=sorted(names.administrators),
    )


async def show_audit(call: Call) -> Events:
    page: PageOfAll = call.query
    rows = await latest(
        call.services.storage, group_id=page.group, before=page.before, limit=page.limit
    )
    return Events(events=_events(rows))


def _events(rows: Sequence[AuditRow]) -> list[Event]:
    return [
        Event(
            sequence=row.sequence,
            time=row.time,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            group=row.group_id,
            outcome=row.outcome,
            address=row.address,
            detail=json.loads(row.detail),
        )
        for row in rows
    ]


async def export_audit(call: Call) -> Reply:
    async with call.services.storage.transaction() as session:
        event = AuditEvent(actor=call.who.id, action=EXPORTED, address=call.address, time=call.now)
        record(session, event)

    async def lines() -> AsyncIterator[bytes]:
        async for line in export(call.services.storage):
            yield line.encode()

    name = f"audit-{call.now:%Y%m%dT%H%M%SZ}.jsonl"
    return Reply(
        body=lines(),
        content_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def verify_audit(call: Call) -> Verified:
    async with asyncio.timeout(VERIFY_WAIT_S):
        result = await verify(call.services.storage, call.services.anchor)
    return Verified(
        ok=result.ok,
        events=result.events,
        first=result.first,
        last=result.last,
        anchored_through=result.anchored_through,
        findings=[OneFinding(sequence=each.sequence, text=each.text) for each in result.findings],
    )


async def show_retention(call: Call) -> Retention:
    periods = call.services.settings.retention
    return Retention(
        periods=[
            Period(name=name, value=getattr(periods, name), description=field.description or "")
            for name, field in type(periods).model_fields.items()
        ]
    )


async def break_the_glass(call: Call) -> Granted:
    reason: Reason = call.body
    grant = await break_glass.grant(
        call.services.storage,
        call.services.keyring,
        account_id=call.who.id,
        group_id=call.path["group"],
        reason=reason.reason,
        address=call.address,
        now=call.now,
    )
    return Granted(id=grant.id, expires_at=grant.expires_at)


async def show_access(call: Call) -> Access:
    storage, group_id = call.services.storage, call.path["group"]
    async with storage.snapshot() as session:
        group = await find_group(session, group_id)
    grant = await break_glass.current_grant(
        storage, account_id=call.who.id, group_id=group_id, now=call.now
    )
    return Access(
        group_name=group.name,
        seconds_left=None if grant is None else _seconds_left(grant, call.now),
    )


def _seconds_left(grant: break_glass.Grant, now: datetime) -> int:
    return int((grant.expires_at - now).total_seconds())


async def end_access(call: Call) -> None:
    await break_glass.end(
        call.services.storage,
        account_id=call.who.id,
        group_id=call.path["group"],
        address=call.address,
        now=call.now,
    )


async def show_people_in_emergency(call: Call) -> People:
    services = call.services
    grant = await break_glass.current_grant(
        services.storage, account_id=call.who.id, group_id=call.path["group"], now=call.now
    )
    if grant is None:
        raise Refused("no_grant", "Please state first why you need to see this.", 403)
    found = await break_glass.people(
        services.storage,
        services.keyring,
        grant,
        account_id=call.who.id,
        address=call.address,
        now=call.now,
    )
    return People(
        seconds_left=_seconds_left(grant, call.now),
        people=[
            Reached(
                membership=person.membership_id,
                display_name=person.display_name,
                role=person.role,
                legal_name=person.legal_name,
                email=person.email,
                phone=person.phone,
                confirmed=None
                if person.confirmed is None
                else Confirmed(**asdict(person.confirmed)),
            )
            for person in found
        ],
    )


ROUTES = [
    Route(
        "GET",
        f"{PREFIX}/groups/{{group}}/audit",
        show_group_audit,
        "facilitator",
        "What is on record about the group.",
        query=Page,
        reply=GroupEvents,
    ),
    Route(
        "GET",
        f"{PREFIX}/audit",
        show_audit,
        "administrator",
        "What is on record about everything.",
        query=PageOfAll,
        reply=Events,
    ),
    Route(
        "GET",
        f"{PREFIX}/audit/export",
        export_audit,
        "administrator",
        "The whole record as JSON Lines; asking for it is itself put on record.",
        content_type="application/jsonl",
        step_up=True,
        rate=_HEAVY,
    ),
    Route(
        "GET",
        f"{PREFIX}/audit/verification",
        verify_audit,
        "administrator",
        "Whether anything in the record was changed or is missing.",
        reply=Verified,
        rate=_HEAVY,
    ),
    Route(
        "GET",
        f"{PREFIX}/retention",
        show_retention,
        "anyone",
        "For how long each kind of data is kept.",
        reply=Retention,
    ),
    Route(
        "GET",
        f"{PREFIX}/groups/{{group}}/break-glass",
        show_access,
        "administrator",
        "Whether one has emergency access to a group, and until when.",
        reply=Access,
    ),
    Route(
        "POST",
        f"{PREFIX}/groups/{{group}}/break-glass",
        break_the_glass,
        "administrator",
        "Take emergency access to a group for one hour, for a stated reason.",
        body=Reason,
        reply=Granted,
        status=201,
        step_up=True,
        rate=_HEAVY,
    ),
    Route(
        "DELETE",
        f"{PREFIX}/groups/{{group}}/break-glass",
        end_access,
        "administrator",
        "End one's emergency access before its time.",
    ),
    Route(
        "GET",
        f"{PREFIX}/groups/{{group}}/break-glass/people",
        show_people_in_emergency,
        "administrator",
        "With emergency access: who is in the group and how to reach them.",
        reply=People,
        step_up=True,
        rate=Rate(burst=10, per_second=0.2),
    ),
]
