"""Into a group's session: by token, past the waiting room, and out again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from relay import Relay
from server.accounts import sessions
from server.admission import Entrant, ExpiredEntry, LinkTokens, ResumeTokens
from server.entrance import ENTRY_LIFETIME, Entrance, EntryTokens, is_session_room, session_room
from server.formats import load_formats, shipped_formats
from server.group_sessions import GroupSessions
from server.groups import bans, memberships
from server.groups.act import Act
from server.groups.entry import may_enter
from server.groups.persons import Person
from server.room import Room
from server.rooms import Rooms
from server.storage.database import Storage, open_storage
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from server.storage.models import Attendance, AuditRow
from signaling.messages import (
    PROTOCOL_VERSION,
    Floor,
    Hello,
    InWaitingRoom,
    Join,
    Knock,
    LetIn,
    Message,
    Removed,
    Roster,
    WaitingPerson,
    WaitingRoom,
    Welcome,
)
from signaling.namespace import Wire
from signaling.refusal import Refused
from simulated.group import CIPHERSUITE, Member
from tests.groups.people import END, START, World
from tests.migrated import put_migrated
from tests.page import TIMEOUT_S, Page

SECRET = "s" * 32
ADA = Entrant(
    person=Person("account-of-ada"),
    group_id="group-1",
    starts_at=START,
    closes_at=END,
    group_role="participant",
    name="Ada",
    pronouns="she/her",
    kind="member",
    key="membership",
    waits=True,
    members_wait=True,
    formats=("open",),
)
ROOM = session_room(SECRET, "group-1", START)
KEY = "K" * 21 + "A"
KNOCK = {"mls_id": KEY}


# --- tokens --------------------------------------------------------------------------------------


def code(action: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        action()
    return refused.value.code


def test_a_rooms_name_tells_nothing_and_is_the_same_each_time() -> None:
    assert is_session_room(ROOM)
    assert session_room(SECRET, "group-1", START) == ROOM
    others = {
        session_room("t" * 32, "group-1", START),
        session_room(SECRET, "group-2", START),
        session_room(SECRET, "group-1", START + timedelta(days=7)),
    }
    assert len(others | {ROOM}) == 4
    assert not is_session_room("circle")


@pytest.mark.parametrize(
    "entrant",
    [
        ADA,
        replace(ADA, person=Person(guest_id="guest"), kind="guest", pronouns=None),
        replace(ADA, group_role="facilitator", waits=False),
        replace(ADA, group_role="counselor", waits=False),
    ],
)
def test_a_token_says_who_comes(entrant: Entrant) -> None:
    tokens = EntryTokens(SECRET, lambda: START)
    grant = tokens.admit(ROOM, tokens.issue(entrant))
    assert grant.entrant == entrant
    assert grant.role == ("facilitator" if entrant.group_role == "facilitator" else "participant")


def test_tokens_that_do_not_admit() -> None:
    now = START
    tokens = EntryTokens(SECRET, lambda: now)
    good = tokens.issue(ADA)
    elsewhere = session_room(SECRET, "group-2", START)
    assert code(lambda: tokens.admit(elsewhere, good)) == "wrong_room"
    assert code(lambda: tokens.admit(ROOM, good + "x")) == "bad_token"
    assert code(lambda: tokens.admit(ROOM, "")) == "bad_token"
    assert code(lambda: tokens.admit(ROOM, EntryTokens("t" * 32).issue(ADA))) == "bad_token"
    now = START + ENTRY_LIFETIME - timedelta(seconds=1)
    assert tokens.admit(ROOM, good).entrant == ADA
    now = START + ENTRY_LIFETIME
    with pytest.raises(ExpiredEntry) as expired:
        tokens.admit(ROOM, good)
    assert expired.value.grant.entrant == ADA


@pytest.mark.parametrize(
    "change",
    [
        {"role": "administrator"},
        {"kind": "friend"},
        {"waits": 0},
        {"guest": None},
        {"sub": ""},
        {"name": 7},
        {"closes": "soon"},
        {"room": None},
        {"waits": None},
        {"members_wait": 1},
        {"formats": "open"},
        {"formats": [1]},
        {"aud": "holdspace-link"},
    ],
)
def test_a_signed_token_with_odd_claims_admits_nobody(change: dict[str, Any]) -> None:
    tokens = EntryTokens(SECRET, lambda: START)
    claims = jwt.decode(tokens.issue(ADA), options={"verify_signature": False}) | change
    forged = jwt.encode(
        {name: claim for name, claim in claims.items() if claim is not None}, SECRET, "HS256"
    )
    assert code(lambda: tokens.admit(ROOM, forged)) == "bad_token"


def test_links_and_entries_do_not_open_each_others_rooms() -> None:
    links, entries = LinkTokens(SECRET), EntryTokens(SECRET, lambda: START)
    entrance = Entrance(links, entries)
    hour = timedelta(hours=1)
    assert entrance.admit("circle", links.issue("circle", "participant", hour)).entrant is None
    assert entrance.admit(ROOM, entries.issue(ADA)).entrant == ADA
    assert code(lambda: entrance.admit(ROOM, links.issue(ROOM, "facilitator", hour))) == "bad_token"
    assert code(lambda: entrance.admit("circle", entries.issue(ADA))) == "bad_token"


# --- a session -----------------------------------------------------------------------------------


@dataclass
class Session:
    """The first session of the world's group, live; its clock stands at the start."""

    world: World
    rooms: Rooms
    tokens: EntryTokens
    url: str
    now: datetime = START
    room: str = field(init=False)

    def __post_init__(self) -> None:
        self.room = session_room(SECRET, self.world.group, START)

    @property
    def live(self) -> Room:
        return self.rooms.rooms[self.room]

    async def entrant(self, name: str) -> Entrant:
        """As the API makes one; only whoever may enter gets it."""
        person = Person(self.world.accounts[name])
        async with self.world.storage.snapshot() as session:
            entry = await may_enter(session, self.world.group, START, person, self.now)
        return Entrant(
            person=person,
            group_id=self.world.group,
            starts_at=START,
            closes_at=END + timedelta(minutes=30),
            group_role=entry.role,
            name=entry.display_name,
            pronouns=entry.pronouns,
            kind=entry.kind,
            key=entry.key,
            waits=entry.waits,
            members_wait=entry.members_wait,
            formats=entry.formats,
        )

    def hello(self, entrant: Entrant, *, resume: str | None = None) -> dict[str, Any]:
        token = self.tokens.issue(entrant)
        greeting = {"protocol": PROTOCOL_VERSION, "room": self.room, "token": token}
        return greeting if resume is None else {**greeting, "resume": resume}

    @asynccontextmanager
    async def page(self, greeting: dict[str, Any]) -> AsyncIterator[Page]:
        opened = Page()
        await opened.open(self.url, greeting)
        try:
            yield opened
        finally:
            await opened.close()

    @asynccontextmanager
    async def at_the_door(self, name: str) -> AsyncIterator[Page]:
        """Someone who has signed and confirmed, at the door."""
        async with self.page(self.hello(await self.entrant(name))) as opened:
            yield opened

    async def recorded(self) -> None:
        """Until what was to be written is."""
        assert self.rooms.groups is not None
        async with asyncio.timeout(TIMEOUT_S):
            await self.rooms.groups._writes.join()

    async def actions(self) -> list[tuple[str, str, str | None]]:
        await self.recorded()
        names = {account: name for name, account in self.world.accounts.items()}
        async with self.world.storage.snapshot() as session:
            rows = await session.scalars(
                select(AuditRow)
                .where(AuditRow.action.like("waiting_room.%") | (AuditRow.action.like("session.%")))
                .order_by(AuditRow.sequence)
            )
            return [
                (row.action, names.get(row.actor, row.actor), names.get(row.subject or ""))
                for row in rows
            ]


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    put_migrated(tmp_path)
    async with open_storage(None, tmp_path) as opened:
        yield opened


