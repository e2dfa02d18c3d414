"""The moderation engine at work in a live room, on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any, get_args

import pytest

from moderation import events
from server.admission import Place
from server.app import RunningServer
from signaling import messages as m
from signaling.messages import EVENTS, FACILITATORS, PARTICIPANTS, REQUESTS, Message, Role
from tests.page import Page, hello, page

PEOPLE: dict[str, Role] = {
    "Fay": "facilitator",
    "Gus": "facilitator",
    "Ada": "participant",
    "Ben": "participant",
}


@dataclass
class Someone:
    """A page that is in the session: it has answered the offer, though no media flows."""

    page: Page
    id: str
    role: Role

    def heard(self, since: int) -> list[Message]:
        """What came after the first `since` events, rosters and the MLS group's left out."""
        left_out = {m.Roster, *OF_THE_GROUP}
        return [event for event in self.page.events[since:] if type(event) not in left_out]


@pytest.fixture
async def circle(server: RunningServer) -> AsyncIterator[dict[str, Someone]]:
    async with AsyncExitStack() as stack:
        people: dict[str, Someone] = {}
        for name, role in PEOPLE.items():
            opened = await stack.enter_async_context(page(server, hello(server, role=role)))
            joined = await opened.join(name)
            await opened.answer(joined)
            people[name] = Someone(opened, joined.id, role)
        for someone in people.values():
            await someone.page.event(m.Own, lambda _: True)
            await someone.page.event(m.Floor, lambda floor: floor.attended)
        yield people


async def settle(people: dict[str, Someone]) -> None:
    """Until what is on its way has come: a question and its answer for each socket, and a bit."""
    await asyncio.sleep(0.3)
    for someone in people.values():
        await someone.page.ask("media", {"mic": True, "camera": True})


OF_THE_GROUP: set[type[Message]] = {
    m.CommitDue,
    m.FoundGroup,
    m.Committed,
    m.GroupWelcome,
    m.ChatMessage,
}
FLOOR_ONLY: set[type[Message]] = {m.Floor}
FOR_FACILITATORS: set[type[Message]] = {m.People, m.Alert, m.WaitingRoom}
TO_ONESELF: set[type[Message]] = {
    m.InWaitingRoom,
    m.LetIn,
    m.Own,
    m.YourTurn,
    m.TurnEndingSoon,
    m.TurnEnded,
    m.Muted,
    m.Unmuted,
    m.Invited,
    m.OwnShare,
    m.Nudge,
    m.HelpReceived,
    m.HelpSeen,
}

SYLLABLE = (50, 38, 28, 24, 22, 24, 28, 34, 42, 52)
"""Levels in -dBov over the 0.2 s of a syllable."""


