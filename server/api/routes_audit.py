"""Routes about the audit, how long data is kept, and emergency access."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from server import break_glass
from server.api.routes import PREFIX, Call, GroupRole, Id, Model, Rate, Reply, Route
from server.audit.export import export, latest
from server.audit.record import AuditEvent, record
from server.audit.verify import verify
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


class Granted(Model):
    id: str
    expires_at: datetime


class Reached(Model):
    membership: str
    display_name: str
    role: GroupRole
    contacts: dict[str, str | None]
    session_starts_at: datetime | None
    """Of the session that the following was confirmed for."""
    confirmed: dict[str, str | None]


class People(Model):
    expires_at: datetime
    people: list[Reached]


async def show_group_audit(call: Call) -> Events:
    page: Page = call.query
    group_id = call.within.id
    return _events(
        await latest(call.services.storage, group_id=group_id, before=page.before, limit=page.limit)
    )


async def show_audit(call: Call) -> Events:
    page: PageOfAll = call.query
    return _events(
        await latest(
            call.services.storage, group_id=page.group, before=page.before, limit=page.limit
        )
    )


def _events(rows: Sequence[AuditRow]) -> Events:
    return Events(
        events=[
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
    )


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
    periods = call.services.retention
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


async def show_people_in_emergency(call: Call) -> People:
    services = call.services
    grant = await break_glass.current_grant(
        services.storage, account_id=call.who.id, group_id=call.path["group"], now=call.now
    )
    found = await break_glass.people(
        services.storage, services.keyring, grant, account_id=call.who.id, address=call.address
    )
    return People(
        expires_at=grant.expires_at,
        people=[
            Reached(
                membership=person.membership_id,
                display_name=person.display_name,
                role=person.role,
                contacts=person.contacts,
                session_starts_at=person.session_starts_at,
                confirmed=person.confirmed,
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
        reply=Events,
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
