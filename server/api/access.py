"""Who may use a route. What is not allowed here is refused."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from server.accounts.signed_in import SignedIn
from server.api.routes import GROUP_ACCESS, STEP_UP_S, GroupAccess, GroupRole, Route
from server.refusals import Refused
from server.storage.models import Membership

_ROLES: dict[str, frozenset[GroupRole]] = {
    "member": frozenset({"participant", "facilitator", "counselor"}),
    "participant": frozenset({"participant"}),
    "facilitator": frozenset({"facilitator"}),
    "care": frozenset({"facilitator", "counselor"}),
}


async def group_access(session: AsyncSession, account_id: str, group_id: str) -> GroupAccess | None:
    """As what someone stands in a group; None if they are no member now."""
    query = select(Membership.id, Membership.role).where(
        Membership.account_id == account_id,
        Membership.group_id == group_id,
        Membership.removed_at.is_(None),
    )
    row = (await session.execute(query)).one_or_none()
    return None if row is None else GroupAccess(group_id, row.id, row.role)


def check_access(
    route: Route, account: SignedIn | None, group: GroupAccess | None, now: datetime
) -> None:
    """Refuse whoever may not use a route.

    Args:
        route: that is asked for.
        account: who asks; None if not signed in.
        group: as what they stand in the group of the path, if it has one.
        now: the time, aware UTC.

    Raises:
        Refused: ``signed_out``, ``no_such_group`` (also where there is one, so that strangers do
            not learn of it), ``not_allowed``, or ``step_up``.
    """
    if route.access == "anyone":
        return
    if account is None:
        raise Refused("signed_out", "Please sign in first.", 401)
    if route.access in GROUP_ACCESS:
        if group is None:
            raise Refused("no_such_group", "There is no such group, or you are not in it.", 404)
        allowed = group.role in _ROLES[route.access]
    elif route.access == "administrator":
        allowed = account.is_administrator
    else:
        allowed = route.access == "signed_in"
    if not allowed:
        raise Refused("not_allowed", "This is for others to do.", 403)
    if route.step_up and not _is_fresh(account.stepped_up_at, now):
        raise Refused("step_up", "Please show once more that it is you.", 403)


def _is_fresh(proved_at: datetime | None, now: datetime) -> bool:
    if proved_at is None:
        return False
    return timedelta(0) <= now - proved_at <= timedelta(seconds=STEP_UP_S)
