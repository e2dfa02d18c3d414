"""Making, changing and closing groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import documents, memberships
from server.groups.act import Act, on_record
from server.groups.recurrence import time_zone
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import Account, Group, Membership

MAX_NAME = 80
MAX_PURPOSE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """What facilitators set of a group.

    Args:
        name: shown to members only, in no email and no calendar.
        purpose: what it is for; shown to members only.
        formats: names of session formats; the first is the one it begins with.
        capacity: people in its room at a time, 2 to 16.
        guests_allowed: whether facilitators may make guest links for a session.
        opens_without_facilitator: whether its members may meet when no facilitator is there.
        substance_use: whether its records are under 42 CFR Part 2; adds that notice.
        make_ups_allowed: whether people of other groups may make up a session here.
        time_zone: IANA name; of new schedules.
    """

    name: str
    purpose: str = ""
    formats: tuple[str, ...]
    capacity: int = 12
    guests_allowed: bool = False
    opens_without_facilitator: bool = False
    substance_use: bool = False
    make_ups_allowed: bool = False
    time_zone: str = "UTC"


def _checked(settings: GroupSettings, known_formats: Collection[str]) -> str:
    """The name as it is kept.

    Raises:
        Refused: ``bad_group`` or ``bad_time_zone``.
    """
    name = " ".join(settings.name.split())
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise Refused("bad_group", f"A group needs a name of 1 to {MAX_NAME} characters.")
    if len(settings.purpose) > MAX_PURPOSE:
        raise Refused("bad_group", f"The purpose can have up to {MAX_PURPOSE} characters.")
    if not settings.formats or len(set(settings.formats)) != len(settings.formats):
        raise Refused("bad_group", "A group needs at least one session format, each once.")
    if any(name not in known_formats for name in settings.formats):
        raise Refused("bad_group", "This server does not have one of these session formats.")
    if not 2 <= settings.capacity <= 16:
        raise Refused("bad_group", "A group has room for 2 to 16 people.")
    time_zone(settings.time_zone)
    return name


def _apply(group: Group, name: str, settings: GroupSettings) -> None:
    group.name = name
    group.purpose = settings.purpose.strip()
    group.formats = ",".join(settings.formats)
    group.capacity = settings.capacity
    group.guests_allowed = settings.guests_allowed
    group.opens_without_facilitator = settings.opens_without_facilitator
    group.substance_use = settings.substance_use
    group.make_ups_allowed = settings.make_ups_allowed
    group.time_zone = settings.time_zone


async def may_make_groups(session: AsyncSession, account_id: str) -> bool:
    """Whether someone may make groups: whom an administrator let, and who guides one already."""
    account = await session.get(Account, account_id)
    if account is None or account.closed_at is not None:
        return False
    if account.is_facilitator:
        return True
    facilitates = select(Membership.id).where(
        Membership.account_id == account_id,
        Membership.role == "facilitator",
        Membership.removed_at.is_(None),
    )
    return (await session.scalar(facilitates.limit(1))) is not None


async def create_group(
    session: AsyncSession,
    act: Act,
    settings: GroupSettings,
    *,
    known_formats: Collection[str],
    facilitator_name: str,
    facilitator_pronouns: str | None = None,
) -> Group:
    """Make a group with the texts to sign, and whoever makes it as its facilitator.

    Args:
        session: of a transaction.
        act: by whom.
        settings: of the group.
        known_formats: names of the formats that this server has.
        facilitator_name: the display name of whoever makes it.
        facilitator_pronouns: of whoever makes it.

    Raises:
        Refused: ``not_allowed``, ``bad_group``, ``bad_time_zone`` or ``bad_name``.
    """
    if not await may_make_groups(session, act.actor):
        raise Refused(
            "not_allowed",
            "Facilitators make groups. Please ask an administrator to make you one.",
            403,
        )
    group = Group(id=new_id(), created_at=act.now)
    _apply(group, _checked(settings, known_formats), settings)
    session.add(group)
    await session.flush()
    await documents.provide(session, group, act)
    on_record(session, act, "group.created", group.id, group.id)
    await memberships.join(
        session,
        act,
        group.id,
        act.actor,
        "facilitator",
        name=facilitator_name,
        pronouns=facilitator_pronouns,
    )
    return group


async def find_group(session: AsyncSession, group_id: str, *, open_only: bool = False) -> Group:
    """A group.

    Args:
        session: to read with.
        group_id: which.
        open_only: whether to refuse one that is closed.

    Raises:
        Refused: ``not_found`` or ``group_closed``.
    """
    group = await session.get(Group, group_id)
    if group is None:
        raise Refused("not_found", "This group does not exist.", 404)
    if open_only and group.closed_at is not None:
        raise Refused("group_closed", "This group has ended.", 409)
    return group


def settings_of(group: Group) -> GroupSettings:
    """What is set of a group."""
    return GroupSettings(
        name=group.name,
        purpose=group.purpose,
        formats=formats_of(group),
        capacity=group.capacity,
        guests_allowed=group.guests_allowed,
        opens_without_facilitator=group.opens_without_facilitator,
        substance_use=group.substance_use,
        make_ups_allowed=group.make_ups_allowed,
        time_zone=group.time_zone,
    )


def formats_of(group: Group) -> tuple[str, ...]:
    """The names of its formats; the first is the one it begins with."""
    return tuple(group.formats.split(","))


async def change_group(
    session: AsyncSession,
    act: Act,
    group_id: str,
    settings: GroupSettings,
    *,
    known_formats: Collection[str],
) -> None:
    """Set all of a group's settings anew.

    Raises:
        Refused: ``not_found``, ``group_closed``, ``bad_group``, ``bad_time_zone``, or
            ``full_group`` if it has more members than the capacity would be.
    """
    group = await find_group(session, group_id, open_only=True)
    name = _checked(settings, known_formats)
    if settings.capacity < await memberships.count(session, group_id):
        raise Refused("full_group", "The group has more members than that.", 409)
    before = settings_of(group)
    _apply(group, name, settings)
    await documents.provide(session, group, act)
    after = settings_of(group)
    changed = [
        key for key in GroupSettings.__slots__ if getattr(before, key) != getattr(after, key)
    ]
    on_record(session, act, "group.changed", group_id, group_id, fields=[*changed])


async def close_group(session: AsyncSession, act: Act, group_id: str) -> None:
    """End a group: nobody can enter any more. What is kept of it, retention deletes in time.

    Raises:
        Refused: ``not_found`` or ``group_closed``.
    """
    group = await find_group(session, group_id, open_only=True)
    group.closed_at = act.now
    on_record(session, act, "group.closed", group_id, group_id)


@dataclass(frozen=True, slots=True)
class GroupCount:
    """A group as administrators see it: they do not see into it."""

    group: Group
    members: int
    facilitators: int


async def all_groups(session: AsyncSession, limit: int = 500) -> Sequence[GroupCount]:
    """The groups of this server, newest first."""
    newest = select(Group.id).order_by(Group.created_at.desc(), Group.id).limit(limit)
    rows = await session.execute(
        select(Group, Membership.role, func.count(Membership.id))
        .where(Group.id.in_(newest))
        .outerjoin(Membership, (Membership.group_id == Group.id) & Membership.removed_at.is_(None))
        .group_by(Group.id, Membership.role)
        .order_by(Group.created_at.desc(), Group.id)
    )
    counts: dict[str, GroupCount] = {}
    for group, role, number in rows:
        before = counts.get(group.id, GroupCount(group, 0, 0))
        facilitators = number if role == "facilitator" else 0
        counts[group.id] = GroupCount(
            group, before.members + number, before.facilitators + facilitators
        )
    return list(counts.values())