@pytest.fixture
def keyring() -> KeyRing:
    return parse_keyring(generate_key_line())


@pytest.fixture
async def session(storage: Storage, keyring: KeyRing) -> AsyncIterator[Session]:
    world = await World.made(storage, keyring)
    await world.ready("Sam")
    await world.ready("Kim")
    await world.sign_all(Person(world.accounts["Fay"]))
    found: list[Session] = []

    def now() -> datetime:
        return found[0].now if found else START

    tokens = EntryTokens(SECRET, now)
    relay = await Relay.open(bind=["127.0.0.1"], port=0, announce=[])
    groups = GroupSessions(storage, now)
    rooms = Rooms(
        relay=relay,
        admission=Entrance(LinkTokens(SECRET), tokens),
        resume=ResumeTokens(SECRET),
        formats=load_formats(shipped_formats()),
        ciphersuite=CIPHERSUITE,
        capacity=12,
        max_rooms=4,
        grace_s=20,
        groups=groups,
    )
    wire = Wire(
        rooms,
        origin_allowed=lambda _origin, _request: True,
        max_connections=100,
        max_per_address=100,
        address_of=lambda request: request.remote,
    )
    app = web.Application()
    wire.attach(app)
    groups.start()
    async with TestServer(app) as server:
        found.append(Session(world, rooms, tokens, str(server.make_url("")).rstrip("/")))
        yield found[0]
        await wire.stop()
        await rooms.close()
        await groups.close()
    await relay.close()


