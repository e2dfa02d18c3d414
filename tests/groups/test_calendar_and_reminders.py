from __future__ import annotations

from datetime import timedelta

import pytest
from icalendar import Calendar

from server.groups import absences, calendar_feed, reminders, schedule
from server.groups.schedule import Occurrence
from server.refusals import Refused
from server.storage.models import Account
from tests.groups.people import END, NOW, START, World

WEEK = timedelta(days=7)


async def test_the_feed_reads_back_and_tells_nothing(either_world: World) -> None:
    world = either_world
    sam = world.accounts["Sam"]
    async with world.storage.transaction() as session:
        token = await calendar_feed.create_feed(session, world.act("Sam"), sam)
        (row,) = await schedule.schedules(session, world.group)
        act = world.act("Fay")
        await schedule.except_session(
            session, act, world.group, row.id, "2027-01-12T18:00:00", moved_to=None
        )
        missed = await schedule.session_at(session, world.group, START + 2 * WEEK)
        await absences.announce(session, world.keyring, world.act("Sam"), missed, sam, None)
    async with world.storage.snapshot() as session:
        raw = await calendar_feed.feed(session, token, NOW)
    assert b"\r\n" in raw
    for secret in (b"circle", b"Sam", b"Fay", b"Secretname", world.group.encode()):
        assert secret not in raw
    parsed = Calendar.from_ical(raw)
    events = {event.decoded("dtstart"): event for event in parsed.walk("VEVENT")}
    assert events[START].decoded("dtend") == END
    assert str(events[START]["summary"]) == "Session"
    assert str(events[START]["status"]) == "CONFIRMED"
    assert str(events[START + WEEK]["status"]) == "CANCELLED"
    assert START + 2 * WEEK not in events
    assert len({str(event["uid"]) for event in events.values()}) == len(events)


async def test_an_old_address_stops_working(world: World) -> None:
    sam = world.accounts["Sam"]
    async with world.storage.transaction() as session:
        old = await calendar_feed.create_feed(session, world.act("Sam"), sam)
        new = await calendar_feed.create_feed(session, world.act("Sam"), sam)
        await calendar_feed.feed(session, new, NOW)
        with pytest.raises(Refused):
            await calendar_feed.feed(session, old, NOW)
        await calendar_feed.revoke_feed(session, world.act("Sam"), sam)
        with pytest.raises(Refused):
            await calendar_feed.feed(session, new, NOW)


def test_what_is_due() -> None:
    one = Occurrence("g", START, END, "s", "2027-01-05T18:00:00")
    day = reminders.LEAD

    def due(now_before: timedelta, **without: set[tuple[str, object, str]]) -> list[str]:
        found = reminders.due(
            [(one, ["a", "b"])],
            without.get("absent", set()),  # type: ignore[arg-type]
            without.get("sent", set()),  # type: ignore[arg-type]
            START - now_before,
        )
        return [reminder.account_id for reminder in found]

    assert due(day + timedelta(minutes=1)) == []
    assert due(day) == ["a", "b"]
    assert due(timedelta(0)) == []
    assert due(day, absent={("g", START, "a")}) == ["b"]
    assert due(day, sent={("g", START, "b")}) == ["a"]


async def test_reminders_are_sent_once_and_again_if_that_failed(world: World) -> None:
    async with world.storage.transaction() as session:
        kim = await session.get(Account, world.accounts["Kim"])
        assert kim is not None
        kim.email_verified_at = None
    sent: list[tuple[str, str, str]] = []
    broken = {"sam@private.example"}

    async def send(to: str, subject: str, text: str) -> None:
        if to in broken:
            raise OSError(f"no route to {to}")
        sent.append((to, subject, text))

    now = START - timedelta(hours=20)
    assert await reminders.send_due(world.storage, world.keyring, send, now) == 1
    broken.clear()
    assert await reminders.send_due(world.storage, world.keyring, send, now) == 1
    assert await reminders.send_due(world.storage, world.keyring, send, now) == 0
    assert sorted(to for to, _, _ in sent) == ["fay@private.example", "sam@private.example"]
    for _, subject, text in sent:
        assert "circle" not in subject + text
        assert "Tuesday, 05 January 2027, 18:00 (America/New York)" in text
    assert len(await world.audited("reminder.sent")) == 3
