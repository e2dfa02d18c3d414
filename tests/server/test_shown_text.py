"""A text on everyone's screen, and by what facilitators reach someone's emergency contact."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import select

from server import group_sessions
from server.admission import Entrant
from server.app import RunningServer
from server.groups import documents
from server.storage.models import AuditRow, Document, DocumentKind, Group
from signaling import messages as m
from signaling.messages import ShownText
from tests.page import Page, hello, page
from tests.server.test_entrance import (
    Session,
    in_the_room,
    keyring,
    refusal,
    removed,
    session,
    storage,
)

__all__ = ["keyring", "session", "storage"]


async def sees(opened: Page, kind: DocumentKind | None) -> m.ShownDocument | None:
    """Until this is what the page was told last; gives it."""

    def is_so(told: ShownText) -> bool:
        last = next(event for event in reversed(opened.events) if isinstance(event, ShownText))
        return told is last and (told.shown and told.shown.kind) == kind

    return (await opened.event(ShownText, is_so)).shown


async def ready(stack: AsyncExitStack, session: Session, *names: str) -> list[Page]:
    """In the room, with the offer answered: from then on they are told how things stand."""
    pages = await in_the_room(stack, session)
    for name in names:
        opened = await stack.enter_async_context(session.at_the_door(name))
        await opened.answer(await opened.join(name))
        await sees(opened, None)
        pages.append(opened)
    return pages


async def current(session: Session, kind: DocumentKind) -> Document:
    async with session.world.storage.snapshot() as db:
        group = await db.get(Group, session.world.group)
        assert group is not None
        return await documents.find(db, group, kind)


async def shown_on_record(session: Session) -> list[tuple[str, str | None, str | None, str]]:
    await session.recorded()
    async with session.world.storage.snapshot() as db:
        rows = await db.scalars(
            select(AuditRow).where(AuditRow.action == "guidelines.shown").order_by("sequence")
        )
        return [(row.actor, row.subject, row.group_id, row.detail) for row in rows]


async def test_the_groups_own_text_is_on_everyones_screen_and_on_record(session: Session) -> None:
    async with AsyncExitStack() as stack:
        fay, sam = await ready(stack, session, "Fay", "Sam")
        assert await fay.ask("show_text", {"kind": "guidelines"}) == {"ok": True}
        text = await current(session, "guidelines")
        for opened in (fay, sam):
            shown = await sees(opened, "guidelines")
            assert shown is not None
            assert (shown.title, shown.version, shown.by) == ("Group guidelines", 1, "Fay")
            assert shown.text == text.text
        fays = session.world.accounts["Fay"]
        detail = '{"kind":"guidelines","version":1}'
        assert await shown_on_record(session) == [(fays, text.id, session.world.group, detail)]
        assert await fay.ask("show_text", {"kind": None}) == {"ok": True}
        for opened in (fay, sam):
            await sees(opened, None)
        assert len(await shown_on_record(session)) == 1


async def test_a_changed_text_is_shown_as_it_is_now(session: Session) -> None:
    async with AsyncExitStack() as stack:
        fay, sam = await ready(stack, session, "Fay", "Sam")
        async with session.world.storage.transaction() as db:
            group = await db.get(Group, session.world.group)
            assert group is not None
            act = session.world.act("Fay")
            await documents.edit(db, act, group, "guidelines", "# New\n\nBe kind.", version=1)
        await fay.ask("show_text", {"kind": "guidelines"})
        shown = await sees(sam, "guidelines")
        assert shown is not None
        assert (shown.version, shown.text) == (2, "# New\n\nBe kind.\n")


async def test_whoever_comes_or_comes_back_meanwhile_sees_it(session: Session) -> None:
    async with AsyncExitStack() as stack:
        fay, _ = await ready(stack, session, "Fay", "Sam")
        await fay.ask("show_text", {"kind": "confidentiality"})
        kim = await stack.enter_async_context(session.at_the_door("Kim"))
        await kim.answer(await kim.join("Kim"))
        sam = await stack.enter_async_context(session.at_the_door("Sam"))
        await sam.answer(await sam.join("Sam"))
        for opened in (kim, sam):
            shown = await sees(opened, "confidentiality")
            assert shown is not None
            assert shown.text == (await current(session, "confidentiality")).text


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"kind": "part2_notice"}, "no_such_text"),  # not where no substance use is treated
        ({"kind": "poem"}, "malformed"),
        ({"kind": "guidelines", "text": "Mine"}, "malformed"),
        ({}, "malformed"),
    ],
)
async def test_only_texts_that_are_there(
    session: Session, payload: dict[str, Any], code: str
) -> None:
    async with AsyncExitStack() as stack:
        (fay,) = await ready(stack, session, "Fay")
        assert await refusal(fay, "show_text", payload) == code
        assert await shown_on_record(session) == []


async def test_participants_show_nothing(session: Session) -> None:
    async with AsyncExitStack() as stack:
        fay, sam = await ready(stack, session, "Fay", "Sam")
        assert await refusal(sam, "show_text", {"kind": "guidelines"}) == "not_facilitator"
        await fay.ask("show_text", {"kind": "guidelines"})
        assert await refusal(sam, "show_text", {"kind": None}) == "not_facilitator"
        await sees(sam, "guidelines")
        assert len(await shown_on_record(session)) == 1


async def test_a_page_that_lost_its_place_while_the_text_was_fetched_shows_nothing(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = session.rooms.groups
    assert groups is not None
    asked, go_on = asyncio.Event(), asyncio.Event()
    fetch = groups.text

    async def slowly(entrant: Entrant, kind: DocumentKind) -> Document:
        asked.set()
        await go_on.wait()
        return await fetch(entrant, kind)

    monkeypatch.setattr(groups, "text", slowly)
    async with AsyncExitStack() as stack:
        fay, sam = await ready(stack, session, "Fay", "Sam")
        await fay.socket.emit("show_text", {"kind": "guidelines"})
        await asked.wait()
        elsewhere = await stack.enter_async_context(session.at_the_door("Fay"))
        await elsewhere.answer(await elsewhere.join("Fay"))
        assert (await removed(fay)).code == "joined_elsewhere"
        go_on.set()
        # Read again after it, on the page that is there: what comes then is all there is.
        assert await elsewhere.ask("show_text", {"kind": "confidentiality"}) == {"ok": True}
        await sees(sam, "confidentiality")
        kinds = [told.shown and told.shown.kind for told in sam.events if type(told) is ShownText]
        assert kinds == [None, "confidentiality"]
        assert len(await shown_on_record(session)) == 1


async def test_storage_that_does_not_answer_holds_nobody_up(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> Document:
        await asyncio.Event().wait()
        raise AssertionError

    async with AsyncExitStack() as stack:
        fay, sam = await ready(stack, session, "Fay", "Sam")
        monkeypatch.setattr(group_sessions, "CHECK_WAIT_S", 0.1)
        monkeypatch.setattr(documents, "find", never)
        asking = asyncio.create_task(fay.ask("show_text", {"kind": "guidelines"}))
        assert await sam.ask("media", {"mic": True, "camera": False}) == {"ok": True}
        assert (await asking)["error"]["code"] == "internal"
        assert await shown_on_record(session) == []


async def test_a_room_with_links_has_the_guidelines_that_come_with_holdspace(
    server: RunningServer,
) -> None:
    as_facilitator = hello(server, role="facilitator")
    async with page(server, as_facilitator) as fay, page(server) as ada:
        await fay.answer(await fay.join("Fay"))
        assert await fay.ask("show_text", {"kind": "guidelines"}) == {"ok": True}
        await ada.answer(await ada.join("Ada"))
        shown = await sees(ada, "guidelines")
        assert shown is not None
        assert (shown.version, shown.by) == (None, "Fay")
        assert shown.text.startswith("# Guidelines of this group\n")
        assert "{{" not in shown.text
        assert await refusal(fay, "show_text", {"kind": "confidentiality"}) == "no_such_text"
        people = await fay.event(m.People, lambda told: len(told.people) == 2)
        assert {one.person for one in people.people} == {None}


# --- by what the API names people, for who may have to send help ----------------------------------


async def test_facilitators_alone_learn_by_what_the_api_names_people_and_the_session(
    session: Session,
) -> None:
    async with AsyncExitStack() as stack:
        fay, sam = await ready(stack, session, "Fay", "Sam")
        world = session.world
        keys = {name: (await world.membership(name)).id for name in ("Fay", "Sam")}
        told = await fay.event(m.People, lambda told: len(told.people) == 2)
        assert {one.person for one in told.people} == set(keys.values())
        assert (await fay.event(m.Welcome, lambda _: True)).session == m.SessionName(
            group=world.group, key="20270105T230000Z"
        )
        assert (await sam.event(m.Welcome, lambda _: True)).session is None
        await sam.ask("ask_help")
        alert = await fay.event(m.Alert, lambda one: one.kind == "help_asked")
        assert alert.about_person == keys["Sam"]
        await sam.ask("leave")
        # Also of someone who has left: they may be the one who needs help.
        await fay.ask("acknowledge_alert", {"alert": alert.id})
        seen = await fay.event(m.Alert, lambda one: one.acknowledged_by == "Fay")
        assert seen.about_person == keys["Sam"]
        for event in sam.events:
            assert not any(key in event.model_dump_json() for key in keys.values())