async def refusal(page: Page, event: str, payload: Any = None) -> str:
    answer = await page.ask(event, payload)
    return str(answer["error"]["code"])


async def who_waits(page: Page, *names: str) -> list[WaitingPerson]:
    """Until these are the ones who wait, as the page was told last."""

    def is_so(news: WaitingRoom) -> bool:
        last = next(event for event in reversed(page.events) if isinstance(event, WaitingRoom))
        return news is last and [person.name for person in news.people] == list(names)

    return (await page.event(WaitingRoom, is_so)).people


async def removed(page: Page) -> Removed:
    why = await page.event(Removed, lambda _: True)
    async with asyncio.timeout(TIMEOUT_S):
        await page.disconnected.wait()
    return why


async def test_a_participant_waits_until_the_facilitator_lets_them_in(session: Session) -> None:
    async with session.at_the_door("Sam") as sam:
        welcome = await sam.event(Welcome, lambda _: True)
        assert (welcome.name, welcome.waits, welcome.role) == ("Sam", True, "participant")
        assert await refusal(sam, "join", await sam.introduction("Sam")) == "not_let_in"
        assert await sam.ask("knock", KNOCK) == {"ok": True}
        assert not (await sam.event(InWaitingRoom, lambda _: True)).attended
        async with session.at_the_door("Fay") as fay:
            assert not (await fay.event(Welcome, lambda _: True)).waits
            await fay.join("Fay")
            (waiting,) = await who_waits(fay, "Sam")
            assert waiting.mls_id == KEY
            assert (waiting.kind, waiting.role, waiting.signed, waiting.confirmed) == (
                "member",
                "participant",
                True,
                True,
            )
            assert waiting.person == (await session.world.membership("Sam")).id
            assert session.world.accounts["Sam"] not in waiting.model_dump_json()
            await sam.event(InWaitingRoom, lambda told: told.attended)
            assert await refusal(sam, "join", await sam.introduction("Sam")) == "not_let_in"
            assert await fay.ask("admit", {"who": [waiting.id]}) == {"ok": True}
            await sam.event(LetIn, lambda _: True)
            joined = await sam.join("Sam")
            assert {one.name for one in joined.roster.participants} == {"Sam", "Fay"}
            await who_waits(fay)
            assert await refusal(fay, "admit", {"who": [waiting.id]}) == "not_waiting"
    assert ("waiting_room.admitted", "Fay", "Sam") in await session.actions()


async def test_whoever_waits_learns_nothing_of_the_room(session: Session) -> None:
    async with session.at_the_door("Sam") as sam, session.at_the_door("Fay") as fay:
        await sam.ask("knock", KNOCK)
        await fay.join("Fay")
        await who_waits(fay, "Sam")
        await sam.event(InWaitingRoom, lambda told: told.attended)
        assert {type(event) for event in sam.events} == {Welcome, InWaitingRoom}
        for request in ("answer", "media", "chat", "commit", "request_floor", "ask_help"):
            assert await refusal(sam, request, {"sdp": "", "mic": True, "camera": True}) in (
                "not_joined",
                "malformed",
            )
        assert await refusal(sam, "admit", {"who": ["x"]}) == "not_facilitator"


