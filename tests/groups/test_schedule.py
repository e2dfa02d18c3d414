from __future__ import annotations

from datetime import timedelta

import pytest

from server.groups import schedule
from server.groups.schedule import Plan
from server.refusals import Refused
from tests.groups.people import NOW, START, TUESDAYS, World

WEEK = timedelta(days=7)


async def test_a_changed_schedule_leaves_past_sessions_as_they_were(either_world: World) -> None:
    world = either_world
    now = START + WEEK + timedelta(hours=1)  # while the second one goes on
    async with world.storage.transaction() as session:
        (row,) = await schedule.schedules(session, world.group)
        thursdays = Plan("2027-01-13T17:00:00", "America/New_York", "FREQ=WEEKLY;BYDAY=TH", 60)
        await schedule.change_schedule(
            session, world.act("Fay", now), world.group, row.id, thursdays
        )
    async with world.storage.snapshot() as session:
        found = await schedule.occurrences(session, world.group, NOW, NOW + 4 * WEEK)
        following = await schedule.next_occurrence(session, world.group, now)
    assert [f"{one.starts_at:%d %H}" for one in found] == [
        "05 23",
        "12 23",
        "14 22",
        "21 22",
        "28 22",
    ]
    assert following is not None
    assert following.starts_at == START + WEEK


async def test_ending_before_it_began_leaves_nothing(world: World) -> None:
    async with world.storage.transaction() as session:
        (row,) = await schedule.schedules(session, world.group)
        await schedule.end_schedule(session, world.act("Fay"), world.group, row.id)
        assert await schedule.next_occurrence(session, world.group, NOW) is None


async def test_sessions_called_off_and_moved(world: World) -> None:
    act, occurrence = world.act("Fay"), "2027-01-05T18:00:00"
    async with world.storage.transaction() as session:
        (row,) = await schedule.schedules(session, world.group)

        async def move(to: str | None) -> None:
            await schedule.except_session(
                session, act, world.group, row.id, occurrence, moved_to=to
            )

        await move(None)
        shown = await schedule.occurrences(session, world.group, NOW, NOW + WEEK, cancelled=True)
        assert [one.is_cancelled for one in shown] == [True]
        await move("2027-01-06T18:00:00")
        (one,) = await schedule.occurrences(session, world.group, NOW, NOW + WEEK)
        assert (one.starts_at, one.is_moved) == (START + timedelta(days=1), True)
        for to, code in (
            ("2027-01-12T18:00:00", "session_exists"),
            ("2026-01-12T18:00:00", "session_past"),
            ("2027-02-30T18:00:00", "bad_time"),
        ):
            with pytest.raises(Refused) as refused:
                await move(to)
            assert refused.value.code == code
        await schedule.restore_session(session, act, world.group, row.id, occurrence)
        (one,) = await schedule.occurrences(session, world.group, NOW, NOW + WEEK)
        assert (one.starts_at, one.is_moved) == (START, False)
        with pytest.raises(Refused) as refused:
            await schedule.except_session(
                session, act, world.group, row.id, "2027-01-06T18:00:00", moved_to=None
            )
        assert refused.value.code == "no_session"


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (Plan("2027-01-05T18:00:00", "Nowhere", None, 60), "bad_time_zone"),
        (Plan("tomorrow", "UTC", None, 60), "bad_time"),
        (Plan("2027-01-05T18:00:00", "UTC", "FREQ=HOURLY", 60), "bad_rule"),
        (Plan("2027-01-05T18:00:00", "UTC", None, 5), "bad_duration"),
    ],
)
async def test_plans_that_are_refused(world: World, plan: Plan, code: str) -> None:
    async with world.storage.transaction() as session:
        with pytest.raises(Refused) as refused:
            await schedule.add_schedule(session, world.act("Fay"), world.group, plan)
    assert refused.value.code == code


async def test_there_is_an_end_to_schedules(world: World) -> None:
    async with world.storage.transaction() as session:
        for _ in range(schedule.MAX_SCHEDULES - 1):
            await schedule.add_schedule(session, world.act("Fay"), world.group, TUESDAYS)
        with pytest.raises(Refused) as refused:
            await schedule.add_schedule(session, world.act("Fay"), world.group, TUESDAYS)
        assert refused.value.code == "too_many"
        # Ten schedules with the same start make one session.
        assert len(await schedule.occurrences(session, world.group, NOW, NOW + WEEK)) == 1
