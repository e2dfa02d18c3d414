from __future__ import annotations

import json
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from time import time

import mls_rs_uniffi as mls_rs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from signaling.delivery import (
    LOG_EPOCHS,
    LOG_S,
    MAX_LEAVES,
    TURN_S,
    Admission,
    Delivery,
    Tell,
    new_group_id,
)
from signaling.identity import person_id
from signaling.messages import (
    MAX_SLOTS,
    Audience,
    CatchUp,
    Chat,
    ChatMessage,
    Commit,
    CommitDue,
    Committed,
    FoundGroup,
    GroupPosition,
    GroupStanding,
    GroupWelcome,
    Message,
    Role,
)
from signaling.mls import read_key_package, read_ratchet_tree
from signaling.refusal import Refused
from tests.signaling.mls_pages import SUITE, MlsPage

X_WING_PACKAGE = b64decode(
    json.loads((Path(__file__).parent / "data" / "xwing.json").read_text())["key_package"]
)


def vector(*items: bytes) -> bytes:
    """RFC 9420 section 2.1.2."""
    content = b"".join(items)
    length = len(content)
    if length < 64:
        return length.to_bytes(1) + content
    return (length | (1 << 14 if length < 1 << 14 else 2 << 30)).to_bytes(
        2 if length < 1 << 14 else 4
    ) + content


def handmade_commit(
    position: GroupPosition,
    sender_leaf: int,
    adds: Iterable[bytes] = (),
    removes: Iterable[int] = (),
    path: MlsPage | None = None,
) -> bytes:
    """One that a service, which cannot check signatures and tags, takes for real."""
    proposals = [b"\1\0\1" + package[4:] for package in adds]
    proposals += [b"\1\0\3" + leaf.to_bytes(4) for leaf in removes]
    update = b"\0"
    if path is not None:
        leaf = read_key_package(path.key_package()).leaf
        capabilities = [vector(b"\0\1"), vector(b"\0\1"), vector(), vector(), vector(b"\0\1")]
        leaf_node = [vector(leaf.encryption_key), vector(leaf.signature_key), b"\0\1"]
        leaf_node += [vector(leaf.identity), *capabilities, b"\3", vector(), vector(), vector()]
        update = b"".join([b"\1", *leaf_node, vector()])
    head = b"\0\1\0\1" + vector(position.group) + position.epoch.to_bytes(8)
    head += b"\1" + sender_leaf.to_bytes(4) + vector() + b"\3"
    return head + vector(*proposals) + update + vector() * 3


def handmade_welcome(*refs: bytes, suite: int = 1) -> bytes:
    secrets = [vector(ref) + vector() * 2 for ref in refs]
    return b"\0\1\0\3" + suite.to_bytes(2) + vector(*secrets) + vector()


def ref(package: bytes) -> bytes:
    return read_key_package(package).ref()


class Room:
    """A delivery service with pages of real MLS members, whose post arrives at once."""

    def __init__(self, *pages: MlsPage) -> None:
        numbers = count(1)
        self.delivery = Delivery(SUITE, lambda: next(numbers).to_bytes(16))
        self.now = 100.0
        self.pages: dict[str, MlsPage] = {}
        self.packages: dict[str, bytes] = {}
        """Each one's latest."""
        self.tells: list[Tell] = []
        """By the latest call."""
        for page in pages:
            self.join(page)
        if pages[1:]:
            self.add(pages[0], *pages[1:])
        self.now += 10.0

    @property
    def position(self) -> GroupPosition:
        return GroupPosition(group=self.delivery.group, epoch=self.delivery.epoch)

    def join(self, page: MlsPage, position: GroupPosition | None = None) -> GroupStanding:
        self.pages[page.id] = page
        self.packages[page.id] = package = page.key_package()
        person = self.delivery.check(package, page.name, page.role, time())
        assert person == page.id
        standing, tells = self.delivery.join(person, page.role, package, position, self.now)
        if standing.standing == "founder":
            page.found(standing.group)
        for commit in standing.commits:
            page.process(commit)
        self.post(tells)
        return standing

    def renew(self, page: MlsPage) -> GroupStanding:
        page.forget()
        self.packages[page.id] = package = page.key_package()
        standing, tells = self.delivery.renew(page.id, package, self.now)
        if standing.standing == "founder":
            page.found(standing.group)
        self.post(tells)
        return standing

    def away(self, *pages: MlsPage) -> None:
        for page in pages:
            self.post(self.delivery.away(page.id, self.now))

    def leave(self, page: MlsPage) -> None:
        self.post(self.delivery.leave(page.id, self.now))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.post(self.delivery.tick(self.now))

    def commit(self, page: MlsPage, commit: bytes, welcome: bytes | None = None) -> None:
        message = Commit(**dict(self.position), commit=commit, welcome=welcome)
        tells = self.delivery.commit(page.id, message, self.now)
        if page.group is not None:
            page.process(commit)
        self.post(tells)

    def add(self, committer: MlsPage, *pages: MlsPage) -> None:
        self.commit(committer, *committer.add(*(self.packages[page.id] for page in pages)))

    def remove(self, committer: MlsPage, *pages: MlsPage) -> None:
        self.commit(committer, committer.remove(*pages))

    def post(self, tells: list[Tell]) -> None:
        self.tells = tells
        for to, message in tells:
            match message:
                case Committed():
                    self.pages[to].process(message.commit)
                case GroupWelcome():
                    self.pages[to].enter(message.welcome)
                case FoundGroup():
                    self.pages[to].found(message.group)

    def told(self, page: MlsPage) -> list[Message]:
        return [message for to, message in self.tells if to == page.id]

    def due(self, page: MlsPage) -> CommitDue:
        """What this page, and nobody else, was told to commit."""
        [(to, message)] = [tell for tell in self.tells if isinstance(tell.message, CommitDue)]
        assert to == page.id
        assert isinstance(message, CommitDue)
        return message

    def nobody_is_told_to_commit(self) -> bool:
        return not any(isinstance(tell.message, CommitDue) for tell in self.tells)