async def test_who_did_not_sign_gets_in_by_no_socket_either(session: Session) -> None:
    """Even with a token of before the agreements changed, or of before a ban."""
    sam = await session.entrant("Sam")
    async with session.world.storage.transaction() as db:
        await bans.ban(db, session.world.act("Fay", START), session.world.group, sam.person, None)
    async with session.page(session.hello(replace(sam, waits=False))) as opened:
        assert await refusal(opened, "join", await opened.introduction("Sam")) == "may_not_enter"
        assert await refusal(opened, "knock", KNOCK) == "may_not_enter"
    await session.world.join("Uma", "participant")
    unsigned = replace(sam, person=Person(session.world.accounts["Uma"]), name="Uma", waits=False)
    async with session.page(session.hello(unsigned)) as opened:
        answer = await opened.ask("join", await opened.introduction("Uma"))
        assert answer["error"]["code"] == "may_not_enter"
        assert "sign" in answer["error"]["message"]
    assert session.room not in session.rooms.rooms


async def test_a_token_does_not_outlive_a_change_of_role(session: Session) -> None:
    sam = replace(await session.entrant("Sam"), group_role="facilitator", waits=False)
    async with session.page(session.hello(sam)) as opened:
        assert await refusal(opened, "join", await opened.introduction("Sam")) == "may_not_enter"


async def test_nobody_comes_under_another_name(session: Session) -> None:
    async with session.at_the_door("Fay") as fay:
        assert await refusal(fay, "join", await fay.introduction("Sam")) == "wrong_name"


async def test_turned_away_kindly_and_welcome_to_knock_again(session: Session) -> None:
    async with session.at_the_door("Fay") as fay:
        await fay.join("Fay")
        async with session.at_the_door("Sam") as sam:
            await sam.ask("knock", KNOCK)
            (waiting,) = await who_waits(fay, "Sam")
            words = "We are in the middle of something. Please come back in ten minutes."
            assert await fay.ask("turn_away", {"who": waiting.id, "message": words}) == {"ok": True}
            why = await removed(sam)
            assert (why.code, why.message) == ("turned_away", words)
            await who_waits(fay)
        session.now += ENTRY_LIFETIME  # their token has expired, but they are known
        async with session.page(session.hello(await session.entrant("Sam"))) as sam:
            assert await sam.ask("knock", KNOCK) == {"ok": True}
            await who_waits(fay, "Sam")


async def test_let_in_stays_let_in_over_a_break_and_an_expired_token(session: Session) -> None:
    greeting = session.hello(await session.entrant("Sam"))
    async with session.at_the_door("Fay") as fay, session.page(greeting) as sam:
        await fay.join("Fay")
        await sam.ask("knock", KNOCK)
        (waiting,) = await who_waits(fay, "Sam")
        await fay.ask("admit", {"who": [waiting.id]})
        await sam.event(LetIn, lambda _: True)
        await sam.join("Sam")
        await sam.ask("leave")
        await fay.ask("leave")
    session.now += timedelta(minutes=20)
    async with session.page(greeting) as sam:
        assert not (await sam.event(Welcome, lambda _: True)).waits
        await sam.join("Sam")


async def test_an_expired_token_is_nothing_for_who_was_not_here(session: Session) -> None:
    greeting = session.hello(await session.entrant("Sam"))
    session.now += ENTRY_LIFETIME
    with pytest.raises(ConnectionError) as refused:
        await Page().open(session.url, greeting)
    assert refused.value.args[0]["data"]["code"] == "expired_token"


async def test_a_resume_token_stands_for_being_let_in_but_for_its_owner_alone(
    session: Session,
) -> None:
    sam = await session.entrant("Sam")
    async with session.at_the_door("Fay") as fay, session.page(session.hello(sam)) as opened:
        await fay.join("Fay")
        await opened.ask("knock", KNOCK)
        (waiting,) = await who_waits(fay, "Sam")
        await fay.ask("admit", {"who": [waiting.id]})
        await opened.event(LetIn, lambda _: True)
        resume = (await opened.join("Sam")).resume
    session.rooms.doors.clear()  # as after a restart
    greeting = session.hello(sam, resume=resume)
    kims = session.hello(await session.entrant("Kim"), resume=resume)
    async with session.page(kims) as opened:
        assert (await opened.event(Welcome, lambda _: True)).waits
    session.now += ENTRY_LIFETIME
    with pytest.raises(ConnectionError):
        await Page().open(session.url, kims)
    async with session.page(greeting) as opened:
        assert not (await opened.event(Welcome, lambda _: True)).waits
        await opened.join("Sam")