async def test_who_talks_over_someone_is_the_only_one_to_be_told(
    circle: dict[str, Someone], server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    talking: set[str] = set()
    frames = count()

    def levels() -> dict[str, tuple[int, bool]]:
        level = SYLLABLE[next(frames) % len(SYLLABLE)]
        return {
            someone.id: (level, True) if someone.id in talking else (75, False)
            for someone in circle.values()
        }

    room = server.rooms.rooms["circle"]
    monkeypatch.setattr(room, "levels", levels)
    await asyncio.sleep(1)
    talking.add(circle["Ada"].id)
    await asyncio.sleep(4)
    since = {name: len(someone.page.events) for name, someone in circle.items()}
    talking.add(circle["Ben"].id)
    muted = await circle["Ben"].page.event(m.Muted, lambda _: True)
    assert muted.reason == "short_mute"
    await circle["Ben"].page.event(m.Own, lambda own: own.muted == "short_mute")
    await settle(circle)
    for name, someone in circle.items():
        got = {type(event) for event in someone.heard(since[name])}
        about_oneself = {m.Nudge, m.Muted, m.Own}
        if name == "Ben":
            assert about_oneself <= got
        elif someone.role == "facilitator":
            assert got <= FOR_FACILITATORS | {m.Floor}
        else:
            assert got <= {m.Floor, m.OwnShare}


def private_requests(people: dict[str, Someone]) -> list[tuple[str, str, dict[str, Any], set[str]]]:
    """Who asks what, and who besides facilitators may get anything other than the floor of it."""
    ada = people["Ada"].id
    return [
        ("Ada", "ask_help", {}, {"Ada"}),
        ("Ada", "rate_distress", {"rating": 9}, {"Ada"}),
        ("Fay", "mute_person", {"who": ada}, {"Ada"}),
        ("Fay", "unmute_person", {"who": ada}, {"Ada"}),
        ("Fay", "invite", {"to": ada}, {"Ada"}),
        ("Fay", "forgive", {"who": ada}, {"Ada"}),
        ("Fay", "set_ladder", {"on": False}, set()),
        ("Fay", "acknowledge_alert", {"alert": 1}, {"Ada"}),
    ]


async def test_private_things_reach_only_whom_they_are_for(circle: dict[str, Someone]) -> None:
    await settle(circle)
    for asker, request, payload, also in private_requests(circle):
        since = {name: len(someone.page.events) for name, someone in circle.items()}
        reply = await circle[asker].page.ask(request, payload)
        assert reply.get("ok"), (request, reply)
        await settle(circle)
        for name, someone in circle.items():
            got = {type(event) for event in someone.heard(since[name])}
            allowed = set(FLOOR_ONLY) | {m.OwnShare}
            if someone.role == "facilitator":
                allowed |= FOR_FACILITATORS | TO_ONESELF
            elif name in also:
                allowed |= TO_ONESELF
            assert got <= allowed, (request, name, got - allowed)


def example(request: str, people: dict[str, Someone]) -> dict[str, Any]:
    """A payload that fits the request's model."""
    ada = people["Ada"].id
    payloads: dict[str, dict[str, Any]] = {
        "join": {"name": "Eve", "mic": True, "camera": True, "key_package": b"?"},
        "commit": {"group": bytes(16), "epoch": 0, "commit": b"?"},
        "catch_up": {"group": bytes(16), "epoch": 0},
        "renew": {"key_package": b"?"},
        "chat": {"audience": "room", "message": b"?"},
        "knock": {"mls_id": "A" * 22},
        "answer": {"sdp": "v=0"},
        "media": {"mic": True, "camera": True},
        "share_screen": {"on": False},
        "rate_distress": {"rating": 3},
        "grant_floor": {"to": ada},
        "reorder_queue": {"order": []},
        "set_queue_order": {"order": "first_come"},
        "extend_turn": {"seconds": 30},
        "invite": {"to": ada},
        "set_format": {"format": "queue"},
        "set_phase": {"phase": "work"},
        "mute_person": {"who": ada, "seconds": None},
        "unmute_person": {"who": ada},
        "forgive": {"who": ada},
        "set_ladder": {"on": True},
        "acknowledge_alert": {"alert": 1},
        "admit": {"who": ["nobody"]},
        "turn_away": {"who": "nobody", "message": "Please come back later."},
        "remove_person": {"who": "nobody", "keep_out": False},
        "show_text": {"kind": "part2_notice"},
    }
    return payloads.get(request, {})


async def test_each_request_is_refused_to_who_may_not_make_it(circle: dict[str, Someone]) -> None:
    for name in ("Ada", "Fay"):
        someone = circle[name]
        for request, (_, _, roles) in REQUESTS.items():
            if someone.role in roles:
                continue
            reply = await someone.page.ask(request, example(request, circle))
            expected = "not_facilitator" if roles == FACILITATORS else "not_participant"
            assert roles in (FACILITATORS, PARTICIPANTS)
            assert reply["error"]["code"] == expected, request


async def test_every_request_of_the_engine_is_answered(circle: dict[str, Someone]) -> None:
    """Whatever a facilitator or participant may ask is done or refused with a reason, not lost."""
    known = set(get_args(m.ErrorCode)) - {"internal", "malformed", "unknown_event"}
    for name in ("Ada", "Fay"):
        someone = circle[name]
        for request, (_, _, roles) in REQUESTS.items():
            if someone.role not in roles or request in ("join", "leave"):
                continue
            reply = await someone.page.ask(request, example(request, circle))
            assert reply.get("ok") or reply["error"]["code"] in known, (request, reply)


async def test_the_floor_goes_round(circle: dict[str, Someone]) -> None:
    fay, ada, ben = circle["Fay"], circle["Ada"], circle["Ben"]
    assert (await fay.page.ask("set_format", {"format": "queue"}))["ok"]
    await ada.page.event(m.Own, lambda own: own.muted == "not_your_turn")
    assert (await ada.page.ask("request_floor"))["ok"]
    assert (await ben.page.ask("request_floor"))["ok"]
    await ada.page.event(m.YourTurn, lambda _: True)
    await ben.page.event(m.Floor, lambda floor: floor.holder == ada.id and floor.queue == [ben.id])
    assert (await ada.page.ask("release_floor"))["ok"]
    await ben.page.event(m.Floor, lambda floor: floor.holder == ben.id)
    await ben.page.event(m.YourTurn, lambda _: True)
    reply = await ada.page.ask("release_floor")
    assert reply["error"] == {
        "code": "not_your_turn",
        "message": "It is not your turn just now.",
    }


async def test_gates_follow_the_engine(circle: dict[str, Someone], server: RunningServer) -> None:
    room = server.rooms.rooms["circle"]
    members = room.members
    ada, ben = members[circle["Ada"].id], members[circle["Ben"].id]
    voice = ada.peer.sources["mi"]
    assert ben.peer.transport in voice.open_to
    assert (await circle["Fay"].page.ask("mute_person", {"who": ada.id}))["ok"]
    assert ben.peer.transport not in voice.open_to
    # what one's own page says does not open what the engine has closed
    assert (await circle["Ada"].page.ask("media", {"mic": True, "camera": True}))["ok"]
    assert ben.peer.transport not in voice.open_to
    assert (await circle["Fay"].page.ask("unmute_person", {"who": ada.id}))["ok"]
    assert ben.peer.transport in voice.open_to
    assert (await circle["Ada"].page.ask("media", {"mic": False, "camera": True}))["ok"]
    assert ben.peer.transport not in voice.open_to


async def test_a_returning_page_is_told_how_things_stand(
    circle: dict[str, Someone], server: RunningServer
) -> None:
    fay, ada = circle["Fay"], circle["Ada"]
    assert (await fay.page.ask("set_format", {"format": "queue"}))["ok"]
    assert (await ada.page.ask("request_floor"))["ok"]
    await ada.page.event(m.Own, lambda own: own.holding)
    resumed = next(
        member for member in server.rooms.rooms["circle"].members.values() if member.id == ada.id
    )
    token = server.rooms.resume.issue(Place(resumed.id, "circle", resumed.slot, "participant"))
    async with page(server, hello(server, resume=token)) as again:
        joined = await again.join("Ada")
        assert joined.id == ada.id
        await again.answer(joined)
        own = await again.event(m.Own, lambda _: True)
        floor = await again.event(m.Floor, lambda _: True)
        assert own.holding
        assert floor.holder == ada.id
        assert floor.format == "queue"


async def test_a_page_that_cannot_be_told_keeps_no_word_from_the_others(
    circle: dict[str, Someone], server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Message) -> None:
        raise RuntimeError("broken")

    members = server.rooms.rooms["circle"].members
    monkeypatch.setattr(members[circle["Fay"].id].page, "emit", broken)
    assert (await circle["Fay"].page.ask("set_format", {"format": "queue"}))["ok"]
    await circle["Ben"].page.event(m.Floor, lambda floor: floor.format == "queue")
    assert (await circle["Ada"].page.ask("request_floor"))["ok"]
    await circle["Ada"].page.event(m.YourTurn, lambda _: True)


async def test_leaving_and_coming_back_ends_no_mute(
    circle: dict[str, Someone], server: RunningServer
) -> None:
    fay, ada = circle["Fay"], circle["Ada"]
    room = server.rooms.rooms["circle"]
    slot = room.members[ada.id].slot
    assert (await fay.page.ask("mute_person", {"who": ada.id}))["ok"]
    assert (await ada.page.ask("leave"))["ok"]
    token = server.rooms.resume.issue(Place(ada.id, "circle", slot, "participant"))
    async with page(server, hello(server, resume=token)) as again:
        await again.answer(await again.join("Ada"))
        await again.event(m.Own, lambda own: own.muted == "facilitator_mute")
        assert not room.members[ada.id].may_speak


async def test_facilitators_can_be_told_much_at_once(
    circle: dict[str, Someone], server: RunningServer
) -> None:
    """A burst is no reason to take a page for one that does not read, and to close it."""
    moderator = server.rooms.rooms["circle"].moderator
    for number in range(300):
        guest = f"guest-{number}"
        moderator.joined(guest, "Guest", "participant")
        moderator.command(events.AskHelp(guest))
        moderator.left(guest)
    for name in ("Fay", "Gus"):
        await circle[name].page.event(m.Alert, lambda alert: alert.about == "guest-299")
        assert not circle[name].page.disconnected.is_set()


def test_every_event_of_the_wire_is_sorted_by_who_may_see_it() -> None:
    to_all: set[type[Message]] = {
        m.Welcome,
        m.Roster,
        m.Stopping,
        m.Removed,
        m.Floor,
        m.ShownText,
    }
    assert set(EVENTS.values()) == to_all | OF_THE_GROUP | TO_ONESELF | FOR_FACILITATORS