def people(*names: str, facilitator: bool = True) -> list[MlsPage]:
    """The first of them a facilitator."""
    roles: list[Role] = ["facilitator" if facilitator else "participant"]
    roles += ["participant"] * (len(names) - 1)
    return [MlsPage(name, role) for name, role in zip(names, roles, strict=True)]


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(Refused) as error:
        action()
    assert error.value.sentence
    return error.value.code


# --- key packages -------------------------------------------------------------------------------


def test_a_key_package_gives_its_owner_s_id() -> None:
    [ada] = people("Ada")
    assert Delivery(SUITE).check(ada.key_package(), "Ada", "facilitator", time()) == ada.id


def test_key_packages_that_do_not_fit() -> None:
    [ada] = people("Ada")
    package, now = ada.key_package(), time()
    delivery = Delivery(SUITE)
    nobody = MlsPage("  ")
    year = 366 * 86_400
    forged = package[:-1] + bytes([package[-1] ^ 1])
    for check in (
        lambda: delivery.check(package, "Ben", "facilitator", now),
        lambda: delivery.check(package, "Ada", "participant", now),
        lambda: delivery.check(forged, "Ada", "facilitator", now),
        lambda: delivery.check(package[4:], "Ada", "facilitator", now),
        lambda: delivery.check(package, "Ada", "facilitator", now - year),
        lambda: delivery.check(package, "Ada", "facilitator", now + year),
        lambda: delivery.check(X_WING_PACKAGE, "Ben", "participant", now),
        lambda: delivery.check(nobody.key_package(), "  ", "participant", now),
    ):
        assert refused(check) == "bad_key_package"
    x_wing = Delivery("MLS_256_XWING_AES256GCM_SHA512_Ed25519")
    assert x_wing.check(X_WING_PACKAGE, "Ben", "participant", now)
    assert refused(lambda: x_wing.check(package, "Ada", "facilitator", now)) == "bad_key_package"


def test_a_used_key_package_is_not_used_again() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)
    for page in (ada, ben):
        package = room.packages[page.id]
        check = room.delivery.check
        assert (
            refused(lambda: check(package, page.name, page.role, time()))  # noqa: B023
            == "bad_key_package"
        )


# --- founding and adding ------------------------------------------------------------------------


def test_the_first_to_come_founds_the_group() -> None:
    [ada] = people("Ada")
    room = Room()
    assert room.join(ada) == GroupStanding(group=(1).to_bytes(16), standing="founder", commits=[])
    assert (room.delivery.epoch, room.delivery.leaves) == (0, [ada.id])
    assert room.tells == []
    assert room.delivery.deadline is None


def test_nothing_is_due_in_an_empty_room() -> None:
    room = Room()
    room.pass_time(TURN_S)
    room.leave(MlsPage("Ben"))
    assert room.tells == []
    assert room.delivery.deadline is None


def test_the_next_waits_and_a_member_is_told_to_add_them() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada)
    standing = room.join(ben)
    assert (standing.group, standing.standing) == (room.delivery.group, "waiting")
    due = room.due(ada)
    assert (due.group, due.epoch, due.remove) == (room.delivery.group, 0, [])
    assert [(one.id, one.key_package) for one in due.add] == [(ben.id, room.packages[ben.id])]
    assert room.delivery.deadline == room.now + TURN_S


def test_a_commit_goes_to_the_others_and_the_welcome_to_those_added() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben)
    room.join(cleo)
    room.join(dan)
    commit, welcome = ada.add(room.packages[cleo.id], room.packages[dan.id])
    group = room.delivery.group
    room.commit(ada, commit, welcome)
    assert room.told(ada) == []
    assert room.told(ben) == [Committed(group=group, epoch=1, commit=commit)]
    for page in (cleo, dan):
        assert room.told(page) == [GroupWelcome(group=group, welcome=welcome)]
    assert room.delivery.epoch == 2
    assert room.delivery.leaves == [ada.id, ben.id, cleo.id, dan.id]
    assert len({page.secret() for page in (ada, ben, cleo, dan)}) == 1


def test_newcomers_sit_at_the_leftmost_blank_leaf() -> None:
    ada, ben, cleo, dan, eve, fay = people("Ada", "Ben", "Cleo", "Dan", "Eve", "Fay")
    room = Room(ada, ben, cleo, dan)
    room.leave(ben)
    room.leave(dan)
    room.remove(ada, ben, dan)
    assert room.delivery.leaves == [ada.id, None, cleo.id]
    room.join(eve)
    room.join(fay)
    room.add(cleo, eve, fay)
    assert room.delivery.leaves == [ada.id, eve.id, cleo.id, fay.id]
    tree = [leaf and person_id(leaf.signature_key) for leaf in read_ratchet_tree(ada.tree())]
    assert tree == room.delivery.leaves


def test_a_leaf_that_one_commit_frees_is_taken_by_whom_it_adds() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben, cleo)
    room.leave(ben)
    room.join(dan)
    ada.group = None  # its page does both at once, which mls-rs for Python cannot
    package = room.packages[dan.id]
    commit = handmade_commit(room.position, 0, [package], [1], ada)
    message = Commit(**dict(room.position), commit=commit, welcome=handmade_welcome(ref(package)))
    room.delivery.commit(ada.id, message, room.now)
    assert room.delivery.leaves == [ada.id, dan.id, cleo.id]


def test_no_more_people_than_a_room_holds() -> None:
    pages = people(*map(str, range(MAX_SLOTS + 1)))
    room = Room(*pages[:-1])
    assert refused(lambda: room.join(pages[-1])) == "room_full"


# --- commits that are refused -------------------------------------------------------------------