async def test_a_lost_page_keeps_its_place_in_the_row(session: Session) -> None:
    async with session.at_the_door("Fay") as fay:
        await fay.join("Fay")
        async with session.at_the_door("Sam") as sam:
            await sam.ask("knock", KNOCK)
            (before,) = await who_waits(fay, "Sam")
        await fay.event(WaitingRoom, lambda news: any(one.away for one in news.people))
        async with session.at_the_door("Sam") as sam:
            await sam.ask("knock", KNOCK)
            await fay.event(
                WaitingRoom,
                lambda news: [(one.id, one.away) for one in news.people] == [(before.id, False)],
            )
            await sam.ask("leave")
            await who_waits(fay)


async def test_facilitators_see_that_someone_comes_with_another_key(session: Session) -> None:
    other = "L" * 21 + "A"
    async with session.at_the_door("Sam") as sam, session.at_the_door("Fay") as fay:
        await fay.join("Fay")
        await sam.ask("knock", KNOCK)
        (before,) = await who_waits(fay, "Sam")
        async with session.at_the_door("Sam") as again:
            await again.ask("knock", {"mls_id": other})
            news = await fay.event(
                WaitingRoom, lambda told: [one.mls_id for one in told.people] == [other]
            )
            assert news.people[0].id == before.id


@pytest.mark.parametrize(
    "knock", [{}, {"mls_id": ""}, {"mls_id": KEY + "A"}, {"mls_id": "K" * 22}, {"mls_id": 7}]
)
async def test_nobody_knocks_without_the_id_of_a_key(
    session: Session, knock: dict[str, Any]
) -> None:
    async with session.at_the_door("Sam") as sam:
        assert await refusal(sam, "knock", knock) == "malformed"


@pytest.mark.parametrize("members_wait", [True, False])
async def test_the_id_of_the_mls_group_says_who_lets_people_in(
    session: Session, members_wait: bool
) -> None:
    await session.world.change(opens_without_facilitator=not members_wait)
    async with session.at_the_door("Fay") as fay:
        joined = await fay.join("Fay")
    assert joined.group.standing == "founder"
    assert joined.group.group[0] == members_wait


async def test_what_the_moderation_does_is_on_record(session: Session) -> None:
    async with session.at_the_door("Fay") as fay:
        await fay.answer(await fay.join("Fay"))
        await fay.ask("set_phase", {"phase": "work"})
        await fay.ask("mute_all")
        await fay.ask("unmute_all")

    async def recorded() -> list[tuple[str, str | None, str | None]]:
        async with session.world.storage.snapshot() as db:
            rows = await db.scalars(
                select(AuditRow)
                .where(AuditRow.action.like("moderation.%"))
                .order_by(AuditRow.sequence)
            )
            return [(row.action, row.actor, row.group_id) for row in rows.all()]

    async with asyncio.timeout(TIMEOUT_S):
        while len(await recorded()) < 4:
            await asyncio.sleep(0.02)
    assert await recorded() == [
        (f"moderation.{action}", session.world.accounts["Fay"], session.world.group)
        for action in ("phase", "format", "muted_everyone", "unmuted_everyone")
    ]


async def test_a_session_has_the_formats_of_its_group_and_begins_with_the_first(
    session: Session,
) -> None:
    async with session.at_the_door("Fay") as fay:
        joined = await fay.join("Fay")
        assert [one.name for one in joined.formats] == ["circle", "open"]
        await fay.answer(joined)
        await fay.event(Floor, lambda floor: floor.format == "circle")


