"""Simulated members share a group, with a delivery service between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from signaling.delivery import Delivery, Tell
from signaling.identity import Credential, person_id
from signaling.messages import (
    CatchUp,
    Chat,
    Commit,
    CommitDue,
    Committed,
    Message,
    Ok,
    Participant,
    Refusal,
    Renew,
    Renewed,
    Role,
    Roster,
    Waiting,
)
from signaling.mls import read_commit, read_key_package
from signaling.refusal import Refused
from simulated.group import CIPHERSUITE, GroupFailure, Member
from simulated.membership import Membership
from simulated.sealing import EpochKeys
from simulated.visitor import RequestRefused

GROUP = bytes(range(16))


def pair() -> tuple[Member, Member]:
    ada, ben = Member("Ada", "facilitator"), Member("Ben", "participant")
    ada.found(GROUP)
    draft = ada.add([ben.key_package()])
    ada.applied()
    assert draft.welcome is not None
    ben.join(GROUP, draft.welcome)
    return ada, ben


def test_an_id_is_the_fingerprint_of_the_key_in_the_key_package() -> None:
    ada = Member("Ada", "facilitator")
    first, second = (read_key_package(ada.key_package()) for _ in range(2))
    assert first.body != second.body
    for package in (first, second):
        package.verify()
        assert person_id(package.leaf.signature_key) == ada.id
        assert Credential.decode(package.leaf.identity) == Credential("Ada", "facilitator")


def test_members_export_the_same_key_and_know_the_same_leaves() -> None:
    ada, ben = pair()
    assert (ada.epoch, ben.epoch) == (1, 1)
    assert ada.epoch_keys() == replace(ben.epoch_keys(), own_leaf=0)
    assert ada.epoch_keys().leaves == {ada.id: 0, ben.id: 1}
    assert ben.epoch_keys().own_leaf == 1


def test_whoever_is_removed_gets_no_further() -> None:
    ada, ben = pair()
    draft = ada.remove([1])
    commit = read_commit(draft.commit)
    assert (commit.epoch, commit.removes, commit.adds) == (1, (1,), ())
    ada.applied()
    assert ada.epoch_keys().leaves == {ada.id: 0}
    with pytest.raises(GroupFailure):
        ben.process(draft.commit)
    assert not ben.is_in


def test_a_commit_that_lost_is_dropped() -> None:
    ada, ben = pair()
    carl, dora = Member("Carl", "participant"), Member("Dora", "participant")
    winner, loser = ada.add([carl.key_package()]), ben.add([dora.key_package()])
    ada.applied()
    ben.process(winner.commit)
    assert not ben.pending
    assert ada.epoch_keys().base_key == ben.epoch_keys().base_key
    with pytest.raises(GroupFailure):
        ada.process(loser.commit)
    later = ben.add([dora.key_package()])
    ben.applied()
    ada.process(later.commit)
    assert set(ada.epoch_keys().leaves) == {ada.id, ben.id, carl.id, dora.id}


def test_chat_to_everyone_is_read_and_private_chat_is_not() -> None:
    ada, ben = pair()
    lengths = set()
    for text in ("Hello!", "Grüße an alle 🌿", "x" * 230, "x" * 300):
        message = ada.write_chat(text)
        lengths.add(len(message))
        assert ben.read_chat(message) == text
    assert len(lengths) == 2
    assert ben.read_chat(ada.write_chat("once")[:-1]) is None


# --- through the delivery service ---------------------------------------------------------------


class Service:
    """A delivery service and the pages that it serves, with the post between them."""

    def __init__(self) -> None:
        self.delivery = Delivery(CIPHERSUITE)
        self.pages: dict[str, Page] = {}
        self.versions = count()

    def roster(self) -> Roster:
        people = [
            Participant(
                id=page.id, name=page.member.name, role=page.member.role, slot=slot,
                mic=True, camera=True, screen=False, connection="connected",
            )
            for slot, page in enumerate(self.pages.values())
        ]  # fmt: skip
        return Roster(version=next(self.versions), participants=people, whole_frames=False)

    def send(self, tells: list[Tell]) -> None:
        for tell in tells:
            if tell.to in self.pages:
                self.pages[tell.to].take(tell.message)

    async def enter(self, page: Page, *, back: bool = False) -> None:
        member = page.member
        package = member.key_package()
        assert self.delivery.check(package, member.name, member.role, time.time()) == member.id
        self.pages[member.id] = page
        position = page.membership.position if back else None
        page.membership.forget_events()
        standing, tells = self.delivery.join(member.id, member.role, package, position, now())
        for other in self.pages.values():
            other.take(self.roster())
        self.send(tells)
        await page.membership.start(standing, self.roster(), page.request)

    async def lose(self, page: Page) -> None:
        await page.membership.stop()
        self.send(self.delivery.away(page.id, now()))

    async def leave(self, page: Page) -> None:
        await page.membership.stop()
        del self.pages[page.id]
        self.send(self.delivery.leave(page.id, now()))

    async def agree(self, *pages: Page) -> None:
        """Until these, and nobody else, have the same keys."""
        async with asyncio.timeout(10):
            while True:
                keys = [page.keys for page in pages]
                if all(keys) and len({(one.epoch, one.base_key) for one in keys if one}) == 1:
                    assert keys[0] is not None
                    if set(keys[0].leaves) == {page.id for page in pages}:
                        return
                await asyncio.sleep(0.01)
                self.send(self.delivery.tick(now()))


class Page:
    def __init__(self, service: Service, name: str, role: Role = "participant") -> None:
        self.service = service
        self.member = Member(name, role)
        self.membership = Membership(self.member, self)
        self.keys: EpochKeys | None = None
        self.read: list[tuple[str, str]] = []
        self.lost: set[type[Message]] = set()
        """Kinds of events that do not reach this page."""
        self.unanswered: set[str] = set()
        """Requests that arrive, but whose answers do not."""
        self.turned: list[Committed] | None = None
        """Where commits are kept back, to be given in another order."""

    @property
    def id(self) -> str:
        return self.member.id

    def epoch_began(self, keys: EpochKeys | None) -> None:
        self.keys = keys

    def chat_came(self, sender: str, text: str) -> None:
        self.read.append((sender, text))

    def take(self, event: Message) -> None:
        if self.turned is not None and isinstance(event, Committed):
            self.turned.append(event)
        elif type(event) not in self.lost:
            self.membership.take(event)

    async def request(self, name: str, payload: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        try:
            answer = self.answer(name, payload).model_dump()
            if name in self.unanswered:
                raise ConnectionError("the connection is lost")
            return answer
        except Refused as refused:
            raise RequestRefused(name, refused.code) from None

    def answer(self, name: str, payload: dict[str, Any]) -> Ok | Refusal:
        service = self.service
        match name:
            case "commit":
                commit = Commit.model_validate(payload)
                service.send(service.delivery.commit(self.id, commit, now()))
            case "catch_up":
                return service.delivery.catch_up(self.id, CatchUp.model_validate(payload))
            case "renew":
                renew = Renew.model_validate(payload)
                standing, tells = service.delivery.renew(self.id, renew.key_package, now())
                service.send(tells)
                return Renewed(group=standing)
            case "chat":
                service.send(service.delivery.chat(self.id, Chat.model_validate(payload)))
        return Ok()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition. Raises TimeoutError."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    opened = Service()
    yield opened
    for page in opened.pages.values():
        await page.membership.stop()


async def test_people_come_and_go(service: Service) -> None:
    pages = [Page(service, "Fay", "facilitator"), *(Page(service, name) for name in "ABCD")]
    for present, page in enumerate(pages, 1):
        await service.enter(page)
        await service.agree(*pages[:present])
    await service.leave(pages[0])
    await service.leave(pages[2])
    await service.agree(pages[1], *pages[3:])
    latecomer = Page(service, "E")
    await service.enter(latecomer)
    await service.agree(pages[1], *pages[3:], latecomer)


async def test_everyone_at_once(service: Service) -> None:
    pages = [Page(service, name) for name in "ABCDEF"]
    await asyncio.gather(*(service.enter(page) for page in pages))
    await service.agree(*pages)


async def test_who_comes_back_with_their_state_stays_who_they_are(service: Service) -> None:
    ada, ben, cai, dan = (Page(service, name) for name in ("Ada", "Ben", "Cai", "Dan"))
    for page in (ada, ben, cai):
        await service.enter(page)
    await service.agree(ada, ben, cai)
    leaf = ben.keys.leaves[ben.id] if ben.keys else None
    await service.lose(ben)
    await service.enter(dan)
    await until(lambda: dan.keys is not None)
    await service.enter(ben, back=True)
    await service.agree(ada, ben, cai, dan)
    assert ben.keys is not None
    assert ben.keys.leaves[ben.id] == leaf


async def test_a_commit_counts_though_its_sender_never_learned_that_it_was_taken(
    service: Service,
) -> None:
    ada, ben, cai = (Page(service, name) for name in ("Ada", "Ben", "Cai"))
    await service.enter(ada)
    await service.enter(ben)
    await service.agree(ada, ben)
    ada.unanswered.add("commit")
    await service.enter(cai)
    await until(lambda: cai.keys is not None)
    assert ada.keys is not None
    assert cai.id not in ada.keys.leaves
    await service.lose(ada)
    await service.enter(ada, back=True)
    await service.agree(ada, ben, cai)


async def test_who_has_lost_their_state_comes_in_anew(service: Service) -> None:
    ada, ben = Page(service, "Ada"), Page(service, "Ben")
    await service.enter(ada)
    await service.enter(ben)
    await service.agree(ada, ben)
    before = ada.keys
    await service.lose(ben)
    ben.keys = None
    ben.member.forget()
    await service.enter(ben)
    await service.agree(ada, ben)
    assert before is not None
    assert ben.member.epoch == before.epoch + 2  # removed, then added: mls-rs needs two commits


async def test_commits_that_come_out_of_order_wait_for_each_other(service: Service) -> None:
    ada, ben, *others = (Page(service, name) for name in ("Ada", "Ben", "Cai", "Dan"))
    await service.enter(ada)
    await service.enter(ben)
    await service.agree(ada, ben)
    ben.turned = []
    for other in others:
        await service.enter(other)
        await until(partial(getattr, other, "keys"))
    first, second = ben.turned
    ben.membership.take(second)
    ben.membership.take(first)
    await service.agree(ada, ben, *others)


async def test_a_commit_that_never_came_is_asked_for(service: Service) -> None:
    ada, ben, cai, dan = (Page(service, name) for name in ("Ada", "Ben", "Cai", "Dan"))
    await service.enter(ada)
    await service.enter(ben)
    await service.agree(ada, ben)
    ben.lost.add(Committed)
    await service.enter(cai)
    await until(lambda: cai.keys is not None)
    ben.lost.clear()
    await service.enter(dan)
    await service.agree(ada, ben, cai, dan)


async def test_whoever_does_not_commit_in_time_is_replaced(service: Service) -> None:
    ada, ben, cai = (Page(service, name) for name in ("Ada", "Ben", "Cai"))
    await service.enter(ada)
    await service.enter(ben)
    await service.agree(ada, ben)
    ada.lost.add(CommitDue)
    await service.enter(cai)
    await service.agree(ada, ben, cai)


async def test_chat_reaches_everyone(service: Service) -> None:
    pages = [Page(service, name) for name in "ABC"]
    for page in pages:
        await service.enter(page)
    await service.agree(*pages)
    message = pages[0].member.write_chat("Good to see you.")
    await pages[0].request("chat", Chat(audience="room", message=message).model_dump())
    await until(lambda: pages[1].read and pages[2].read)
    assert pages[1].read == pages[2].read == [(pages[0].id, "Good to see you.")]


async def test_nobody_is_added_whom_the_room_does_not_show_like_that(service: Service) -> None:
    ada, eve = Page(service, "Ada"), Member("Eve", "participant")
    await service.enter(ada)
    assert ada.keys is not None
    requests: list[str] = []

    async def request(name: str, _payload: dict[str, Any]) -> dict[str, Any]:
        requests.append(name)
        return Ok().model_dump()

    await ada.membership.stop()
    ada.membership._request = request
    package = eve.key_package()
    of_eve = Participant(
        id=eve.id, name="Eve", role="participant", slot=1,
        mic=True, camera=True, screen=False, connection="connected",
    )  # fmt: skip
    someone_else = Member("Eve", "participant")
    for shown in (
        [],
        [of_eve.model_copy(update={"name": "Bob"})],
        [of_eve.model_copy(update={"role": "facilitator"})],
        [of_eve.model_copy(update={"id": someone_else.id})],
    ):
        for claimed in (eve.id, someone_else.id):
            roster = Roster(version=100, participants=shown, whole_frames=False)
            await ada.membership._handle(roster)
            waiting = [Waiting(id=claimed, key_package=package)]
            due = CommitDue(group=ada.member.group_id, epoch=0, add=waiting, remove=[])
            await ada.membership._handle(due)
            assert not requests
    await ada.membership._handle(
        CommitDue(
            group=ada.member.group_id,
            epoch=0,
            add=[Waiting(id=eve.id, key_package=package)],
            remove=[],
        )
    )
    assert not requests
    roster = Roster(version=101, participants=[of_eve], whole_frames=False)
    await ada.membership._handle(roster)
    assert requests == ["commit"]
    assert set(ada.keys.leaves) == {ada.id, eve.id}


async def test_a_welcome_to_another_group_is_not_taken() -> None:
    ada, ben = Member("Ada", "facilitator"), Member("Ben", "participant")
    ada.found(GROUP)
    draft = ada.add([ben.key_package()])
    assert draft.welcome is not None
    with pytest.raises(GroupFailure):
        ben.join(bytes(16), draft.welcome)
    assert not ben.is_in