def test_the_first_commit_of_an_epoch_wins() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben)
    room.join(cleo)
    late = Commit(**dict(room.position), commit=ben.add(room.packages[cleo.id])[0])
    room.add(ada, cleo)
    assert refused(lambda: room.delivery.commit(ben.id, late, room.now)) == "stale_epoch"
    assert len({page.secret() for page in (ada, ben, cleo)}) == 1


@pytest.mark.parametrize("changed", [{"epoch": 0}, {"epoch": 2}, {"group": bytes(16)}])
def test_a_commit_for_another_epoch_or_group(changed: dict[str, object]) -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben)
    room.join(cleo)
    commit, welcome = ada.add(room.packages[cleo.id])
    message = Commit.model_validate(
        {**dict(room.position), "commit": commit, "welcome": welcome, **changed}
    )
    assert refused(lambda: room.delivery.commit(ada.id, message, room.now)) == "stale_epoch"


def test_only_members_who_are_there_commit() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben)
    room.join(cleo)
    message = Commit(**dict(room.position), commit=ben.add(room.packages[cleo.id])[0])
    room.away(ben)
    for page in (ben, cleo, dan):
        assert refused(lambda: room.delivery.commit(page.id, message, room.now)) == "not_in_group"  # noqa: B023
    room.join(ben)  # without the state: the old leaf is no longer a place to commit from
    assert refused(lambda: room.delivery.commit(ben.id, message, room.now)) == "not_in_group"


def test_commits_that_do_not_fit() -> None:
    ada, ben, cleo, dan, eve = people("Ada", "Ben", "Cleo", "Dan", "Eve")
    room = Room(ada, ben, cleo, dan)
    room.leave(cleo)
    room.away(dan)
    room.join(dan)  # has lost the state: in both lists
    room.join(eve)
    here = room.position
    fresh, again = room.packages[eve.id], room.packages[dan.id]
    welcome = handmade_welcome(ref(fresh))
    both = handmade_welcome(ref(again), ref(fresh))
    later = GroupPosition(group=here.group, epoch=here.epoch + 1)
    elsewhere = GroupPosition(group=bytes(16), epoch=here.epoch)
    stranger = MlsPage("Ada", "facilitator")
    renamed = MlsPage("Ada")
    renamed.id, renamed._keys = ada.id, ada._keys
    renamed.forget()
    unfit: list[tuple[str, bytes, bytes | None]] = [
        ("not a commit", b"\0\1\0\1", None),
        ("changes nothing", handmade_commit(here, 0, path=ada), None),
        ("another epoch inside", handmade_commit(later, 0, [fresh]), welcome),
        ("another group inside", handmade_commit(elsewhere, 0, [fresh]), welcome),
        ("another's leaf", handmade_commit(here, 1, [fresh]), welcome),
        ("no leaf at all", handmade_commit(here, 9, [fresh]), welcome),
        ("one who does not wait", handmade_commit(here, 0, [eve.key_package()]), welcome),
        ("one added twice", handmade_commit(here, 0, [fresh, fresh]), welcome),
        (
            "a second leaf",
            handmade_commit(here, 0, [again], [2], ada),
            handmade_welcome(ref(again)),
        ),
        ("one who stays", handmade_commit(here, 0, removes=[1], path=ada), None),
        ("itself", handmade_commit(here, 0, removes=[0], path=ada), None),
        ("no such leaf", handmade_commit(here, 0, removes=[7], path=ada), None),
        ("one removed twice", handmade_commit(here, 0, removes=[2, 2], path=ada), None),
        ("the removed keep the keys", handmade_commit(here, 0, removes=[2]), None),
        ("another's key", handmade_commit(here, 0, removes=[2], path=stranger), None),
        ("another role", handmade_commit(here, 0, removes=[2], path=renamed), None),
        ("no welcome", handmade_commit(here, 0, [fresh]), None),
        ("a welcome too much", handmade_commit(here, 0, removes=[2], path=ada), welcome),
        ("an empty welcome", handmade_commit(here, 0, removes=[2], path=ada), handmade_welcome()),
        ("welcomes another", handmade_commit(here, 0, [fresh]), handmade_welcome(ref(again))),
        ("welcomes another, too", handmade_commit(here, 0, [fresh]), both),
        (
            "welcomes one twice",
            handmade_commit(here, 0, [fresh]),
            handmade_welcome(*[ref(fresh)] * 2),
        ),
        (
            "another suite",
            handmade_commit(here, 0, [fresh]),
            handmade_welcome(ref(fresh), suite=83),
        ),
    ]
    for what, commit, greeting in unfit:
        message = Commit(**dict(here), commit=commit, welcome=greeting)
        code = refused(lambda: room.delivery.commit(ada.id, message, room.now))  # noqa: B023
        assert code == "bad_commit", what
    assert room.position == here
    # None of that was for the way it was made: this one is taken.
    fits = handmade_commit(here, 0, [again, fresh], [2, 3], ada)
    room.delivery.commit(ada.id, Commit(**dict(here), commit=fits, welcome=both), room.now)
    assert room.delivery.leaves == [ada.id, ben.id, dan.id, eve.id]


def test_a_group_does_not_grow_by_leaves_that_nobody_removes() -> None:
    [ada] = people("Ada")
    room = Room(ada)

    def add_one_who_leaves() -> None:
        newcomer = MlsPage("Ben")
        room.join(newcomer)
        package = room.packages[newcomer.id]
        commit = handmade_commit(room.position, 0, [package])
        greeting = handmade_welcome(ref(package))
        message = Commit(**dict(room.position), commit=commit, welcome=greeting)
        try:
            room.delivery.commit(ada.id, message, room.now)
        finally:
            room.leave(newcomer)

    for _ in range(MAX_LEAVES - 1):
        add_one_who_leaves()
    assert refused(add_one_who_leaves) == "bad_commit"
    leaves = range(1, MAX_LEAVES)
    commit = handmade_commit(room.position, 0, removes=leaves, path=ada)
    room.delivery.commit(ada.id, Commit(**dict(room.position), commit=commit), room.now)
    assert room.delivery.leaves == [ada.id]
    add_one_who_leaves()