async def test_one_person_waits_and_is_in_the_room_once(session: Session) -> None:
    await session.world.change(opens_without_facilitator=True)
    async with session.at_the_door("Sam") as first, session.at_the_door("Sam") as second:
        assert not (await first.event(Welcome, lambda _: True)).waits
        await first.join("Sam")
        joined = await second.join("Sam")
        assert (await removed(first)).code == "joined_elsewhere"
        assert [one.id for one in joined.roster.participants] == [joined.id]


async def test_waiting_on_another_page_ends_the_first(session: Session) -> None:
    async with session.at_the_door("Sam") as first, session.at_the_door("Sam") as second:
        await first.ask("knock", KNOCK)
        await second.ask("knock", KNOCK)
        assert (await removed(first)).code == "joined_elsewhere"
        await second.event(InWaitingRoom, lambda _: True)
        door = session.rooms.doors[session.room]
        assert [wait.away_since for wait in door.waiting.people] == [None]


async def in_the_room(stack: AsyncExitStack, session: Session, *names: str) -> list[Page]:
    """In a group that opens by itself."""
    await session.world.change(opens_without_facilitator=True)
    pages = []
    for name in names:
        opened = await stack.enter_async_context(session.at_the_door(name))
        await opened.join(name)
        pages.append(opened)
    return pages


def id_of(session: Session, name: str) -> str:
    return next(one.id for one in session.live.members.values() if one.name == name)


async def test_removed_for_now_has_to_be_let_in_again(session: Session) -> None:
    async with AsyncExitStack() as stack:
        fay, sam = await in_the_room(stack, session, "Fay", "Sam")
        who = {"who": id_of(session, "Sam"), "keep_out": False}
        assert await fay.ask("remove_person", who) == {"ok": True}
        assert (await removed(sam)).code == "taken_out"
        await fay.event(Roster, lambda roster: len(roster.participants) == 1)
        assert await refusal(fay, "remove_person", who) == "no_such_person"
        back = await stack.enter_async_context(session.at_the_door("Sam"))
        assert (await back.event(Welcome, lambda _: True)).waits
        assert await refusal(back, "join", await back.introduction("Sam")) == "not_let_in"
        await back.ask("knock", KNOCK)
        (waiting,) = await who_waits(fay, "Sam")
        await fay.ask("admit", {"who": [waiting.id]})
        await back.event(LetIn, lambda _: True)
        await back.join("Sam")


async def test_kept_out_cannot_come_back_in_this_session(session: Session) -> None:
    async with AsyncExitStack() as stack:
        token = session.hello(await session.entrant("Sam"))
        fay, sam = await in_the_room(stack, session, "Fay", "Sam")
        await fay.ask("remove_person", {"who": id_of(session, "Sam"), "keep_out": True})
        assert (await removed(sam)).code == "kept_out"
        back = await stack.enter_async_context(session.page(token))
        assert await refusal(back, "knock", KNOCK) == "may_not_enter"
        assert await refusal(back, "join", await back.introduction("Sam")) == "may_not_enter"
        session.rooms.doors.clear()  # as after a restart
        again = await stack.enter_async_context(session.page(token))
        assert await refusal(again, "knock", KNOCK) == "may_not_enter"
        async with session.world.storage.snapshot() as db:
            (ban,) = await bans.bans(db, session.world.group, START)
        assert (ban.display_name, ban.ban.until) == ("Sam", END + timedelta(minutes=30))
        # Whoever lifts the ban lets them knock again, but not straight in.
        async with session.world.storage.transaction() as db:
            await bans.lift(db, Act("x", START), session.world.group, ban.ban.id)
    assert ("session.removed", "Fay", "Sam") in await session.actions()


async def test_facilitators_are_not_removed_and_participants_remove_nobody(
    session: Session,
) -> None:
    async with AsyncExitStack() as stack:
        fay, sam = await in_the_room(stack, session, "Fay", "Sam")
        for who, expected in ((fay, "not_participant"), (sam, "not_facilitator")):
            payload = {"who": id_of(session, "Fay"), "keep_out": True}
            assert await refusal(who, "remove_person", payload) == expected
        assert len(session.live.members) == 2


