"""The MLS delivery service of one room (RFC 9750 section 5), as a sans-IO state machine.

It puts the group's commits in order, hands on welcomes and chat, and tells whose turn it is to
commit. Nobody has to trust it: it sees public parts alone, and what it says about people each
page compares with what they have signed. It has no clock: times are given in s, of any steady
clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from secrets import token_bytes
from typing import Final, Literal, NamedTuple

from moderation.words import REFUSALS
from signaling.identity import Credential, person_id
from signaling.messages import (
    MAX_SLOTS,
    CatchUp,
    CaughtUp,
    Chat,
    ChatMessage,
    Ciphersuite,
    Commit,
    CommitDue,
    Committed,
    FoundGroup,
    GroupPosition,
    GroupStanding,
    GroupWelcome,
    Leaving,
    Message,
    Role,
    Waiting,
)
from signaling.mls import (
    APPLICATION,
    KeyPackage,
    NotMls,
    PublicCommit,
    read_commit,
    read_key_package,
    read_private_message,
    read_welcome,
)
from signaling.refusal import Refused

TURN_S: Final = 2.0
"""How long someone has to commit before it is the next one's duty, and how long those who wait
put up with a group whose members are all away."""

LOG_EPOCHS: Final = 64
LOG_S: Final = 120.0
"""Commits are kept for so many epochs and so long, for those who missed them."""

MAX_LEAVES: Final = 2 * MAX_SLOTS
"""Of a group: everyone who is in the room, and as many who are still to be removed."""

_SUITES: Final[dict[Ciphersuite, int]] = {
    "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519": 0x0001,
    "MLS_256_XWING_AES256GCM_SHA512_Ed25519": 0x0053,
}


ALONE: Final = "No facilitator can read this right now. You can still press Help."
ALONE_FACILITATOR: Final = "No other facilitator can read this right now."


Admission = Literal["open", "facilitator"]
"""Who decides on coming into a group: see :func:`new_group_id`."""


def new_group_id(admission: Admission) -> bytes:
    """A group's id, 16 bytes, of which the first says who lets people in.

    0 where they come in by themselves, 1 where a facilitator lets them in. The id is part of all
    that the members agree on, so nobody can tell some of them one thing and others another.
    """
    return bytes([admission == "facilitator"]) + token_bytes(15)


class Tell(NamedTuple):
    """Something to be sent to one person's page."""

    to: str
    message: Message


class _Fresh(NamedTuple):
    """A key package that has not been used yet."""

    message: bytes
    """As it came."""
    package: KeyPackage
    ref: bytes


@dataclass
class _Person:
    """Someone who has a place in the room."""

    role: Role
    identity: bytes
    """Of their latest key package's credential."""
    arrival: int
    """Whoever came or came back earlier has a smaller one."""
    present: bool = True
    """False: their place is kept, but their page is away."""
    fresh: _Fresh | None = None
    used: bytes = b""
    """The ref of their key package that was used last, which is not to be used again."""
    lapse: int = 0
    """Greater than that of whoever let a duty pass earlier; 0: has let none pass since their last
    commit."""


@dataclass
class _Leaf:
    person: str
    identity: bytes
    since: int
    """The epoch that began with them in it."""
    due: bool = False
    """They have left, or lost their state: to be removed."""


class _Logged(NamedTuple):
    epoch: int
    """The one that the commit ended."""
    at: float
    commit: bytes


class _Duty(NamedTuple):
    """Whose turn it is to commit, since when, and what they were told."""

    person: str
    since: float
    told: CommitDue


