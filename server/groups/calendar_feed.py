"""A person's iCalendar feed (RFC 5545), under a secret address.

Calendars are synchronized through other companies and shown on other people's screens. So the feed
says when someone is busy, and nothing of groups, people or what it is about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from icalendar import Calendar, Event
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import absences, memberships
from server.groups.act import Act, on_record
from server.groups.schedule import Occurrence, occurrences
from server.refusals import Refused
from server.storage.ids import new_id, new_token, token_hash
from server.storage.models import Absence, Account, CalendarFeed

TITLE = "Session"
BEHIND = timedelta(days=31)
AHEAD = timedelta(days=184)
"""What of the past and of the future a feed has; calendars ask for it again every few hours."""


async def create_feed(session: AsyncSession, act: Act, account_id: str) -> str:
    """Make a new secret address for someone; the one before stops working.

    Returns:
        the token, which is not kept.
    """
    await revoke_feed(session, act, account_id)
    token = new_token()
    row = CalendarFeed(
        id=new_id(), account_id=account_id, token_hash=token_hash(token), created_at=act.now
    )
    session.add(row)
    await session.flush()
    on_record(session, act, "calendar.created", row.id, None)
    return token


async def feed_of(session: AsyncSession, account_id: str) -> CalendarFeed | None:
    """The feed that someone has."""
    return await session.scalar(
        select(CalendarFeed).where(
            CalendarFeed.account_id == account_id, CalendarFeed.revoked_at.is_(None)
        )
    )


async def revoke_feed(session: AsyncSession, act: Act, account_id: str) -> None:
    """Make someone's secret address stop working."""
    row = await feed_of(session, account_id)
    if row is not None:
        row.revoked_at = act.now
        on_record(session, act, "calendar.revoked", row.id, None)


def as_icalendar(sessions: Iterable[Occurrence], now: datetime) -> bytes:
    """Sessions as iCalendar. Those called off are in it as such, so that calendars strike them.

    Every session is an event by itself, in UTC: what was moved needs no rule, and clocks that are
    changed need no VTIMEZONE.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Holdspace//Sessions//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "Sessions")
    calendar.add("refresh-interval", timedelta(hours=6), parameters={"value": "DURATION"})
    for one in sessions:
        named = f"{one.group_id} {one.schedule_id} {one.rule_start}"
        event = Event()
        event.add("uid", f"{hashlib.sha256(named.encode()).hexdigest()[:32]}@holdspace.invalid")
        event.add("dtstamp", now.replace(microsecond=0))
        event.add("dtstart", one.starts_at)
        event.add("dtend", one.ends_at)
        event.add("summary", TITLE)
        event.add("class", "PRIVATE")
        event.add("status", "CANCELLED" if one.is_cancelled else "CONFIRMED")
        event.add("sequence", 1 if one.is_moved or one.is_cancelled else 0)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


async def feed(session: AsyncSession, token: str, now: datetime) -> bytes:
    """The feed under a secret address.

    Raises:
        Refused: ``not_found``.
    """
    row = await session.scalar(
        select(CalendarFeed).where(
            CalendarFeed.token_hash == token_hash(token), CalendarFeed.revoked_at.is_(None)
        )
    )
    account = None if row is None else await session.get(Account, row.account_id)
    if account is None or account.closed_at is not None:
        raise Refused("not_found", "This calendar does not exist any more.", 404)
    since, until = now - BEHIND, now + AHEAD
    missed = {
        (absence.group_id, absence.session_starts_at)
        for absence in await session.scalars(
            select(Absence).where(Absence.account_id == account.id)
        )
    }
    sessions = [
        occurrence
        for membership, group in await memberships.of_account(session, account.id)
        if group.closed_at is None and membership.removed_at is None
        for occurrence in await occurrences(session, group.id, since, until, cancelled=True)
        if (group.id, occurrence.starts_at) not in missed
    ]
    sessions += [found for _, _, found in await absences.chosen(session, account.id, since)]
    return as_icalendar(sorted(sessions, key=lambda one: one.starts_at), now)
