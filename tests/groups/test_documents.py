from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select

from server.groups import documents, groups, signatures
from server.groups.persons import Person
from server.groups.templates import KINDS, filled, load_templates, shipped_guidelines
from server.refusals import Refused
from server.storage.models import Group, ServerSetting, Signature
from tests.groups.people import NOW, World


async def _group(world: World) -> Group:
    async with world.storage.snapshot() as session:
        return await groups.find_group(session, world.group)


def test_the_texts_that_come_along_are_complete() -> None:
    texts = load_templates(shipped_guidelines())
    assert set(texts) == set(KINDS)
    for text in texts.values():
        assert text.startswith("# ")
        assert "{{" not in filled(text, group="G", clinic="C")


def test_a_name_is_no_markdown() -> None:
    shown = filled("Of {{group}} by {{ clinic }}", group="[x](javascript:1) *b*", clinic="<b>")
    assert shown == r"Of \[x\]\(javascript:1\) \*b\* by \<b\>"


async def test_a_group_has_its_own_copies_with_names(world: World) -> None:
    async with world.storage.transaction() as session:
        session.add(ServerSetting(key="clinic_name", value='"Elm Clinic"', changed_at=NOW))
    group = await world.new_group("Fay2", groups.GroupSettings(name="Other", formats=("open",)))
    async with world.storage.snapshot() as session:
        texts = await documents.current(session, await groups.find_group(session, group))
    assert list(texts) == ["guidelines", "confidentiality", "telehealth_consent"]
    assert "Guidelines of Other" in texts["guidelines"].text
    assert "Elm Clinic" in texts["confidentiality"].text
    for text in texts.values():
        assert text.text_hash == hashlib.sha256(text.text.encode()).digest()


async def test_a_signature_is_sealed_and_on_record(either_world: World) -> None:
    world = either_world
    sam = Person(world.accounts["Sam"])
    await world.sign_all(sam)
    await world.sign_all(sam)  # again: nothing happens
    rows = await world.audited("document.signed")
    assert len(rows) == 3
    assert all("Secretname" not in row.detail for row in rows)
    async with world.storage.snapshot() as session:
        sealed = (await session.scalars(select(Signature))).all()
    assert all(b"Secretname" not in bytes(row.typed_name) for row in sealed)
    opened = await signatures.view_signatures(
        world.storage,
        world.keyring,
        world.act("Fay"),
        world.group,
        (await world.membership("Sam")).id,
    )
    assert {one.typed_name for one in opened} == {"Legal Secretname"}
    assert len(await world.audited("sealed.viewed")) == 3


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "...", "123"])
async def test_a_name_has_to_be_typed(world: World, name: str) -> None:
    group = await _group(world)
    async with world.storage.transaction() as session:
        text = await documents.find(session, group, "guidelines")
        with pytest.raises(Refused) as refused:
            await signatures.sign(
                session,
                world.keyring,
                world.act("Sam"),
                group,
                Person(world.accounts["Sam"]),
                "guidelines",
                version=1,
                shown_hash=text.text_hash,
                typed_name=name,
            )
    assert refused.value.code == "empty_name"


async def test_only_what_was_shown_can_be_signed(world: World) -> None:
    group = await _group(world)
    async with world.storage.transaction() as session:
        old = await documents.find(session, group, "guidelines")
        await documents.edit(session, world.act("Fay"), group, "guidelines", "New", version=1)
        for version, shown in ((1, old.text_hash), (2, old.text_hash), (2, b"\0" * 32)):
            with pytest.raises(Refused) as refused:
                await signatures.sign(
                    session,
                    world.keyring,
                    world.act("Sam"),
                    group,
                    Person(world.accounts["Sam"]),
                    "guidelines",
                    version=version,
                    shown_hash=shown,
                    typed_name="Sam",
                )
            assert refused.value.code == "changed"


async def test_who_has_and_who_has_not(world: World) -> None:
    await world.sign_all(Person(world.accounts["Sam"]))
    group = await _group(world)
    async with world.storage.transaction() as session:
        await documents.edit(session, world.act("Fay"), group, "guidelines", "New", version=1)
    async with world.storage.snapshot() as session:
        found = {
            member.display_name: {one.kind: one for one in theirs}
            for member, theirs in await signatures.who_signed(session, group)
        }
    assert found["Sam"]["guidelines"].signed_at is None
    assert found["Sam"]["guidelines"].signed_version == 1
    assert found["Sam"]["confidentiality"].signed_at == NOW
    assert found["Kim"]["confidentiality"].signed_version is None
    assert not found["Fay"]["telehealth_consent"].must_sign


async def test_a_signature_counts_for_one_group(world: World) -> None:
    other = await world.new_group("Olu", groups.GroupSettings(name="Other", formats=("open",)))
    await world.join("Sam", "participant", other)
    sam = Person(world.accounts["Sam"])
    await world.sign_all(sam)
    async with world.storage.snapshot() as session:
        row = await groups.find_group(session, other)
        assert len(await signatures.unsigned(session, row, sam, "participant")) == 3


async def test_edits_of_an_old_version_and_bad_texts(world: World) -> None:
    group, act = await _group(world), world.act("Fay")
    async with world.storage.transaction() as session:
        same = await documents.find(session, group, "guidelines")
        unchanged = await documents.edit(session, act, group, "guidelines", same.text, version=1)
        assert unchanged.version == 1
        await documents.edit(session, act, group, "guidelines", "For {{group}}", version=1)
        new = await documents.find(session, group, "guidelines")
        assert (new.version, new.text) == (2, "For Tuesday \\*circle\\*\n")
        for text, version, code in (
            ("Third", 1, "changed"),
            (" \n", 2, "bad_text"),
            ("Hello {{name}}", 2, "bad_text"),
        ):
            with pytest.raises(Refused) as refused:
                await documents.edit(session, act, group, "guidelines", text, version=version)
            assert refused.value.code == code
        with pytest.raises(Refused) as refused:
            await documents.find(session, group, "part2_notice")
        assert refused.value.code == "not_found"


async def test_a_new_default_changes_no_group_until_it_is_taken(world: World) -> None:
    group = await _group(world)
    texts = load_templates(shipped_guidelines())
    later = world.act("Fay", NOW.replace(hour=13))
    async with world.storage.transaction() as session:
        assert await documents.load_defaults(session, later, texts) == []
        texts["guidelines"] = "Newer, for {{group}}\n"
        (new,) = await documents.load_defaults(session, later, texts)
        assert new.version == 2
        states = {one.document.kind: one for one in await documents.states(session, group)}
        assert states["guidelines"].default_is_newer
        assert not states["confidentiality"].default_is_newer
        taken = await documents.take_default(session, later, group, "guidelines")
    assert (taken.version, taken.text) == (2, "Newer, for Tuesday \\*circle\\*\n")