# --- whose duty it is ---------------------------------------------------------------------------


def test_facilitators_come_first_then_others_by_leaf() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo", facilitator=False)
    fay, gus, newcomer = (
        MlsPage("Fay", "facilitator"),
        MlsPage("Gus", "facilitator"),
        MlsPage("New"),
    )
    room = Room(ada, ben, fay, cleo, gus)
    room.join(newcomer)
    turns = [room.due(fay)]
    for page in (gus, ada, ben, cleo, fay, gus):
        room.pass_time(TURN_S / 2)
        assert room.tells == []
        room.pass_time(TURN_S / 2)
        turns.append(room.due(page))
    assert all(turn == turns[0] for turn in turns)


def test_who_let_a_duty_pass_comes_last_until_they_commit() -> None:
    ada, ben, cleo, dan, eve, fay = people("Ada", "Ben", "Cleo", "Dan", "Eve", "Fay")
    room = Room(ada, ben, cleo)
    room.join(dan)
    room.pass_time(TURN_S)
    room.add(ben, dan)
    assert room.nobody_is_told_to_commit()
    assert room.delivery.deadline == room.now + LOG_S - 2 * TURN_S - 8  # the log's, no one's duty
    room.join(eve)
    room.due(ben)
    room.add(ada, eve)  # not her turn, yet taken; and she is the first again
    room.join(fay)
    room.due(ada)


def test_new_work_is_told_without_giving_more_time() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben)
    room.join(cleo)
    deadline = room.delivery.deadline
    room.pass_time(1.0)
    room.join(dan)
    assert [one.id for one in room.due(ada).add] == [cleo.id, dan.id]
    assert room.delivery.deadline == deadline
    room.leave(cleo)
    assert [one.id for one in room.due(ada).add] == [dan.id]
    room.leave(dan)
    assert room.nobody_is_told_to_commit()
    room.join(cleo)  # another duty, and time of its own
    assert room.delivery.deadline == room.now + TURN_S


def test_what_all_decline_stays_due_and_a_commit_out_of_turn_is_taken() -> None:
    """A facilitator who is asked about someone takes her time."""
    fay, ada, ben, dan = people("Fay", "Ada", "Ben", "Dan")
    room = Room(fay, ada, ben)
    room.join(dan)
    work = room.due(fay)
    for page in (ada, ben, fay, ada):
        room.pass_time(TURN_S)
        assert room.due(page) == work
    room.add(fay, dan)
    assert room.delivery.leaves == [fay.id, ada.id, ben.id, dan.id]
    assert room.nobody_is_told_to_commit()


def test_a_group_s_id_says_who_lets_people_in() -> None:
    kinds: dict[Admission, int] = {"open": 0, "facilitator": 1}
    for admission, first in kinds.items():
        ids = {new_group_id(admission) for _ in range(9)}
        assert {(len(one), one[0]) for one in ids} == {(16, first)}
        assert len(ids) == 9
    [ada] = people("Ada")
    delivery = Delivery(SUITE)
    delivery.join(ada.id, ada.role, ada.key_package(), None, 0.0)
    assert delivery.group[0] == 0


def test_what_is_left_to_do_after_a_commit_is_told_anew() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben)
    room.join(cleo)
    room.join(dan)
    room.pass_time(1.0)
    room.add(ada, cleo)
    due = room.due(ada)
    assert due.epoch == 2
    assert [one.id for one in due.add] == [dan.id]
    assert room.delivery.deadline == room.now + TURN_S


def test_who_is_away_or_to_be_removed_has_no_duty() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben, cleo)
    room.join(dan)
    room.away(ada)
    room.due(ben)
    room.renew(ben)
    due = room.due(cleo)
    assert [one.id for one in due.add] == [ben.id, dan.id]  # in the order in which they came
    assert [(one.id, one.leaf) for one in due.remove] == [(ben.id, 1)]
    room.away(cleo)
    assert room.nobody_is_told_to_commit()


def test_who_comes_back_is_told_their_duty_again() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben)
    room.join(cleo)
    deadline = room.delivery.deadline
    room.now += 1.0
    room.join(ada, room.position)  # with a new connection, before the old one was known to be lost
    room.due(ada)
    assert room.delivery.deadline == deadline


# --- away and back ------------------------------------------------------------------------------


def test_who_comes_back_with_their_state_gets_what_they_missed() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben)
    room.away(ben)
    before = ben.position()
    for page in (cleo, dan):
        room.join(page)
        room.add(ada, page)
        assert room.told(ben) == []
    standing = room.join(ben, before)
    assert standing.standing == "member"
    assert len(standing.commits) == 2
    assert room.nobody_is_told_to_commit()
    assert len({page.secret() for page in (ada, ben, cleo, dan)}) == 1


def test_who_comes_back_without_their_state_is_removed_and_added() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)
    room.away(ben)
    ben.forget()
    assert room.join(ben).standing == "waiting"
    due = room.due(ada)
    assert [(one.id, one.leaf) for one in due.remove] == [(ben.id, 1)]
    assert [(one.id, one.key_package) for one in due.add] == [(ben.id, room.packages[ben.id])]
    room.remove(ada, ben)
    room.add(ada, ben)
    assert room.delivery.leaves == [ada.id, ben.id]
    assert ada.secret() == ben.secret()


def test_positions_that_lead_nowhere() -> None:
    def back_with(position: Callable[[GroupPosition], GroupPosition]) -> str:
        ada, ben = people("Ada", "Ben")
        room = Room(ada, ben)
        room.away(ben)
        return room.join(ben, position(room.position)).standing

    def moved(by: int) -> Callable[[GroupPosition], GroupPosition]:
        return lambda here: GroupPosition(group=here.group, epoch=here.epoch + by)

    assert back_with(moved(0)) == "member"
    assert back_with(moved(1)) == "waiting"
    assert back_with(moved(-1)) == "waiting"  # before they were in the group
    assert back_with(lambda here: GroupPosition(group=bytes(16), epoch=here.epoch)) == "waiting"


