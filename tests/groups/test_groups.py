from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from server.accounts import accounts
from server.groups import groups, memberships
from server.groups.names import display_name, likeness, pronouns
from server.refusals import Refused
from tests.groups.people import FORMATS, SETTINGS, World


async def test_making_changing_and_counting(either_world: World) -> None:
    world = either_world
    await world.change(purpose="For grief", make_ups_allowed=True, formats=("open",))
    async with world.storage.snapshot() as session:
        group = await groups.find_group(session, world.group)
        settings = groups.settings_of(group)
        (counted,) = await groups.all_groups(session)
    assert settings == replace(
        SETTINGS, purpose="For grief", make_ups_allowed=True, formats=("open",)
    )
    assert (counted.members, counted.facilitators) == (3, 1)
    (changed,) = await world.audited("group.changed")
    assert "grief" not in changed.detail
    assert "purpose" in changed.detail


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "bad_group"),
        ({"name": "a\u202eb"}, "bad_group"),
        ({"formats": ()}, "bad_group"),
        ({"formats": ("open", "open")}, "bad_group"),
        ({"formats": ("karaoke",)}, "bad_group"),
        ({"capacity": 17}, "bad_group"),
        ({"capacity": 2}, "full_group"),
        ({"time_zone": "Nowhere"}, "bad_time_zone"),
    ],
)
async def test_settings_that_are_refused(world: World, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        await world.change(**changes)
    assert refused.value.code == code


async def makes_a_group(world: World, name: str) -> bool:
    """Whether someone is let do so; then it is undone."""
    async with world.storage.transaction() as session:
        if not await groups.may_make_groups(session, world.accounts[name]):
            with pytest.raises(Refused, match="not_allowed"):
                await groups.create_group(
                    session,
                    world.act(name),
                    SETTINGS,
                    known_formats=FORMATS,
                    facilitator_name=name,
                )
            return False
        group = await groups.create_group(
            session,
            world.act(name),
            SETTINGS,
            known_formats=FORMATS,
            facilitator_name=name,
        )
        member = await memberships.current(session, group.id, world.accounts[name])
        assert member is not None
        assert (member.role, member.display_name) == ("facilitator", name)
        await session.rollback()
        return True


async def test_groups_are_made_by_facilitators_and_not_by_administrators(world: World) -> None:
    await world.account("Max", facilitator=True)
    await world.join("Olu", "facilitator")  # of this group, by its facilitator's word
    made = {name: await makes_a_group(world, name) for name in ("Admin", "Sam", "Max", "Olu")}
    assert made == {"Admin": False, "Sam": False, "Max": True, "Olu": True}
    for name, is_facilitator in (("Sam", True), ("Max", False), ("Olu", False)):
        async with world.storage.transaction() as session:
            await accounts.let_make_groups(
                session,
                world.act("Admin"),
                world.accounts[name],
                is_facilitator=is_facilitator,
            )
    made = {name: await makes_a_group(world, name) for name in ("Sam", "Max", "Olu")}
    assert made == {"Sam": True, "Max": False, "Olu": True}
    # What did not change is not on record.
    changes = await world.audited("account.rights_changed")
    assert {row.subject: row.detail for row in changes} == {
        world.accounts["Sam"]: '{"facilitator":true}',
        world.accounts["Max"]: '{"facilitator":false}',
    }


async def test_joining_has_limits(world: World) -> None:
    with pytest.raises(Refused) as refused:
        await world.join("Sam", "participant")
    assert refused.value.code == "already_member"
    await world.join("Lee", "participant")
    with pytest.raises(Refused) as refused:
        await world.join("Max", "participant")
    assert refused.value.code == "full_group"


async def test_who_comes_back_gets_a_new_membership(world: World) -> None:
    before = await world.membership("Sam")
    async with world.storage.transaction() as session:
        await memberships.remove(session, world.act("Sam"), world.group, before.id)
    again = await world.join("Sam", "participant")
    assert again.id != before.id
    assert len(await world.audited("member.left")) == 1


def test_names() -> None:
    assert display_name("  Zoë   K. ") == "Zoë K."
    assert pronouns("  ") is None
    assert pronouns("they / them") == "they / them"
    assert likeness("\uff33am") == likeness("s a\u200dm")
    for bad in ("", "   ", "a" * 41, "Sam\u202e", "a\0b", "\u200d"):
        with pytest.raises(Refused):
            display_name(bad)
