"""Every way in which entering is refused, and who waits."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from server.groups import (
    attendance,
    bans,
    documents,
    entry,
    groups,
    guests,
    memberships,
    schedule,
)
from server.groups.act import Act
from server.groups.entry import Entry, Unsigned, may_enter
from server.groups.persons import Person
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import Account, Group, Guest
from tests.groups.people import END, NOW, START, World

MINUTE = timedelta(minutes=1)


async def enters(world: World, person: Person, now: datetime = START) -> Entry:
    async with world.storage.snapshot() as session:
        return await may_enter(session, world.group, START, person, now)


async def refusal(world: World, person: Person, now: datetime = START) -> Refused:
    with pytest.raises(Refused) as refused:
        await enters(world, person, now)
    return refused.value


async def test_a_participant_who_signed_and_confirmed_waits(either_world: World) -> None:
    entered = await enters(either_world, await either_world.ready("Sam"))
    assert (entered.role, entered.display_name, entered.waits) == ("participant", "Sam", True)


async def test_a_facilitator_signs_too_and_does_not_wait(world: World) -> None:
    fay = Person(world.accounts["Fay"])
    assert (await refusal(world, fay)).code == "unsigned"
    await world.sign_all(fay)
    entered = await enters(world, fay, START - 15 * MINUTE)
    assert (entered.role, entered.pronouns, entered.waits) == ("facilitator", "she/her", False)


async def test_nobody_waits_where_the_group_opens_by_itself(world: World) -> None:
    await world.change(opens_without_facilitator=True)
    assert not (await enters(world, await world.ready("Sam"))).waits


async def test_strangers(world: World) -> None:
    stranger = Person(await world.account("Stranger"))
    assert (await refusal(world, stranger)).code == "not_member"
    assert (await refusal(world, Person(guest_id="nobody"))).code == "not_member"
    assert (await refusal(world, Person(world.admin))).code == "not_member"
    async with world.storage.snapshot() as session:
        with pytest.raises(Refused) as refused:
            await may_enter(session, "no-such-group", START, stranger, START)
    assert refused.value.code == "not_member"


async def test_who_was_removed_or_let_go(world: World) -> None:
    sam, kim = await world.ready("Sam"), await world.ready("Kim")
    async with world.storage.transaction() as session:
        member = await memberships.current(session, world.group, world.accounts["Sam"])
        assert member is not None
        await memberships.remove(session, world.act("Fay"), world.group, member.id)
        account = await session.get(Account, world.accounts["Kim"])
        assert account is not None
        account.closed_at = NOW
    assert (await refusal(world, sam)).code == "not_member"
    assert (await refusal(world, kim)).code == "not_member"


async def test_banned_until_then_for_good_then_lifted(world: World) -> None:
    sam = await world.ready("Sam")
    async with world.storage.transaction() as session:
        await bans.ban(session, world.act("Fay"), world.group, sam, START)
    assert (await refusal(world, sam, START - MINUTE)).code == "banned"
    await enters(world, sam, START)
    async with world.storage.transaction() as session:
        row = await bans.ban(session, world.act("Fay"), world.group, sam, None)
    assert (await refusal(world, sam)).code == "banned"
    async with world.storage.transaction() as session:
        await bans.lift(session, world.act("Fay"), world.group, row.id)
    await enters(world, sam)


async def test_who_is_banned_cannot_join_again_and_facilitators_cannot_be(world: World) -> None:
    member = await world.membership("Sam")
    async with world.storage.transaction() as session:
        sam = Person(member.account_id)
        await bans.ban(session, world.act("Fay"), world.group, sam, None)
        await memberships.remove(session, world.act("Fay"), world.group, member.id)
    assert (await refusal(world, sam)).code == "banned"
    with pytest.raises(Refused) as refused:
        await world.join("Sam", "participant")
    assert refused.value.code == "banned"
    async with world.storage.transaction() as session:
        with pytest.raises(Refused):
            await bans.ban(
                session, world.act("Fay"), world.group, Person(world.accounts["Fay"]), None
            )


async def test_when_it_is_open(world: World) -> None:
    sam, fay = await world.ready("Sam"), Person(world.accounts["Fay"])
    await world.sign_all(fay)
    assert (await refusal(world, sam, START - 10 * MINUTE - MINUTE)).code == "not_open"
    await enters(world, sam, START - 10 * MINUTE)
    assert (await refusal(world, fay, START - 16 * MINUTE)).code == "not_open"
    await enters(world, fay, START - 15 * MINUTE)
    await enters(world, sam, END + 29 * MINUTE)
    assert (await refusal(world, sam, END + 30 * MINUTE)).code == "not_open"


async def test_no_session_at_this_time_or_called_off(world: World) -> None:
    sam = await world.ready("Sam")
    async with world.storage.snapshot() as session:
        with pytest.raises(Refused) as refused:
            await may_enter(session, world.group, START + MINUTE, sam, START)
    assert refused.value.code == "no_session"
    async with world.storage.transaction() as session:
        (row,) = await schedule.schedules(session, world.group)
        await schedule.except_session(
            session, world.act("Fay"), world.group, row.id, "2027-01-05T18:00:00", moved_to=None
        )
    assert (await refusal(world, sam)).code == "no_session"


async def test_a_moved_session_takes_what_was_confirmed_along(world: World) -> None:
    sam = await world.ready("Sam")
    new = START + 60 * MINUTE
    async with world.storage.transaction() as session:
        (row,) = await schedule.schedules(session, world.group)
        await schedule.except_session(
            session,
            world.act("Fay"),
            world.group,
            row.id,
            "2027-01-05T18:00:00",
            moved_to="2027-01-05T19:00:00",
        )
    assert (await refusal(world, sam)).code == "no_session"
    async with world.storage.snapshot() as session:
        await may_enter(session, world.group, new, sam, new)
    async with world.storage.transaction() as session:
        await schedule.restore_session(
            session, world.act("Fay"), world.group, row.id, "2027-01-05T18:00:00"
        )
    await enters(world, sam)


async def test_unsigned_says_what_and_a_change_has_to_be_signed_again(world: World) -> None:
    sam = Person(world.accounts["Sam"])
    await world.confirm(sam)
    refused = await refusal(world, sam)
    assert isinstance(refused, Unsigned)
    assert refused.documents == ("guidelines", "confidentiality", "telehealth_consent")
    await world.sign_all(sam)
    await enters(world, sam)
    async with world.storage.transaction() as session:
        group = await session.get(Group, world.group)
        assert group is not None
        await documents.edit(
            session, world.act("Fay"), group, "guidelines", "# New\n\nBe kind.", version=1
        )
    refused = await refusal(world, sam)
    assert isinstance(refused, Unsigned)
    assert refused.documents == ("guidelines",)
    await world.sign_all(sam)
    await enters(world, sam)
    await world.change(substance_use=True)
    refused = await refusal(world, sam)
    assert isinstance(refused, Unsigned)
    assert refused.documents == ("part2_notice",)


async def test_unconfirmed_for_this_very_session(world: World) -> None:
    sam = Person(world.accounts["Sam"])
    await world.sign_all(sam)
    assert (await refusal(world, sam)).code == "unconfirmed"
    later = START + timedelta(days=7)
    await world.confirm(sam, now=later, starts_at=later)
    assert (await refusal(world, sam)).code == "unconfirmed"
    await world.confirm(sam)
    await enters(world, sam)


async def test_full_but_not_for_who_is_in_already(world: World) -> None:
    sam = await world.ready("Sam")
    async with world.storage.transaction() as session:
        for number in range(4):
            row = Guest(
                id=new_id(),
                token_hash=bytes([number]) * 32,
                group_id=world.group,
                session_starts_at=START,
                display_name=f"Guest {number}",
                created_at=NOW,
            )
            session.add(row)
            await session.flush()
            guest = Person(guest_id=row.id)
            await attendance.joined(session, Act(guest.id, START), world.group, START, guest)
    assert (await refusal(world, sam)).code == "full_group"
    async with world.storage.transaction() as session:
        await attendance.joined(session, Act(sam.id, START), world.group, START, sam)
        await attendance.close_open(session, START + MINUTE)
        await attendance.joined(session, Act(sam.id, START), world.group, START, sam)
    await enters(world, sam)


async def test_a_group_that_has_ended(world: World) -> None:
    sam = await world.ready("Sam")
    async with world.storage.transaction() as session:
        await groups.close_group(session, world.act("Fay"), world.group)
    assert (await refusal(world, sam)).code == "group_closed"


async def test_guests_come_to_one_session_where_the_group_allows_it(world: World) -> None:
    async with world.storage.transaction() as session:
        occurrence = await schedule.session_at(session, world.group, START)
        group = await groups.find_group(session, world.group)
        with pytest.raises(Refused) as refused:
            await guests.create_link(session, world.act("Fay"), group, occurrence)
    assert refused.value.code == "guests_not_allowed"
    await world.change(guests_allowed=True, opens_without_facilitator=True)
    async with world.storage.transaction() as session:
        group = await groups.find_group(session, world.group)
        link = await guests.create_link(session, world.act("Fay"), group, occurrence)
        with pytest.raises(Refused) as refused:
            await guests.come(
                session, Act("anonymous", NOW), link.token, name="s A m", pronouns=None
            )
        assert refused.value.code == "name_taken"
        new = await guests.come(
            session, Act("anonymous", NOW), link.token, name="Gil", pronouns="they/them"
        )
    guest = Person(guest_id=new.guest.id)
    assert isinstance(await refusal(world, guest), Unsigned)
    await world.sign_all(guest)
    assert (await refusal(world, guest)).code == "unconfirmed"
    await world.confirm(guest)
    entered = await enters(world, guest)
    assert (entered.kind, entered.role, entered.waits) == ("guest", "participant", True)
    later = START + timedelta(days=7)
    async with world.storage.snapshot() as session:
        with pytest.raises(Refused) as refused:
            await may_enter(session, world.group, later, guest, later)
    assert refused.value.code == "not_member"
    async with world.storage.transaction() as session:
        await guests.revoke_link(session, world.act("Fay"), world.group, link.link.id)
    assert (await refusal(world, guest)).code == "not_member"


async def test_a_refusal_is_on_record(world: World) -> None:
    sam = Person(world.accounts["Sam"])
    with pytest.raises(Unsigned):
        await entry.enter(world.storage, world.act("Sam", START), world.group, START, sam)
    (row,) = await world.audited("session.entered")
    assert (row.outcome, row.group_id, row.subject) == ("refused", world.group, sam.id)
    assert "unsigned" in row.detail