def test_a_leaf_with_another_name_or_role_does_not_stay() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)
    room.away(ben)
    ben.name = "Benjamin"
    ben.forget()
    assert room.join(ben, room.position).standing == "waiting"
    assert [one.leaf for one in room.due(ada).remove] == [1]


def churn(room: Room, committer: MlsPage, commits: int) -> None:
    for _ in range(0, commits, 2):
        visitor = MlsPage("Visitor")
        room.join(visitor)
        room.add(committer, visitor)
        room.leave(visitor)
        room.remove(committer, visitor)


def test_the_log_reaches_so_many_epochs_back() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)
    start = room.position
    room.away(ben)
    churn(room, ada, LOG_EPOCHS)
    request = CatchUp(**dict(start))
    assert len(room.delivery.catch_up(ben.id, request).commits) == LOG_EPOCHS
    churn(room, ada, 2)
    assert refused(lambda: room.delivery.catch_up(ben.id, request)) == "epoch_gone"
    assert room.join(ben, start).standing == "waiting"


def test_the_log_reaches_so_long_back() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben)
    room.pass_time(LOG_S)
    assert room.delivery.deadline is None
    start = room.position
    room.away(ben)
    room.join(cleo)
    room.add(ada, cleo)
    assert room.delivery.deadline == room.now + LOG_S
    room.pass_time(LOG_S - 1)
    request = CatchUp(**dict(start))
    assert len(room.delivery.catch_up(ben.id, request).commits) == 1
    room.pass_time(1.0)
    assert refused(lambda: room.delivery.catch_up(ben.id, request)) == "epoch_gone"
    assert room.join(ben, start).standing == "waiting"


def test_catching_up() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben)
    before = room.position
    room.join(cleo)
    commit, welcome = ada.add(room.packages[cleo.id])
    room.commit(ada, commit, welcome)
    room.join(dan)

    def catch_up(page: MlsPage, **position: object) -> list[bytes]:
        request = CatchUp.model_validate({**dict(before), **position})
        return room.delivery.catch_up(page.id, request).commits

    assert catch_up(ben) == [commit]
    assert catch_up(ben, epoch=2) == []
    for page, position in (
        (ben, {"epoch": 3}),
        (ben, {"group": bytes(16)}),
        (cleo, {}),  # was not in the group then
        (dan, {}),
    ):
        assert refused(lambda: catch_up(page, **position)) == "epoch_gone"  # noqa: B023


def test_who_waits_and_is_away_is_not_added() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada)
    room.join(ben)
    commit, welcome = ada.add(room.packages[ben.id])
    room.away(ben)
    assert room.delivery.deadline is None
    assert refused(lambda: room.commit(ada, commit, welcome)) == "bad_commit"
    room.join(cleo)
    assert [one.id for one in room.due(ada).add] == [cleo.id]
    room.join(ben)
    assert [one.id for one in room.due(ada).add] == [cleo.id, ben.id]


def test_renewing() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)
    assert room.renew(ben).standing == "waiting"
    due = room.due(ada)
    assert [(one.id, one.leaf) for one in due.remove] == [(ben.id, 1)]
    assert [one.key_package for one in due.add] == [room.packages[ben.id]]
    first = room.packages[ben.id]
    room.renew(ben)  # once more: the later key package counts, and there is one old leaf
    due = room.due(ada)
    assert [one.leaf for one in due.remove] == [1]
    assert [one.key_package for one in due.add] == [room.packages[ben.id]] != [first]
    room.remove(ada, ben)
    room.add(ada, ben)
    assert ada.secret() == ben.secret()


def test_a_member_alone_who_renews_founds_anew() -> None:
    [ada] = people("Ada")
    room = Room(ada)
    group = room.delivery.group
    assert room.renew(ada).standing == "founder"
    assert room.delivery.group != group
    assert room.delivery.leaves == [ada.id]


def test_a_key_package_for_renewal_may_be_made_later_than_the_first() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)
    package = ben.key_package()
    begins, ends = read_key_package(package).not_before, read_key_package(package).not_after
    room.delivery._unix = begins - 60.0
    assert room.delivery.renew(ben.id, package, room.now)[0].standing == "waiting"
    far = MlsPage("Ada", "facilitator")
    assert refused(lambda: room.delivery.check(far.key_package(), "Ada", "facilitator", ends + 9.0))
    assert refused(lambda: room.delivery.renew(ben.id, ben.key_package(), room.now)) == (
        "bad_key_package"
    )


def test_renewals_that_are_refused() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)
    other = MlsPage("Ben")
    used = room.packages[ben.id]
    renew = room.delivery.renew
    assert refused(lambda: renew(other.id, other.key_package(), room.now)) == "not_joined"
    assert refused(lambda: renew(ben.id, other.key_package(), room.now)) == "bad_key_package"
    assert refused(lambda: renew(ben.id, used, room.now)) == "bad_key_package"
    assert refused(lambda: renew(ben.id, b"\0\1\0\5", room.now)) == "bad_key_package"
    ben.role = "facilitator"
    ben.forget()
    assert refused(lambda: renew(ben.id, ben.key_package(), room.now)) == "bad_key_package"
    room.away(ben)
    ben.role = "participant"
    ben.forget()
    assert refused(lambda: renew(ben.id, ben.key_package(), room.now)) == "not_joined"
    assert room.delivery.deadline == room.now + LOG_S - 10  # none of it gave anyone a duty


# --- leaving ------------------------------------------------------------------------------------


