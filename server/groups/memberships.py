"""Who belongs to a group, under which name and in which role."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups import names
from server.groups.act import Act, on_record
from server.groups.bans import refuse_banned
from server.groups.persons import Person
from server.refusals import Refused
from server.storage.ids import new_id
from server.storage.models import Group, GroupRole, Membership


async def current(session: AsyncSession, group_id: str, account_id: str) -> Membership | None:
    """Someone's present membership of a group."""
    return await session.scalar(
        select(Membership).where(
            Membership.group_id == group_id,
            Membership.account_id == account_id,
            Membership.removed_at.is_(None),
        )
    )


async def of_account(session: AsyncSession, account_id: str) -> Sequence[tuple[Membership, Group]]:
    """All present memberships of someone, with the groups."""
    rows = await session.execute(
        select(Membership, Group)
        .join(Group, Group.id == Membership.group_id)
        .where(Membership.account_id == account_id, Membership.removed_at.is_(None))
        .order_by(Group.name, Group.id)
    )
    return [(membership, group) for membership, group in rows]


async def members(session: AsyncSession, group_id: str) -> Sequence[Membership]:
    """The present members, by when they came."""
    return (
        await session.scalars(
            select(Membership)
            .where(Membership.group_id == group_id, Membership.removed_at.is_(None))
            .order_by(Membership.created_at, Membership.id)
        )
    ).all()


async def find(session: AsyncSession, group_id: str, membership_id: str) -> Membership:
    """A present membership of this group.

    Raises:
        Refused: ``not_found``.
    """
    membership = await session.get(Membership, membership_id)
    if membership is None or membership.group_id != group_id or membership.removed_at is not None:
        raise Refused("not_found", "This person is not in the group.", 404)
    return membership


async def count(session: AsyncSession, group_id: str) -> int:
    """How many present members a group has."""
    number = await session.scalar(
        select(func.count())
        .select_from(Membership)
        .where(Membership.group_id == group_id, Membership.removed_at.is_(None))
    )
    return number or 0


async def facilitators(session: AsyncSession, group_id: str) -> frozenset[str]:
    """The accounts of those who guide a group now."""
    found = await session.scalars(
        select(Membership.account_id).where(
            Membership.group_id == group_id,
            Membership.role == "facilitator",
            Membership.removed_at.is_(None),
        )
    )
    return frozenset(found)


async def refuse_taken(
    session: AsyncSession, group_id: str, name: str, *, but: str | None = None
) -> None:
    """Refuse a display name that another member has, or one that looks the same.

    Raises:
        Refused: ``name_taken``.
    """
    for other in await members(session, group_id):
        if other.id != but and names.likeness(other.display_name) == names.likeness(name):
            raise Refused(
                "name_taken",
                "Someone in this group has this name already. Please choose another, so that "
                "nobody is mistaken for someone else.",
                409,
            )


async def join(
    session: AsyncSession,
    act: Act,
    group_id: str,
    account_id: str,
    role: GroupRole,
    *,
    name: str,
    pronouns: str | None,
) -> Membership:
    """Make someone a member, such as when they take an invitation.

    Raises:
        Refused: ``not_found``, ``group_closed``, ``banned``, ``already_member``, ``full_group``,
            ``bad_name``, ``bad_pronouns`` or ``name_taken``.
    """
    # Locked, so that two who come at once do not both get the last place.
    group = await session.scalar(select(Group).where(Group.id == group_id).with_for_update())
    if group is None:
        raise Refused("not_found", "This group does not exist.", 404)
    if group.closed_at is not None:
        raise Refused("group_closed", "This group has ended.", 409)
    await refuse_banned(session, group_id, Person(account_id), act.now)
    if await current(session, group_id, account_id) is not None:
        raise Refused("already_member", "You are in this group already.", 409)
    if await count(session, group_id) >= group.capacity:
        raise Refused("full_group", "This group has no free place at the moment.", 409)
    shown = names.display_name(name)
    await refuse_taken(session, group_id, shown)
    membership = Membership(
        id=new_id(),
        account_id=account_id,
        group_id=group_id,
        role=role,
        display_name=shown,
        pronouns=names.pronouns(pronouns),
        created_at=act.now,
    )
    session.add(membership)
    await session.flush()
    on_record(session, act, "member.joined", membership.id, group_id, role=role)
    return membership


async def present_as(
    session: AsyncSession, act: Act, membership: Membership, *, name: str, pronouns: str | None
) -> None:
    """Change by which name and pronouns someone is known in a group.

    Raises:
        Refused: ``bad_name``, ``bad_pronouns`` or ``name_taken``.
    """
    shown = names.display_name(name)
    await refuse_taken(session, membership.group_id, shown, but=membership.id)
    membership.display_name = shown
    membership.pronouns = names.pronouns(pronouns)
    on_record(session, act, "member.renamed", membership.id, membership.group_id)


async def _keep_a_facilitator(session: AsyncSession, membership: Membership) -> None:
    if membership.role != "facilitator":
        return
    # Locked, so that two facilitators who leave at once do not both go.
    await session.scalar(select(Group).where(Group.id == membership.group_id).with_for_update())
    others = [
        other
        for other in await members(session, membership.group_id)
        if other.role == "facilitator" and other.id != membership.id
    ]
    if not others:
        raise Refused(
            "last_facilitator",
            "The group would have no facilitator. Please make someone else one first, or end the "
            "group.",
            409,
        )


async def set_role(
    session: AsyncSession, act: Act, group_id: str, membership_id: str, role: GroupRole
) -> None:
    """Change a member's role.

    Raises:
        Refused: ``not_found`` or ``last_facilitator``.
    """
    membership = await find(session, group_id, membership_id)
    if membership.role == role:
        return
    await _keep_a_facilitator(session, membership)
    before, membership.role = membership.role, role
    on_record(
        session, act, "member.role_changed", membership.id, group_id, before=before, after=role
    )


async def remove(session: AsyncSession, act: Act, group_id: str, membership_id: str) -> None:
    """End a membership: someone leaves, or is removed.

    Raises:
        Refused: ``not_found`` or ``last_facilitator``.
    """
    membership = await find(session, group_id, membership_id)
    await _keep_a_facilitator(session, membership)
    membership.removed_at = act.now
    action = "member.left" if membership.account_id == act.actor else "member.removed"
    on_record(session, act, action, membership.id, group_id)
