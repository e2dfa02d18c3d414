from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import timedelta

import pytest

from server.groups import absences, attendance, attendance_report, groups, memberships, schedule
from server.groups.act import Act
from server.groups.entry import may_enter
from server.groups.persons import Person
from server.refusals import Refused
from server.storage.models import Group
from tests.groups.people import END, NOW, SETTINGS, START, World

MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)


async def _stay(world: World, name: str, since: int, until: int, group: str = "") -> None:
    person = Person(world.accounts[name])
    async with world.storage.transaction() as session:
        act = Act(person.id, START + since * MINUTE)
        stay = await attendance.joined(session, act, group or world.group, START, person)
        await attendance.left(session, Act(person.id, START + until * MINUTE), stay)


async def test_the_report(either_world: World) -> None:
    world = either_world
    await world.join("=HYPERLINK(1)", "participant")
    await _stay(world, "Fay", -10, 95)
    await _stay(world, "Sam", 0, 20)
    await _stay(world, "Sam", 30, 90)
    async with world.storage.transaction() as session:
        one = await schedule.session_at(session, world.group, START)
        await absences.announce(
            session, world.keyring, world.act("Kim"), one, world.accounts["Kim"], "At the doctor"
        )
    group = await _group(world)
    report = await attendance_report.report(
        world.storage, world.keyring, world.act("Fay", END + WEEK), group, NOW, NOW + WEEK
    )
    (session_report,) = report
    lines = {line.display_name: line for line in session_report.lines}
    assert (lines["Sam"].status, lines["Sam"].minutes) == ("attended", 80)
    assert lines["Sam"].joined_at == START
    assert lines["Sam"].left_at == START + 90 * MINUTE
    assert lines["Kim"].status == "absent_announced"
    assert lines["=HYPERLINK(1)"].status == "absent"
    assert all(line.legal_name is None for line in lines.values())
    assert await world.audited("sealed.viewed") == []
    named = await attendance_report.report(
        world.storage,
        world.keyring,
        world.act("Fay", END + WEEK),
        group,
        NOW,
        NOW + WEEK,
        legal_names=True,
    )
    rows = list(csv.DictReader(io.StringIO(attendance_report.as_csv(named, "America/New_York"))))
    sam = next(row for row in rows if row["display_name"] == "Sam")
    assert sam["legal_name"] == "Legal Sam Secretname"
    assert sam["session_starts_at"] == "2027-01-05T18:00:00-05:00"
    assert {row["display_name"] for row in rows} >= {"'=HYPERLINK(1)"}
    assert len(await world.audited("sealed.viewed")) == 4


async def _group(world: World, group: str | None = None) -> Group:
    async with world.storage.snapshot() as session:
        return await groups.find_group(session, group or world.group)


def test_overlapping_stays_count_once() -> None:
    stays = [(START, START + 10 * MINUTE), (START + 5 * MINUTE, START + 20 * MINUTE)]
    assert attendance_report.minutes(stays) == 20
    assert attendance_report.minutes([]) == 0


async def test_a_period_has_bounds(world: World) -> None:
    group = await _group(world)
    for until in (NOW, NOW - WEEK, NOW + 500 * timedelta(days=1), NOW.replace(year=9999)):
        with pytest.raises(Refused):
            await attendance_report.report(
                world.storage, world.keyring, world.act("Fay"), group, NOW, until
            )


async def test_an_absence_is_taken_back(world: World) -> None:
    async with world.storage.transaction() as session:
        one = await schedule.session_at(session, world.group, START)
        sam = world.accounts["Sam"]
        await absences.announce(session, world.keyring, world.act("Sam"), one, sam, "Ill")
        await absences.announce(session, world.keyring, world.act("Sam"), one, sam, None)
        await absences.take_back(session, world.act("Sam"), one, sam)
        assert await absences.find(session, world.group, START, sam) is None
        with pytest.raises(Refused):
            await absences.announce(session, world.keyring, world.act("Sam", END), one, sam, None)


async def test_making_up_in_another_group(world: World) -> None:
    other = await world.new_group("Olu", replace(SETTINGS, name="Other", capacity=2))
    sam, kim = world.accounts["Sam"], world.accounts["Kim"]
    async with world.storage.snapshot() as session:
        one = await schedule.session_at(session, world.group, START)
        assert await absences.options(session, one, sam, NOW) == []  # not allowed there
    await world.change(other, make_ups_allowed=True)
    later = START + WEEK
    async with world.storage.transaction() as session:
        options = await absences.options(session, one, sam, NOW)
        assert {option.group.id for option in options} == {other}
        assert options[0].places == 1
        row = await absences.make_up(
            session, world.keyring, world.act("Sam"), one, sam, other, later
        )
        assert row.make_up_group_id == other
        with pytest.raises(Refused) as refused:  # the last place is taken
            await absences.make_up(session, world.keyring, world.act("Kim"), one, kim, other, later)
        assert refused.value.code == "no_make_up"
    person = Person(sam)
    await world.sign_all(person, group=other)
    await world.confirm(person, now=later, starts_at=later, group=other)
    async with world.storage.snapshot() as session:
        entered = await may_enter(session, other, later, person, later)
        assert (entered.kind, entered.role, entered.waits) == ("make_up", "participant", True)
        with pytest.raises(Refused) as refused:
            await may_enter(session, other, START, person, START)
        assert refused.value.code == "not_member"
    async with world.storage.transaction() as session:
        act = Act(sam, later)
        await attendance.joined(session, act, other, later, person)
    (report,) = await attendance_report.report(
        world.storage,
        world.keyring,
        world.act("Fay", later + WEEK),
        await _group(world),
        NOW,
        NOW + WEEK,
    )
    assert {line.display_name: line.status for line in report.lines}["Sam"] == "made_up"
    # There is a Sam in that group, too.
    await world.change(other, capacity=3)
    await world.join("Sami", "participant", other)
    async with world.storage.transaction() as session:
        member = await memberships.current(session, other, world.accounts["Sami"])
        assert member is not None
        member.display_name = "SAM"
    (there,) = await attendance_report.report(
        world.storage,
        world.keyring,
        world.act("Olu", later + WEEK),
        await _group(world, other),
        later,
        later + WEEK,
    )
    here = {line.display_name for line in there.lines if line.status == "attended"}
    assert here == {"Sam (visiting)"}
    await world.change(other, make_ups_allowed=False)
    async with world.storage.snapshot() as session:
        with pytest.raises(Refused) as refused:
            await may_enter(session, other, later, person, later)
        assert refused.value.code == "not_member"


async def test_groups_of_another_kind_are_no_choice(world: World) -> None:
    formats = replace(SETTINGS, name="Other", formats=("open",), make_ups_allowed=True)
    await world.new_group("Olu", formats)
    await world.new_group(
        "Ana", replace(SETTINGS, name="Other", substance_use=True, make_ups_allowed=True)
    )
    async with world.storage.snapshot() as session:
        one = await schedule.session_at(session, world.group, START)
        assert await absences.options(session, one, world.accounts["Sam"], NOW) == []