def test_who_leaves_is_removed_and_gets_nothing() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben, cleo)
    room.leave(ben)
    due = room.due(ada)
    assert (due.add, [(one.id, one.leaf) for one in due.remove]) == ([], [(ben.id, 1)])
    commit = ada.remove(ben)
    room.commit(ada, commit)
    assert room.told(ben) == []
    assert ada.secret() == cleo.secret()
    ben.process(commit)
    assert ben.secret() != ada.secret()


def test_whom_nobody_knows_changes_nothing() -> None:
    [ada] = people("Ada")
    room = Room(ada)
    room.away(MlsPage("Ben"))
    room.leave(MlsPage("Ben"))
    assert room.tells == []
    assert room.delivery.leaves == [ada.id]


def test_after_all_have_left_the_next_founds_a_new_group() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben)
    former = room.delivery.group
    room.leave(ada)
    room.leave(ben)
    assert room.join(cleo).standing == "founder"
    assert room.delivery.group != former
    assert (room.delivery.epoch, room.delivery.leaves) == (0, [cleo.id])
    assert room.delivery.deadline is None


def test_when_the_last_member_leaves_one_who_waits_founds_a_group_at_once() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    fay = MlsPage("Fay", "facilitator")
    room = Room(ada)
    for page in (ben, fay, cleo):
        room.join(page)
    former = room.delivery.group
    room.leave(ada)
    assert room.told(fay)[0] == FoundGroup(group=room.delivery.group)
    assert room.delivery.group != former
    assert [one.id for one in room.due(fay).add] == [ben.id, cleo.id]
    room.add(fay, ben, cleo)
    assert len({page.secret() for page in (ben, cleo, fay)}) == 1


def test_while_all_members_are_away_who_waits_founds_a_group_after_a_moment() -> None:
    ada, ben, cleo, dan = people("Ada", "Ben", "Cleo", "Dan")
    room = Room(ada, ben)
    before = room.position
    room.away(ada, ben)
    assert room.delivery.deadline == room.now + LOG_S - 10  # nobody waits
    room.join(cleo)
    assert room.delivery.deadline == room.now + TURN_S
    room.pass_time(1.0)
    room.join(dan)
    assert room.tells == []
    room.pass_time(1.0)
    assert room.told(cleo)[0] == FoundGroup(group=room.delivery.group)
    assert [one.id for one in room.due(cleo).add] == [dan.id]
    assert room.delivery.deadline == room.now + TURN_S
    assert room.join(ada, before).standing == "waiting"
    due = room.due(cleo)
    assert ([one.id for one in due.add], due.remove) == ([dan.id, ada.id], [])


def test_a_member_who_is_back_in_time_keeps_the_group() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben)
    before = room.position
    room.away(ada, ben)
    room.join(cleo)
    room.pass_time(TURN_S - 0.1)
    assert room.join(ben, before).standing == "member"
    assert [one.id for one in room.due(ben).add] == [cleo.id]
    room.pass_time(0.1)
    assert room.delivery.group == before.group
    room.away(ben)
    assert room.delivery.deadline == room.now + TURN_S


# --- chat ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chatting() -> tuple[Room, dict[str, MlsPage]]:
    """Two facilitators, two participants, one participant away, and one who waits."""
    ada, ben, cleo, dan, eve = people("Ada", "Ben", "Cleo", "Dan", "Eve")
    fay = MlsPage("Fay", "facilitator")
    room = Room(ada, fay, ben, cleo, dan)
    room.away(dan)
    room.join(eve)
    return room, {page.name: page for page in (ada, fay, ben, cleo, dan, eve)}


@pytest.mark.parametrize(
    ("sender", "audience", "to", "readers"),
    [
        ("Ben", "room", None, {"Ada", "Fay", "Cleo"}),
        ("Ben", "facilitators", None, {"Ada", "Fay"}),
        ("Ada", "facilitators", None, {"Fay"}),
        ("Ada", "person", "Ben", {"Ben", "Fay"}),
        ("Ada", "person", "Fay", {"Fay"}),
    ],
)
def test_who_gets_the_words(
    chatting: tuple[Room, dict[str, MlsPage]],
    sender: str,
    audience: Audience,
    to: str | None,
    readers: set[str],
) -> None:
    room, pages = chatting
    recipient = None if to is None else pages[to].id
    message = pages[sender].say(b"hello")
    chat = Chat(audience=audience, to=recipient, message=message)
    tells = room.delivery.chat(pages[sender].id, chat)
    assert len(tells) == len(readers)
    assert {room.pages[tell.to].name for tell in tells} == readers
    words = ChatMessage(sender=pages[sender].id, audience=audience, to=recipient, message=message)
    for tell in tells:
        assert tell.message == words
        assert room.pages[tell.to].process(message).data == b"hello"


@pytest.mark.parametrize(
    ("sender", "audience", "to", "code"),
    [
        ("Dan", "room", None, "not_in_group"),  # away
        ("Ben", "person", "Cleo", "not_facilitator"),
        ("Ada", "person", "Dan", "no_such_person"),  # away
        ("Ada", "person", "Eve", "no_such_person"),  # waits
        ("Ada", "person", "Ada", "bad_chat"),
        ("Ada", "person", None, "bad_chat"),
        ("Ben", "facilitators", "Ada", "bad_chat"),
        ("Ben", "room", "Ada", "bad_chat"),
    ],
)
def test_words_to_nobody(
    chatting: tuple[Room, dict[str, MlsPage]],
    sender: str,
    audience: Audience,
    to: str | None,
    code: str,
) -> None:
    room, pages = chatting
    recipient = None if to is None else pages[to].id
    chat = Chat(audience=audience, to=recipient, message=pages[sender].say(b"hello"))
    assert refused(lambda: room.delivery.chat(pages[sender].id, chat)) == code


