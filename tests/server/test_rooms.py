from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from relay import Peer
from server.app import TOKENS, RunningServer
from server.room import Member
from signaling.messages import Joined, Offer, Removed, Roster
from tests.conftest import Start
from tests.page import TIMEOUT_S, Page, answered, hello, page


def member(server: RunningServer, joined: Joined, room: str = "circle") -> Member:
    return server.rooms.rooms[room].members[joined.id]


def open_gates(source_of: Member, sink: Member) -> set[str]:
    """The mids of the sources from which something reaches the sink's slots."""
    return {
        mid
        for mid, source in source_of.peer.sources.items()
        if sink.peer.transport in source.open_to
    }


def fed(peer: Peer) -> dict[str, str]:
    """By mid of the slot, the mid of the source that feeds it."""
    return {mid: slot.fed_by.mid for mid, slot in peer.slots.items() if slot.fed_by is not None}


async def joined_pages(
    stack: AsyncExitStack, server: RunningServer, count: int
) -> list[tuple[Page, Joined]]:
    pages = [await stack.enter_async_context(page(server)) for _ in range(count)]
    return [(opened, await opened.join(f"P{number}")) for number, opened in enumerate(pages)]


async def test_everyone_sees_everyone_in_order_of_slot(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        pages = await joined_pages(stack, server, 3)
        for opened, _ in pages:
            roster = await opened.roster(lambda roster: len(roster.participants) == 3)
            assert [(p.slot, p.name) for p in roster.participants] == [
                (0, "P0"),
                (1, "P1"),
                (2, "P2"),
            ]
        assert pages[2][1].roster.participants[2].id == pages[2][1].id
        versions = [event.version for event in pages[0][0].events if isinstance(event, Roster)]
        assert versions == sorted(set(versions))


async def test_slots_are_fed_and_gates_follow_what_people_send(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        (ada, ada_joined), (bob, bob_joined), _ = await joined_pages(stack, server, 3)
        await ada.answer(ada_joined)
        await bob.answer(bob_joined)
        a, b = member(server, ada_joined), member(server, bob_joined)
        assert fed(a.peer) == {"a1": "mi", "v1": "ca", "a2": "mi", "v2": "ca"}
        assert fed(b.peer) == {"a0": "mi", "v0": "ca", "a2": "mi", "v2": "ca"}
        assert open_gates(a, b) == {"mi", "ca"}
        assert open_gates(a, a) == set()
        assert await ada.ask("media", {"mic": False, "camera": True}) == {"ok": True}
        assert open_gates(a, b) == {"ca"}
        assert open_gates(b, a) == {"mi", "ca"}
        assert await ada.ask("media", {"mic": False, "camera": False}) == {"ok": True}
        assert open_gates(a, b) == set()
        await ada.roster(lambda roster: not roster.participants[0].camera)


async def test_who_comes_muted_stays_muted(server: RunningServer) -> None:
    async with page(server) as ada, page(server) as bob:
        a = await ada.join(mic=False, camera=False)
        b = await bob.join("Bob", mic=False)
        assert open_gates(member(server, a), member(server, b)) == set()
        assert open_gates(member(server, b), member(server, a)) == {"ca"}


async def test_one_screen_at_a_time(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        (ada, ada_joined), (bob, bob_joined) = await joined_pages(stack, server, 2)
        a, b = member(server, ada_joined), member(server, bob_joined)
        assert await ada.ask("share_screen", {"on": True}) == {"ok": True}
        assert await ada.ask("share_screen", {"on": True}) == {"ok": True}
        assert fed(b.peer)["s0"] == "sc"
        assert "s0" not in fed(a.peer)
        assert "sc" in open_gates(a, b)
        refused = await bob.ask("share_screen", {"on": True})
        assert refused["error"]["code"] == "screen_taken"
        late = await stack.enter_async_context(page(server))
        assert fed(member(server, await late.join("Late")).peer)["s0"] == "sc"
        assert await ada.ask("share_screen", {"on": False}) == {"ok": True}
        assert "s0" not in fed(b.peer)
        assert "sc" not in open_gates(a, b)
        assert await bob.ask("share_screen", {"on": True}) == {"ok": True}
        assert fed(a.peer)["s0"] == "sc"


async def test_sharer_who_is_lost_frees_the_screen(server: RunningServer) -> None:
    async with page(server) as bob:
        bob_joined = await bob.join("Bob")
        async with page(server) as ada:
            await ada.join()
            assert await ada.ask("share_screen", {"on": True}) == {"ok": True}
            await bob.roster(lambda roster: roster.participants[-1].screen)
        await bob.roster(lambda roster: roster.participants[-1].connection == "reconnecting")
        assert "s0" not in fed(member(server, bob_joined).peer)
        assert await bob.ask("share_screen", {"on": True}) == {"ok": True}


async def test_leaving_frees_the_slot(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        (ada, _), (bob, bob_joined) = await joined_pages(stack, server, 2)
        assert await ada.ask("leave") == {"ok": True}
        roster = await bob.roster(lambda roster: len(roster.participants) == 1)
        assert roster.participants[0].id == bob_joined.id
        assert fed(member(server, bob_joined).peer) == {}
        again = await ada.join("Ada again")
        assert member(server, again).slot == 0


async def test_full_room_and_full_server(start: Start) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(start(room_capacity=2, max_rooms=1))
        await joined_pages(stack, server, 2)
        third = await stack.enter_async_context(page(server))
        assert (await third.ask("join", await third.introduction()))["error"]["code"] == "room_full"
        elsewhere = await stack.enter_async_context(page(server, hello(server, "other")))
        assert (await elsewhere.ask("join", await elsewhere.introduction()))["error"][
            "code"
        ] == "server_full"


async def test_lost_socket_keeps_its_place_for_who_resumes(server: RunningServer) -> None:
    async with page(server) as watcher:
        await watcher.join("Watcher")
        async with page(server) as ada:
            joined = await ada.join()
            await watcher.roster(lambda roster: len(roster.participants) == 2)
        roster = await watcher.roster(
            lambda roster: roster.participants[-1].connection == "reconnecting"
        )
        assert roster.participants[1].id == joined.id
        async with page(server, hello(server, resume=joined.resume)) as back:
            again = await back.join("Ada", mic=False)
            assert again.id == joined.id
            assert again.sdp != joined.sdp
            assert member(server, again).slot == 1
            assert open_gates(member(server, again), server_member(server, "Watcher")) == {"ca"}
            roster = await watcher.roster(
                lambda roster: (
                    roster.participants[-1].connection == "connecting"
                    and roster.version >= again.roster.version
                )
            )
            assert len(roster.participants) == 2


def server_member(server: RunningServer, name: str) -> Member:
    return next(m for m in server.rooms.rooms["circle"].members.values() if m.name == name)


async def test_place_is_lost_after_the_grace_and_an_empty_room_closes(start: Start) -> None:
    async with start(rejoin_grace_s=0.01) as server:
        async with page(server) as watcher:
            await watcher.join("Watcher")
            async with page(server) as ada:
                await ada.join()
                await watcher.roster(lambda roster: len(roster.participants) == 2)
            await watcher.roster(lambda roster: len(roster.participants) == 1)
        async with asyncio.timeout(TIMEOUT_S):
            while server.rooms.rooms:
                await asyncio.sleep(0.01)
        assert server.relay.stats().peers == {}


async def test_resuming_in_another_tab_removes_the_first(server: RunningServer) -> None:
    async with page(server) as first:
        joined = await first.join()
        async with page(server, hello(server, resume=joined.resume)) as second:
            again = await second.join()
            assert again.id == joined.id
            assert (await first.event(Removed, lambda _: True)).code == "joined_elsewhere"
            async with asyncio.timeout(TIMEOUT_S):
                await first.disconnected.wait()
            assert [p.id for p in again.roster.participants] == [joined.id]
            assert again.roster.participants[0].connection == "connecting"


async def test_resume_survives_a_restart(start: Start) -> None:
    async with start() as server, page(server) as other, page(server) as ada:
        await other.join("Other")
        joined = await ada.join()
    async with start() as server, page(server, hello(server, resume=joined.resume)) as ada:
        again = await ada.join()
        assert (again.id, member(server, again).slot) == (joined.id, 1)
        assert again.roster.version > joined.roster.version


async def test_nobody_gets_the_id_of_someone_who_is_here(server: RunningServer) -> None:
    async with page(server) as ada, page(server) as thief, page(server) as bob:
        await ada.join()
        thief.member = ada.member
        answer = await thief.ask("join", await thief.introduction())
        assert answer["error"]["code"] == "identity_taken"
        assert (await bob.join("Bob")).roster.participants[0].name == "Ada"


async def test_who_lost_their_key_is_someone_new_in_the_same_slot(server: RunningServer) -> None:
    async with page(server) as bob:
        async with page(server) as ada:
            first = await ada.join()
            await bob.join("Bob")
        async with page(server, hello(server, resume=first.resume)) as back:
            back.member = None
            again = await back.join()
            assert again.id != first.id
            assert [(one.name, one.slot) for one in again.roster.participants] == [
                ("Ada", 0),
                ("Bob", 1),
            ]


async def test_resume_of_another_room_or_role_gives_nothing(server: RunningServer) -> None:
    async with page(server) as ada:
        joined = await ada.join()
        for greeting in (
            hello(server, "other", resume=joined.resume),
            hello(server, role="facilitator", resume=joined.resume),
            hello(server, resume="x"),
            hello(server, resume=hello(server)["token"]),
        ):
            async with page(server, greeting) as another:
                another.member = None  # with a key of their own
                assert (await another.join()).id != joined.id


def origin(offer: Offer) -> tuple[str, str]:
    """Session id and version."""
    _, session_id, version, *_ = offer.sdp.splitlines()[1].split()
    return session_id, version


@pytest.mark.usefixtures("ice_on_loopback")
async def test_media_connects_and_a_lost_connection_can_be_made_anew(server: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        (ada, ada_joined), (bob, bob_joined) = await joined_pages(stack, server, 2)
        connections = []
        for opened, joined in ((ada, ada_joined), (bob, bob_joined)):
            connection = await stack.enter_async_context(answered(joined.sdp))
            connections.append(connection)
            sdp = connection.localDescription.sdp
            assert await opened.ask("answer", {"sdp": sdp}) == {"ok": True}
        assert (await ada.ask("answer", {"sdp": sdp}))["error"]["code"] == "bad_answer"
        await ada.roster(
            lambda roster: [p.connection for p in roster.participants] == ["connected"] * 2
        )
        async with asyncio.timeout(TIMEOUT_S):
            while not all(
                peer.sent_packets and peer.received_packets
                for peer in server.relay.stats().peers.values()
            ):
                await asyncio.sleep(0.01)

        restarted = Offer.model_validate(await ada.ask("restart_ice"))
        assert origin(restarted) == (origin(ada_joined)[0], "2")

        await connections[1].close()
        await ada.roster(lambda roster: roster.participants[-1].connection == "reconnecting")
        assert (await bob.ask("restart_ice"))["error"]["code"] == "not_joined"
        again = await bob.join("P1")
        assert again.id == bob_joined.id
        connection = await stack.enter_async_context(answered(again.sdp))
        assert await bob.ask("answer", {"sdp": connection.localDescription.sdp}) == {"ok": True}
        latest = again.roster.version
        await ada.roster(
            lambda roster: (
                roster.version >= latest
                and [p.connection for p in roster.participants] == ["connected"] * 2
            )
        )


@pytest.mark.usefixtures("ice_on_loopback")
async def test_page_whose_media_is_lost_for_good_is_made_to_reconnect(start: Start) -> None:
    async with start(rejoin_grace_s=0.01) as server, page(server) as ada:
        joined = await ada.join()
        async with answered(joined.sdp) as connection:
            assert await ada.ask("answer", {"sdp": connection.localDescription.sdp}) == {"ok": True}
            await ada.roster(lambda roster: roster.participants[0].connection == "connected")
        async with asyncio.timeout(TIMEOUT_S):
            await ada.disconnected.wait()
        assert not any(isinstance(event, Removed) for event in ada.events)


async def test_a_link_that_expires_throws_nobody_out(server: RunningServer) -> None:
    """Who still has their place comes back to it; who has not needs a new link."""
    greeting = hello(server)
    expired = server.app[TOKENS].issue("circle", "participant", timedelta(seconds=-1))
    async with page(server, greeting) as ada:
        joined = await ada.join()
    back = {**greeting, "token": expired, "resume": joined.resume}
    async with page(server, back) as again:
        assert (await again.join()).id == joined.id
        assert await again.ask("leave") == {"ok": True}
    for late in (back, {**back, "resume": "nonsense"}):
        with pytest.raises(ConnectionError) as refused:
            await Page().open(server.url, late)
        assert refused.value.args[0]["data"]["code"] == "expired_token"


async def test_a_resume_of_another_role_gives_no_place(server: RunningServer) -> None:
    async with page(server, hello(server)) as ada:
        joined = await ada.join()
        greeting = hello(server, role="facilitator", resume=joined.resume)
        async with page(server, greeting) as fay:
            assert (await fay.join("Fay")).id != joined.id


async def test_an_answer_that_comes_too_late_is_refused(server: RunningServer) -> None:
    """Else the page would wait for media that cannot come, and be in no session."""
    async with page(server) as ada:
        joined = await ada.join()
        member(server, joined).peer.set_state("gone")
        refused = await ada.ask("answer", {"sdp": "v=0"})
        assert refused["error"]["code"] == "not_joined"
        again = await ada.join()
        assert again.id == joined.id
        await ada.answer(again)