async def test_a_review_sends_out_who_may_not_be_here_any_more(session: Session) -> None:
    async with AsyncExitStack() as stack:
        fay, sam = await in_the_room(stack, session, "Fay", "Sam")
        await session.world.change(opens_without_facilitator=False)
        kim = await stack.enter_async_context(session.at_the_door("Kim"))
        await kim.ask("knock", KNOCK)
        await who_waits(fay, "Kim")
        await session.rooms.review(session.world.group)
        assert len(session.live.members) == 2
        async with session.world.storage.transaction() as db:
            act = session.world.act("Fay", START)
            for name in ("Sam", "Kim"):
                member = await memberships.current(
                    db, session.world.group, session.world.accounts[name]
                )
                assert member is not None
                await memberships.remove(db, act, session.world.group, member.id)
        await session.rooms.review("another-group")
        assert len(session.live.members) == 2
        await session.rooms.review(session.world.group)
        assert (await removed(sam)).code == (await removed(kim)).code == "kept_out"
        await who_waits(fay)
        assert [one.name for one in session.live.members.values()] == ["Fay"]


async def test_attendance_is_kept_from_place_to_place(session: Session) -> None:
    async with AsyncExitStack() as stack:
        fay, _ = await in_the_room(stack, session, "Fay", "Sam")
        await session.recorded()
        session.now += timedelta(minutes=30)
        await fay.ask("leave")
        await session.recorded()
        async with session.world.storage.snapshot() as db:
            rows = await db.scalars(select(Attendance).order_by(Attendance.joined_at))
            stays = {row.account_id: (row.joined_at, row.left_at) for row in rows}
        assert stays == {
            session.world.accounts["Fay"]: (START, START + timedelta(minutes=30)),
            session.world.accounts["Sam"]: (START, None),
        }


async def test_who_is_in_a_session_or_waits_stays_signed_in(session: Session) -> None:
    storage, accounts = session.world.storage, session.world.accounts
    tokens = {}
    async with storage.transaction() as db:
        for name in ("Fay", "Sam", "Kim"):
            tokens[name] = await sessions.start(db, accounts[name], "Firefox", START)
    async with AsyncExitStack() as stack:
        await in_the_room(stack, session, "Fay")
        await session.world.change(opens_without_facilitator=False)
        kim = await stack.enter_async_context(session.at_the_door("Kim"))
        await kim.ask("knock", KNOCK)
        here = {name: session.rooms.has_account(accounts[name]) for name in tokens}
        assert here == {"Fay": True, "Sam": False, "Kim": True}
        session.now += timedelta(minutes=14)
        assert session.rooms.groups is not None
        await session.rooms.groups.keep_signed_in(accounts[name] for name in here if here[name])
    async with storage.transaction() as db:
        at = START + timedelta(minutes=28)
        known = {name: await sessions.resolve(db, token, at) for name, token in tokens.items()}
    assert {name: one is not None for name, one in known.items()} == here


class Silent:
    """A connection on which nothing is heard."""

    async def emit(self, event: Message) -> None: ...

    async def remove(self, why: Removed) -> None: ...

    async def drop(self) -> None: ...


@pytest.mark.parametrize("request_name", ["knock", "join"])
async def test_a_page_that_goes_while_the_group_is_asked_leaves_nothing_behind(
    session: Session, monkeypatch: pytest.MonkeyPatch, request_name: str
) -> None:
    groups = session.rooms.groups
    assert groups is not None
    await session.world.change(opens_without_facilitator=request_name == "join")
    asked, go_on = asyncio.Event(), asyncio.Event()
    ask = groups.check_entry

    async def slowly(entrant: Entrant) -> Entrant:
        asked.set()
        await go_on.wait()
        return await ask(entrant)

    monkeypatch.setattr(groups, "check_entry", slowly)
    greeting = session.hello(await session.entrant("Sam"))
    visit = session.rooms.greet(Hello.model_validate(greeting), Silent())
    key_package = Member("Sam", "participant").key_package()
    request: Message = Knock(mls_id=KEY)
    if request_name == "join":
        request = Join(name="Sam", mic=True, camera=True, key_package=key_package)
    handling = asyncio.create_task(visit.handle(request))
    await asked.wait()
    await visit.gone()
    go_on.set()
    with pytest.raises(Refused) as refused:
        await handling
    assert refused.value.code == "not_joined"
    assert session.room not in session.rooms.rooms
    assert session.rooms.doors[session.room].waiting.people == []
