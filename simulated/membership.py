"""A person's way through the life of a room's MLS group, as the delivery service tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from signaling.identity import Credential, person_id
from signaling.messages import (
    CatchUp,
    CaughtUp,
    ChatMessage,
    Commit,
    CommitDue,
    Committed,
    FoundGroup,
    GroupPosition,
    GroupStanding,
    GroupWelcome,
    Message,
    Renew,
    Renewed,
    Roster,
    Waiting,
)
from signaling.mls import NotMls, read_key_package
from simulated.group import CommitDraft, GroupFailure, Member
from simulated.sealing import EpochKeys
from simulated.visitor import RequestRefused

GAP_PATIENCE_S: Final = 1.0
"""How long a missing commit is waited for before it is asked for."""
RENEW_PAUSE_S: Final = 2.0

Request = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]


class Listener(Protocol):
    """Whoever is told how it goes."""

    def epoch_began(self, keys: EpochKeys | None) -> None:
        """None: this person is in no group now."""

    def chat_came(self, sender: str, text: str) -> None: ...


class Membership:
    """Does a page's part of the group's work.

    It lasts for as long as the person's visit. On each connection, :meth:`start` it with what
    ``join`` was acknowledged with, give it every event with :meth:`take`, and :meth:`stop` it
    when the connection is lost.
    """

    def __init__(self, member: Member, listener: Listener) -> None:
        self.member = member
        self._listener = listener
        self._request: Request
        self._roster: Roster | None = None
        self._due: CommitDue | None = None
        self._ahead: dict[int, bytes] = {}
        """Commits that came before their turn, by the epoch that they end."""
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    @property
    def position(self) -> GroupPosition | None:
        """To come back with."""
        if not self.member.is_in:
            return None
        return GroupPosition(group=self.member.group_id, epoch=self.member.epoch)

    def take(self, event: Message) -> None:
        """Handle an event in its turn; those that are none of the group's are passed over."""
        self._events.put_nowait(event)

    def forget_events(self) -> None:
        """A new connection is made: what came by the last one no longer counts."""
        self._events = asyncio.Queue()
        self._due = None
        self._ahead.clear()

    async def start(self, standing: GroupStanding, roster: Roster, request: Request) -> None:
        """Begin on a connection. Raises ConnectionError."""
        self._request, self._roster = request, roster
        await self._stand(standing)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            task, self._task = self._task, None
            await end(task)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(GAP_PATIENCE_S if self._ahead else None):
                    event = await self._events.get()
            except TimeoutError:
                handling = self._catch_up()
            else:
                handling = self._handle(event)
            try:
                await self._or_renew(handling)
            except ConnectionError:
                return  # the next connection begins with where the group is then

    async def _or_renew(self, handling: Awaitable[None]) -> None:
        """Come in anew if the group's state does not fit."""
        try:
            await handling
        except GroupFailure:
            self.member.forget()
            self._listener.epoch_began(None)
            await self._renew()

    async def _handle(self, event: Message) -> None:
        member = self.member
        match event:
            case Roster():
                if self._roster is None or event.version >= self._roster.version:
                    self._roster = event
                await self._do_duty()
            case CommitDue():
                self._due = event
                await self._do_duty()
            case FoundGroup():
                member.found(event.group)
                self._began()
            case GroupWelcome():
                member.join(event.group, event.welcome)
                self._ahead.clear()
                self._began()
                await self._do_duty()
            case Committed():
                if member.is_in and event.group == member.group_id:
                    self._ahead[event.epoch] = event.commit
                    await self._go_on()
            case ChatMessage():
                text = member.read_chat(event.message) if member.is_in else None
                if text is not None:
                    self._listener.chat_came(event.sender, text)

    async def _stand(self, standing: GroupStanding) -> None:
        member = self.member
        match standing.standing:
            case "founder":
                member.found(standing.group)
                self._began()
            case "waiting":
                member.forget()
                self._listener.epoch_began(None)
            case "member":
                await self._or_renew(self._process(standing.commits))

    async def _process(self, commits: list[bytes]) -> None:
        for commit in commits:
            self.member.process(commit)
        self._began()
        await self._go_on()

    async def _go_on(self) -> None:
        """Process what commits there are for the epochs from this one on."""
        member = self.member
        before = member.epoch
        while (commit := self._ahead.pop(member.epoch, None)) is not None:
            member.process(commit)
        self._ahead = {epoch: one for epoch, one in self._ahead.items() if epoch > member.epoch}
        if member.epoch != before:
            self._began()
            await self._do_duty()

    async def _catch_up(self) -> None:
        request = CatchUp(group=self.member.group_id, epoch=self.member.epoch)
        try:
            reply = await self._request("catch_up", request.model_dump())
        except RequestRefused:
            raise GroupFailure("The missing commits are gone.") from None
        await self._process(CaughtUp.model_validate(reply).commits)

    async def _renew(self) -> None:
        """Ask to be added anew. Raises ConnectionError."""
        while True:
            request = Renew(key_package=self.member.key_package())
            try:
                reply = await self._request("renew", request.model_dump())
            except RequestRefused as refused:
                if refused.code != "too_fast":
                    raise
                await asyncio.sleep(RENEW_PAUSE_S)
                continue
            await self._stand(Renewed.model_validate(reply).group)
            return

    # --- one's own commits ---------------------------------------------------------------------

    async def _do_duty(self) -> None:
        """Make the commit that is due, if it is due from where this member is."""
        member, due = self.member, self._due
        if due is None or not member.is_in:
            return
        if (due.group, due.epoch) != (member.group_id, member.epoch):
            return
        # One that waits was lost with the connection: mls-rs makes no other in its place.
        draft = member.pending or self._draft(due)
        if draft is None:
            return
        self._due = None
        commit = Commit(
            group=member.group_id, epoch=draft.epoch, commit=draft.commit, welcome=draft.welcome
        )
        try:
            await self._request("commit", commit.model_dump())
        except RequestRefused as refused:
            if refused.code != "stale_epoch":
                raise GroupFailure("The commit does not fit.") from None
            return  # the commit that won is on its way, and ends this one
        member.applied()
        self._began()

    def _draft(self, due: CommitDue) -> CommitDraft | None:
        """What of a duty this member can do now."""
        member = self.member
        leaves = member.leaves()
        people = {index: person_id(leaf.signature_key) for index, leaf in leaves.items()}
        leaving = [
            one.leaf for one in due.remove if people.get(one.leaf) == one.id and one.id != member.id
        ]
        # One after the other: once the removals are through, the additions will be due again.
        if leaving:
            return member.remove(leaving)
        taken = {leaf.identity for leaf in leaves.values()}
        waiting = []
        for one in due.add:
            if one.id in people.values() or not self._is_known(one):
                continue
            identity = read_key_package(one.key_package).leaf.identity
            if identity not in taken:  # mls-rs has no two members with the same credential
                taken.add(identity)
                waiting.append(one.key_package)
        return member.add(waiting) if waiting else None

    def _is_known(self, waiting: Waiting) -> bool:
        """Whether someone is who the roster says, by what they have signed themselves."""
        try:
            package = read_key_package(waiting.key_package)
            package.verify()
            credential = Credential.decode(package.leaf.identity)
        except (NotMls, ValueError):
            return False
        if person_id(package.leaf.signature_key) != waiting.id:
            return False
        people = [] if self._roster is None else self._roster.participants
        return any(
            (person.id, person.name, person.role) == (waiting.id, credential.name, credential.role)
            for person in people
        )

    def _began(self) -> None:
        self._listener.epoch_began(self.member.epoch_keys())


async def end(task: asyncio.Task[None]) -> None:
    """Cancel a task, until it is over.

    Once may not do: `asyncio.wait_for` of Python 3.11, by which Socket.IO waits, drops a
    cancellation that comes together with what it waits for.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.1)
