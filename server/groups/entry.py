"""May this person come into this session now? The one question that the live server asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import attendance
from server.groups.act import Act, on_record
from server.groups.bans import refuse_banned
from server.groups.confirmations import is_confirmed
from server.groups.groups import formats_of
from server.groups.opening import is_open
from server.groups.persons import Person
from server.groups.schedule import occurrence_at
from server.groups.signatures import unsigned
from server.groups.standing import Kind, Standing, standing
from server.refusals import Refused
from server.storage.database import Storage
from server.storage.models import DocumentKind, Group, GroupRole


@dataclass(frozen=True, slots=True)
class Entry:
    """Someone may come in.

    Args:
        role: in this session.
        display_name: by which the others know them.
        pronouns: as chosen.
        waits: whether a facilitator has to let them in first.
        members_wait: whether that is so for the group's members at all.
        formats: names of the session formats that the group uses, the first to begin with.
        kind: whether they are a member, a guest, or make up another group's session.
        key: by which facilitators name them; see `server.groups.standing.Standing`.
    """

    role: GroupRole
    display_name: str
    pronouns: str | None
    waits: bool
    members_wait: bool
    formats: tuple[str, ...]
    kind: Kind
    key: str


class Unsigned(Refused):
    """There is something to sign first."""

    def __init__(self, documents: Sequence[DocumentKind]) -> None:
        super().__init__("unsigned", "Please read and sign the agreements first.", 403)
        self.documents = tuple(documents)


def must_confirm(role: GroupRole) -> bool:
    """Whether someone in this role confirms where they are; guests are participants."""
    return role == "participant"


def _not_member() -> Refused:
    return Refused("not_member", "You are not in this group.", 403)


async def may_enter(
    session: AsyncSession, group_id: str, starts_at: datetime, person: Person, now: datetime
) -> Entry:
    """Decide whether someone may come into a session now. Whatever is in doubt is refused.

    Who may not is best put on record; `enter` does it.

    Args:
        session: to read with.
        group_id: which group.
        starts_at: which of its sessions, UTC.
        person: who.
        now: UTC.

    Raises:
        Refused: ``not_member`` (also if there is no such group), ``banned``, ``group_closed``,
            ``no_session`` if it is not due then or was called off, ``not_open`` before and after
            its time, `Unsigned`, ``unconfirmed``, ``full_group``, ``no_documents``.
    """
    group = await session.get(Group, group_id)
    if group is None:
        raise _not_member()
    stands = await standing(session, group, starts_at, person)
    if stands is None:
        # Whoever was kept out is told so, and nobody else learns that the group exists.
        await refuse_banned(session, group_id, person, now)
        raise _not_member()
    await refuse_banned(session, group_id, person, now)
    if group.closed_at is not None:
        raise Refused("group_closed", "This group has ended.", 409)
    occurrence = await occurrence_at(session, group_id, starts_at)
    if occurrence is None:
        raise Refused("no_session", "There is no session of this group at this time.", 404)
    if not is_open(occurrence.starts_at, occurrence.ends_at, stands.role, now):
        if now < occurrence.starts_at:
            message = "This session has not opened yet. Please come back a little later."
        else:
            message = "This session is over."
        raise Refused("not_open", message, 409)
    if missing := await unsigned(session, group, person, stands.role):
        raise Unsigned(missing)
    if must_confirm(stands.role) and not await is_confirmed(
        session, group_id, starts_at, person, now
    ):
        raise Refused(
            "unconfirmed", "Please first tell us where you are and whom we can call for you.", 403
        )
    others = await attendance.present(session, group_id, starts_at) - {person}
    if len(others) >= group.capacity:
        raise Refused("full_group", "All places in this session are taken.", 409)
    return Entry(
        stands.role,
        stands.display_name,
        stands.pronouns,
        waits(group, stands),
        not group.opens_without_facilitator,
        formats_of(group),
        stands.kind,
        stands.key,
    )


def waits(group: Group, stands: Standing) -> bool:
    """Whether a facilitator has to let someone in first."""
    # Those whom the group does not know wait in any case.
    return stands.role == "participant" and (
        stands.kind != "member" or not group.opens_without_facilitator
    )


async def enter(
    storage: Storage, act: Act, group_id: str, starts_at: datetime, person: Person
) -> Entry:
    """As `may_enter`, with a refusal put on record; call it when someone really wants in.

    Raises:
        Refused: as `may_enter`.
    """
    async with storage.snapshot() as session:
        try:
            return await may_enter(session, group_id, starts_at, person, act.now)
        except Refused as error:
            refused = error
            exists = await session.get(Group, group_id) is not None
    async with storage.transaction() as session:
        on_record(
            session,
            act,
            "session.entered",
            person.id,
            group_id if exists else None,
            outcome="refused",
            reason=refused.code,
        )
    raise refused