class Delivery:
    """The delivery service of one room.

    People are named by their ids (:func:`signaling.identity.person_id`). A *member* is who has
    a leaf of the group that is not due for removal; who has none *waits* to be added.

    Args:
        ciphersuite: what the groups are made with.
        group_id: gives the next group's id, 16 bytes.
    """

    def __init__(
        self,
        ciphersuite: Ciphersuite,
        group_id: Callable[[], bytes] = lambda: new_group_id("open"),
    ) -> None:
        self._suite = _SUITES[ciphersuite]
        self._next_group_id = group_id
        self._people: dict[str, _Person] = {}
        self._group = b""
        self._epoch = 0
        self._leaves: list[_Leaf | None] = []
        self._log: deque[_Logged] = deque(maxlen=LOG_EPOCHS)
        self._duty: _Duty | None = None
        self._deserted_since: float | None = None
        """Since when someone waits while all members are away."""
        self._count = 0
        """Of arrivals and of duties let pass."""
        self._unix = 0.0
        """The latest time that :meth:`check` was told."""

    # --- what can be seen ----------------------------------------------------------------------

    @property
    def group(self) -> bytes:
        """Empty until somebody has founded one."""
        return self._group

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def leaves(self) -> list[str | None]:
        """Whose leaf each is; those due for removal are among them."""
        return [None if leaf is None else leaf.person for leaf in self._leaves]

    @property
    def deadline(self) -> float | None:
        """When :meth:`tick` is needed next."""
        times = []
        if self._duty is not None:
            times.append(self._duty.since + TURN_S)
        if self._deserted_since is not None:
            times.append(self._deserted_since + TURN_S)
        if self._log:
            times.append(self._log[0].at + LOG_S)
        return min(times, default=None)

    # --- coming and going ----------------------------------------------------------------------

    def check(self, key_package: bytes, name: str, role: Role, now_unix: float) -> str:
        """Examine a key package that somebody wants to join with.

        Returns:
            The person's id.

        Raises:
            Refused: ``bad_key_package``.
        """
        self._unix = now_unix
        package, credential = self._examine(key_package)
        if not package.not_before <= now_unix <= package.not_after:
            raise _bad_key_package(
                "Your browser's key is not valid now. Is the clock of your device right?"
            )
        if credential != Credential(name, role):
            raise _bad_key_package("Your browser's key is for another name or role.")
        return person_id(package.leaf.signature_key)

    def join(
        self,
        person: str,
        role: Role,
        key_package: bytes,
        position: GroupPosition | None,
        now: float,
    ) -> tuple[GroupStanding, list[Tell]]:
        """Someone comes, or comes back, with a key package that has passed :meth:`check`.

        Raises:
            Refused: ``room_full``.
        """
        package = read_key_package(key_package)
        known = self._people.get(person)
        if known is None:
            if len(self._people) >= MAX_SLOTS:
                raise Refused("room_full", REFUSALS["room_full"])
            known = self._people[person] = _Person(role, package.leaf.identity, self._next())
        else:
            known.role, known.identity = role, package.leaf.identity
            known.present, known.arrival = True, self._next()
        known.fresh = _Fresh(key_package, package, package.ref())
        self._forget_told(person)
        leaf = self._leaf_of(person)
        if leaf is not None:
            missed = self._missed(leaf, position) if position is not None else None
            if missed is not None and leaf.identity == known.identity:
                standing = GroupStanding(group=self._group, standing="member", commits=missed)
                return standing, self._settle(now)
            leaf.due = True
        return self._admit(person, now)

    def renew(
        self, person: str, key_package: bytes, now: float
    ) -> tuple[GroupStanding, list[Tell]]:
        """Someone's page has lost its state of the group, and is to be added anew.

        Of the key package's lifetime only this is checked: that it was not over when
        :meth:`check` was last told the time.

        Raises:
            Refused: ``not_joined``, ``bad_key_package``.
        """
        known = self._people.get(person)
        if known is None or not known.present:
            raise Refused("not_joined", REFUSALS["not_here"])
        package, _ = self._examine(key_package)
        if package.not_after < self._unix:
            raise _bad_key_package("Your browser's key is not valid any more.")
        if package.leaf.identity != known.identity:
            raise _bad_key_package("Your browser's key is for another name or role.")
        if person_id(package.leaf.signature_key) != person:
            raise _bad_key_package("Your browser has another key now. Please load the page again.")
        known.fresh = _Fresh(key_package, package, package.ref())
        leaf = self._leaf_of(person)
        if leaf is not None:
            leaf.due = True
        return self._admit(person, now)

    def away(self, person: str, now: float) -> list[Tell]:
        """Someone's connection is lost; they keep their place, and their leaf."""
        known = self._people.get(person)
        if known is not None:
            known.present = False
        return self._settle(now)

    def leave(self, person: str, now: float) -> list[Tell]:
        """Someone is gone for good."""
        self._people.pop(person, None)
        leaf = self._leaf_of(person)
        if leaf is not None:
            leaf.due = True
        return self._settle(now)

    # --- the group's life ----------------------------------------------------------------------

    def commit(self, person: str, commit: Commit, now: float) -> list[Tell]:
        """Someone ends an epoch.

        Raises:
            Refused: ``not_in_group``, ``stale_epoch``, ``bad_commit``.
        """
        committer = self._member(person)
        if commit.group != self._group or commit.epoch != self._epoch:
            raise Refused("stale_epoch", "Someone else was quicker.")
        try:
            public = read_commit(commit.commit)
            added = self._fitting(person, public)
            if commit.welcome is None:
                refs: list[bytes] = []
            else:
                welcome = read_welcome(commit.welcome)
                refs = sorted(welcome.refs)
                if not refs or welcome.ciphersuite != self._suite:
                    raise NotMls("welcomes nobody, or to another group")
            if refs != sorted(fresh.ref for _, fresh in added):
                raise NotMls("welcomes others than it adds")
        except NotMls:
            raise Refused("bad_commit", "This change does not fit the group.") from None

        committer.lapse = 0
        self._log.append(_Logged(self._epoch, now, commit.commit))
        self._epoch += 1
        for index in public.removes:  # before the adds (RFC 9420 section 12.3)
            self._leaves[index] = None
        others = [member for member in self._members() if member != person]
        for newcomer, fresh in added:
            known = self._people[newcomer]
            known.fresh, known.used = None, fresh.ref
            self._seat(_Leaf(newcomer, known.identity, self._epoch))
        while self._leaves[-1] is None:
            self._leaves.pop()

        news = Committed(group=commit.group, epoch=commit.epoch, commit=commit.commit)
        tells = [Tell(other, news) for other in others if self._people[other].present]
        if commit.welcome is not None:
            greeting = GroupWelcome(group=commit.group, welcome=commit.welcome)
            tells += [Tell(newcomer, greeting) for newcomer, _ in added]
        return tells + self._settle(now)

    def catch_up(self, person: str, request: CatchUp) -> CaughtUp:
        """The commits that a member has missed.

        Raises:
            Refused: ``epoch_gone``.
        """
        leaf = self._leaf_of(person)
        position = GroupPosition(group=request.group, epoch=request.epoch)
        missed = self._missed(leaf, position) if leaf is not None else None
        if missed is None:
            raise Refused("epoch_gone", "Too much has changed since. Your page comes in anew.")
        return CaughtUp(commits=missed)

    def chat(self, person: str, chat: Chat) -> list[Tell]:
        """Hand on words to those who may, and can, read them.

        Who was not yet in the group in the message's epoch, or is not there now, cannot.

        Raises:
            Refused: ``not_in_group``, ``bad_chat``, ``nobody_there``, ``not_facilitator``,
                ``no_such_person``.
        """
        sender = self._member(person)
        try:
            message = read_private_message(chat.message)
        except NotMls:
            raise _bad_chat() from None
        if message.content_type != APPLICATION or message.group != self._group:
            raise _bad_chat()
        if not self._oldest() <= message.epoch <= self._epoch:
            raise _bad_chat()
        if (chat.audience == "person") != (chat.to is not None) or chat.to == person:
            raise _bad_chat()
        members = self._members()
        if members[person].since > message.epoch:
            raise _bad_chat()
        readers = {
            other: self._people[other].role
            for other, leaf in members.items()
            if other != person and leaf.since <= message.epoch and self._people[other].present
        }
        facilitators = [other for other, role in readers.items() if role == "facilitator"]
        match chat.audience:
            case "room":
                recipients: Iterable[str] = readers
            case "facilitators":
                if not facilitators:
                    if sender.role == "facilitator":
                        raise Refused("nobody_there", ALONE_FACILITATOR)
                    raise Refused("nobody_there", ALONE)
                recipients = facilitators
            case "person":
                if sender.role != "facilitator":
                    raise Refused("not_facilitator", REFUSALS["not_facilitator"])
                if chat.to not in self._people:
                    raise Refused("no_such_person", REFUSALS["no_such_person"])
                if chat.to not in readers:
                    raise Refused("no_such_person", REFUSALS["not_connected"])
                recipients = dict.fromkeys([chat.to, *facilitators])
        words = ChatMessage(sender=person, audience=chat.audience, to=chat.to, message=chat.message)
        return [Tell(recipient, words) for recipient in recipients]

    def tick(self, now: float) -> list[Tell]:
        """Time has passed; needed at :attr:`deadline`."""
        return self._settle(now)

    # --- what is in the group, and what is to be done ------------------------------------------

    def _members(self) -> dict[str, _Leaf]:
        """In order of leaf."""
        return {leaf.person: leaf for leaf in self._leaves if leaf is not None and not leaf.due}

    def _leaf_of(self, person: str) -> _Leaf | None:
        return self._members().get(person)

    def _member(self, person: str) -> _Person:
        known = self._people.get(person)
        if known is None or not known.present or self._leaf_of(person) is None:
            raise Refused("not_in_group", "Your page is not in the encrypted group yet.")
        return known

    def _waiting(self) -> dict[str, _Fresh]:
        """Who can be added now, first come first."""
        members = self._members()
        people = sorted(self._people.items(), key=lambda item: item[1].arrival)
        return {
            person: known.fresh
            for person, known in people
            if known.present and known.fresh is not None and person not in members
        }

    def _fitting(self, person: str, public: PublicCommit) -> list[tuple[str, _Fresh]]:
        """Whom a commit adds, if it is one that this person may make now.

        Raises:
            NotMls: it is not.
        """
        if public.group != self._group or public.epoch != self._epoch:
            raise NotMls("is made in another epoch")
        if not 0 <= public.sender_leaf < len(self._leaves):
            raise NotMls("comes from no leaf")
        own = self._leaves[public.sender_leaf]
        if own is None or own.person != person:
            raise NotMls("comes from another's leaf")
        if not public.adds and not public.removes:
            raise NotMls("changes nothing")
        path_leaf = public.path_leaf
        if path_leaf is None:
            if public.removes:  # RFC 9420 section 12.4
                raise NotMls("leaves the removed their keys")
        elif person_id(path_leaf.signature_key) != person or path_leaf.identity != own.identity:
            raise NotMls("makes its sender someone else")
        due = {index: leaf for index, leaf in enumerate(self._leaves) if leaf and leaf.due}
        removed = set(public.removes)
        if len(removed) != len(public.removes) or not removed <= due.keys():
            raise NotMls("removes others than are to be removed")
        waiting = {
            fresh.package.body: (newcomer, fresh) for newcomer, fresh in self._waiting().items()
        }
        if len(set(public.adds)) != len(public.adds) or not waiting.keys() >= set(public.adds):
            raise NotMls("adds others than wait")
        added = [waiting[body] for body in public.adds]
        staying = {leaf.person for index, leaf in due.items() if index not in removed}
        if any(newcomer in staying for newcomer, _ in added):  # RFC 9420 section 7.3
            raise NotMls("gives someone two leaves")
        taken = sum(leaf is not None for leaf in self._leaves)
        if taken - len(removed) + len(added) > MAX_LEAVES:
            raise NotMls("makes the group too large")
        return added

    def _seat(self, leaf: _Leaf) -> None:
        """At the leftmost blank leaf (RFC 9420 section 7.7)."""
        if None in self._leaves:
            self._leaves[self._leaves.index(None)] = leaf
        else:
            self._leaves.append(leaf)

    def _oldest(self) -> int:
        """The earliest epoch from which the log leads on to the current one."""
        return self._log[0].epoch if self._log else self._epoch

    def _missed(self, leaf: _Leaf, position: GroupPosition) -> list[bytes] | None:
        """The commits that lead on from where a leaf's owner is; None if the log does not."""
        earliest = max(self._oldest(), leaf.since)
        if position.group != self._group or not earliest <= position.epoch <= self._epoch:
            return None
        return [logged.commit for logged in self._log if logged.epoch >= position.epoch]

    def _admit(self, person: str, now: float) -> tuple[GroupStanding, list[Tell]]:
        """Someone without a leaf founds the group if nobody is in it, else waits."""
        if self._members():
            standing = GroupStanding(group=self._group, standing="waiting", commits=[])
        else:
            self._found(person)
            standing = GroupStanding(group=self._group, standing="founder", commits=[])
        return standing, self._settle(now)

    def _found(self, person: str) -> None:
        """A new group with this person alone in it, at leaf 0 in epoch 0."""
        known = self._people[person]
        assert known.fresh is not None, "whoever is there and not a member has a key package"
        known.used, known.fresh = known.fresh.ref, None
        self._group, self._epoch = self._next_group_id(), 0
        self._leaves = [_Leaf(person, known.identity, since=0)]
        self._log.clear()
        self._duty = self._deserted_since = None

    def _settle(self, now: float) -> list[Tell]:
        """Work out what is due, after anything has changed or time has passed."""
        self._forget_old(now)
        tells = []
        waiting = self._waiting()
        members = self._members()
        if not waiting or any(self._people[member].present for member in members):
            self._deserted_since = None
        else:
            if self._deserted_since is None:
                self._deserted_since = now
            if not members or now >= self._deserted_since + TURN_S:
                founder = min(waiting, key=lambda one: self._people[one].role != "facilitator")
                self._found(founder)
                tells.append(Tell(founder, FoundGroup(group=self._group)))
        return tells + self._give_duty(now)

    def _give_duty(self, now: float) -> list[Tell]:
        members = self._members()
        able = {one: self._people[one] for one in members if self._people[one].present}
        if not able:
            self._duty = None
            return []
        work = CommitDue(
            group=self._group,
            epoch=self._epoch,
            add=[
                Waiting(id=newcomer, key_package=fresh.message)
                for newcomer, fresh in self._waiting().items()
            ],
            remove=[
                Leaving(id=leaf.person, leaf=index)
                for index, leaf in enumerate(self._leaves)
                if leaf is not None and leaf.due
            ],
        )
        if not work.add and not work.remove:
            self._duty = None
            return []
        duty = self._duty
        if duty is not None and duty.told.epoch == self._epoch and duty.person in able:
            if now < duty.since + TURN_S:
                if duty.told == work:
                    return []
                self._duty = duty._replace(told=work)
                return [Tell(duty.person, work)]
            able[duty.person].lapse = self._next()
        # In order of leaf, but for those who let a duty pass: they come last, the latest of them
        # at the end.
        person = min(able, key=lambda one: (able[one].lapse, able[one].role != "facilitator"))
        self._duty = _Duty(person, now, work)
        return [Tell(person, work)]

    def _forget_told(self, person: str) -> None:
        """This person's page is new: what it was to commit it has to be told again."""
        if self._duty is not None and self._duty.person == person:
            nothing = CommitDue(group=self._group, epoch=self._epoch, add=[], remove=[])
            self._duty = self._duty._replace(told=nothing)

    def _forget_old(self, now: float) -> None:
        while self._log and now >= self._log[0].at + LOG_S:
            self._log.popleft()

    def _next(self) -> int:
        self._count += 1
        return self._count

    # --- key packages --------------------------------------------------------------------------

    def _examine(self, message: bytes) -> tuple[KeyPackage, Credential]:
        """Check all of a key package that does not depend on who brings it.

        Raises:
            Refused: ``bad_key_package``.
        """
        try:
            package = read_key_package(message)
            package.verify()
        except NotMls:
            raise _bad_key_package("Your browser's key cannot be read.") from None
        try:
            credential = Credential.decode(package.leaf.identity)
        except ValueError:
            raise _bad_key_package("Your browser's key does not say whose it is.") from None
        if package.ciphersuite != self._suite:
            raise _bad_key_package("Your browser's key is of another kind than this room's.")
        known = self._people.get(person_id(package.leaf.signature_key))
        if known is not None and known.used == package.ref():
            raise _bad_key_package("Your browser's key was used before.")
        return package, credential


def _bad_key_package(sentence: str) -> Refused:
    return Refused("bad_key_package", sentence)


def _bad_chat() -> Refused:
    return Refused("bad_chat", "Your message could not be sent. Could you try once more?")