def test_words_to_a_stranger_or_from_one(chatting: tuple[Room, dict[str, MlsPage]]) -> None:
    room, pages = chatting
    ada, eve = pages["Ada"], pages["Eve"]
    message = ada.say(b"hello")
    stranger = Chat(audience="person", to="nobody", message=message)
    assert refused(lambda: room.delivery.chat(ada.id, stranger)) == "no_such_person"
    for sender in (eve.id, "nobody"):
        words = Chat(audience="room", message=message)
        assert refused(lambda: room.delivery.chat(sender, words)) == "not_in_group"  # noqa: B023


def private_message(position: GroupPosition, content_type: int = 1) -> bytes:
    head = b"\0\1\0\2" + vector(position.group) + position.epoch.to_bytes(8)
    return head + content_type.to_bytes(1) + vector() * 3


def test_words_that_are_none(chatting: tuple[Room, dict[str, MlsPage]]) -> None:
    room, pages = chatting
    ada, here = pages["Ada"], room.position

    def say(message: bytes) -> list[Tell]:
        return room.delivery.chat(ada.id, Chat(audience="room", message=message))

    assert say(private_message(here))
    earlier = GroupPosition(group=here.group, epoch=here.epoch - 1)
    later = GroupPosition(group=here.group, epoch=here.epoch + 1)
    for message in (
        b"hello",
        private_message(here, content_type=3),
        private_message(GroupPosition(group=bytes(16), epoch=here.epoch)),
        private_message(later),
    ):
        assert refused(lambda: say(message)) == "bad_chat"  # noqa: B023
    # An epoch of the log is fine, but who came after it could not read it.
    assert say(private_message(earlier)) == []
    ben = pages["Ben"]
    words = Chat(audience="room", message=private_message(earlier))
    assert refused(lambda: room.delivery.chat(ben.id, words)) == "bad_chat"


def test_words_of_an_epoch_that_the_log_has_forgotten() -> None:
    ada, ben, cleo = people("Ada", "Ben", "Cleo")
    room = Room(ada, ben)
    late = Chat(audience="room", message=ada.say(b"hello"))
    room.join(cleo)
    room.add(ada, cleo)
    assert [tell.to for tell in room.delivery.chat(ada.id, late)] == [ben.id]
    room.pass_time(LOG_S)
    assert refused(lambda: room.delivery.chat(ada.id, late)) == "bad_chat"


def test_words_to_facilitators_who_are_not_there() -> None:
    ada, ben = people("Ada", "Ben")
    room = Room(ada, ben)

    def say(page: MlsPage) -> list[Tell]:
        chat = Chat(audience="facilitators", message=page.say(b"hello"))
        return room.delivery.chat(page.id, chat)

    assert [tell.to for tell in say(ben)] == [ada.id]
    with pytest.raises(Refused, match="nobody_there") as alone:
        say(ada)
    assert "Help" not in alone.value.sentence
    room.away(ada)
    with pytest.raises(Refused, match="nobody_there") as alone:
        say(ben)
    assert "Help" in alone.value.sentence


# --- a room's life, with real members -----------------------------------------------------------


class SimulatedPage:
    """A page that follows what the service tells it, whenever it gets to it."""

    def __init__(self, name: str, role: Role, diligent: bool) -> None:
        self.mls = MlsPage(name, role)
        self.diligent = diligent
        """Makes commits when it is told to."""
        self.inbox: deque[Message] = deque()
        self.connected = False
        self.due: CommitDue | None = None

    @property
    def id(self) -> str:
        return self.mls.id


class RoomsLife(RuleBasedStateMachine):
    """People come, go and lose things in any order; in the end, all who are there share a key."""

    def __init__(self) -> None:
        super().__init__()
        numbers = count(1)
        self.delivery = Delivery(SUITE, lambda: next(numbers).to_bytes(16))
        self.now = 0.0
        self.pages: dict[str, SimulatedPage] = {}
        """Of everyone who has a place."""
        self.ever: dict[str, MlsPage] = {}
        self.gone: list[MlsPage] = []
        self.accepted: list[tuple[GroupPosition, bytes]] = []
        self.names = count()

    # --- what happens -----------------------------------------------------------------------

    @initialize(people=st.integers(0, 4), lazy=st.integers(0, 3))
    def some_are_there(self, people: int, lazy: int) -> None:
        for number in range(people):
            self.someone_comes(facilitator=number == 1, diligent=number != lazy)
        self.all_settles()

    @precondition(lambda self: len(self.pages) < 6)
    @rule(facilitator=st.booleans(), diligent=st.integers(0, 3).map(bool))
    def someone_comes(self, facilitator: bool, diligent: bool) -> None:
        role: Role = "facilitator" if facilitator else "participant"
        page = SimulatedPage(f"Page {next(self.names)}", role, diligent)
        self.pages[page.id] = page
        self.ever[page.id] = page.mls
        self.join(page)

    @precondition(lambda self: self.pages)
    @rule(number=st.integers(0, 5))
    def someone_leaves(self, number: int) -> None:
        page = self.page(number)
        del self.pages[page.id]
        self.gone.append(page.mls)
        self.post(self.delivery.leave(page.id, self.now))

    @precondition(lambda self: self.pages)
    @rule(number=st.integers(0, 5))
    def a_connection_is_lost(self, number: int) -> None:
        self.disconnect(self.page(number))

    @precondition(lambda self: self.pages)
    @rule(number=st.integers(0, 5), reloads=st.booleans())
    def someone_connects_anew(self, number: int, reloads: bool) -> None:
        page = self.page(number)
        page.inbox.clear()
        page.due = None
        if reloads:
            page.mls.forget()
        self.join(page)

    @precondition(lambda self: self.pages)
    @rule(number=st.integers(0, 5))
    def a_page_reads(self, number: int) -> None:
        self.read(self.page(number))

    @precondition(lambda self: self.pages)
    @rule(number=st.integers(0, 5), ack_is_lost=st.integers(0, 3).map(lambda drawn: drawn == 3))
    def a_page_commits(self, number: int, ack_is_lost: bool) -> None:
        """Also one whose duty has gone over to another, so that two may do so at once."""
        page = self.page(number)
        if page.diligent:
            self.commit(page, ack_is_lost)

    @rule(seconds=st.sampled_from([0.5, TURN_S, LOG_S]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.delivery.deadline) is not None and deadline <= end:
            self.tick(deadline)
        self.tick(end)

    # --- what must hold ---------------------------------------------------------------------

    @invariant()
    def whoever_waits_can_count_on_someone(self) -> None:
        assert self.delivery.deadline is None or self.delivery.deadline > self.now
        leaves = self.delivery.leaves
        assert len(leaves) <= MAX_LEAVES
        if any(page.connected and page.id not in leaves for page in self.pages.values()):
            assert self.delivery.deadline is not None

    @rule()
    def all_settles(self) -> None:
        there = [page for page in self.pages.values() if page.connected]
        for _ in range(100):
            for page in there:
                self.read(page)
            members = [page for page in there if page.mls.position() == self.here()]
            if members and not any(page.diligent for page in members):
                members[0].diligent = True
            for page in there:
                if page.diligent:
                    self.commit(page)
            if self.all_is_done(there):
                break
            if not any(page.inbox for page in there):
                self.time_passes(TURN_S)
        else:
            raise AssertionError("nothing settles")
        if not there:
            return
        first = there[0].mls
        assert {page.mls.secret() for page in there} == {first.secret()}
        tree = [leaf and person_id(leaf.signature_key) for leaf in read_ratchet_tree(first.tree())]
        assert tree == self.delivery.leaves
        self.those_gone_learn_nothing(first.secret())

    def here(self) -> GroupPosition:
        return GroupPosition(group=self.delivery.group, epoch=self.delivery.epoch)

    def all_is_done(self, there: list[SimulatedPage]) -> bool:
        if not there:
            return True
        if any(page.inbox for page in there):
            return False
        places = self.pages.keys() | {None}
        return set(self.delivery.leaves) <= places and all(
            page.mls.position() == self.here() for page in there
        )

    def those_gone_learn_nothing(self, secret: bytes) -> None:
        for gone in self.gone:
            if gone.group is None:
                continue
            for _, commit in self.accepted:
                try:
                    gone.process(commit)
                except mls_rs.Error:
                    continue
            assert gone.secret() != secret

    # --- how pages do it --------------------------------------------------------------------

    def page(self, number: int) -> SimulatedPage:
        return list(self.pages.values())[number % len(self.pages)]

    def join(self, page: SimulatedPage) -> None:
        package = page.mls.key_package()
        person = self.delivery.check(package, page.mls.name, page.mls.role, time())
        position = page.mls.position()
        page.connected = True
        standing, tells = self.delivery.join(person, page.mls.role, package, position, self.now)
        self.stand(page, standing)
        self.post(tells)

    def renew(self, page: SimulatedPage) -> None:
        page.mls.forget()
        package = page.mls.key_package()
        standing, tells = self.delivery.renew(page.id, package, self.now)
        self.stand(page, standing)
        self.post(tells)

    def stand(self, page: SimulatedPage, standing: GroupStanding) -> None:
        page.due = None
        match standing.standing:
            case "founder":
                page.mls.found(standing.group)
            case "waiting":
                page.mls.group = None
            case "member":
                for commit in standing.commits:
                    page.mls.process(commit)

    def disconnect(self, page: SimulatedPage) -> None:
        page.connected, page.due = False, None
        page.inbox.clear()
        self.post(self.delivery.away(page.id, self.now))

    def read(self, page: SimulatedPage) -> None:
        while page.inbox:
            match page.inbox.popleft():
                case CommitDue() as due:
                    page.due = due
                case FoundGroup() as founded:
                    page.mls.found(founded.group)
                case GroupWelcome() as greeting:
                    try:
                        page.mls.enter(greeting.welcome)
                    except mls_rs.Error:  # for a key package of before it renewed or reloaded
                        self.renew(page)
                case Committed() as committed:
                    here = page.mls.position()
                    if here == GroupPosition(group=committed.group, epoch=committed.epoch):
                        page.mls.process(committed.commit)
                    elif here is not None and here.group == committed.group:
                        assert here.epoch > committed.epoch, "a commit was left out"

    def commit(self, page: SimulatedPage, ack_is_lost: bool = False) -> None:
        due, page.due = page.due, None
        if due is None or not page.connected:
            return
        position = GroupPosition(group=due.group, epoch=due.epoch)
        if page.mls.position() != position:
            return
        welcome = None
        try:
            if due.remove:
                commit = page.mls.remove(*(self.ever[one.id] for one in due.remove))
            elif due.add:
                commit, welcome = page.mls.add(*(one.key_package for one in due.add))
            else:
                return
        except mls_rs.Error:  # it has a commit pending that was refused
            self.renew(page)
            return
        message = Commit(**dict(position), commit=commit, welcome=welcome)
        try:
            tells = self.delivery.commit(page.id, message, self.now)
        except Refused as refusal:
            if refusal.code not in ("stale_epoch", "bad_commit", "not_in_group"):
                raise
            if refusal.code == "bad_commit":  # made for those who have left meanwhile
                self.renew(page)
            return
        self.accepted.append((position, commit))
        self.post(tells)
        if ack_is_lost:
            self.disconnect(page)
        else:
            page.mls.process(commit)

    def tick(self, now: float) -> None:
        self.now = now
        self.post(self.delivery.tick(now))

    def post(self, tells: list[Tell]) -> None:
        for to, message in tells:
            page = self.pages[to]  # nobody who has left is told anything
            assert page.connected
            page.inbox.append(message)


TestRoomsLife = RoomsLife.TestCase
TestRoomsLife.settings = settings(max_examples=80, stateful_step_count=40)
