"""Who was in which session, from when to when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups.act import Act, on_record
from server.groups.persons import Person, rows_of
from server.storage.ids import new_id
from server.storage.models import Attendance


async def joined(
    session: AsyncSession, act: Act, group_id: str, starts_at: datetime, person: Person
) -> str:
    """Someone is in the session from now on.

    Returns:
        the id of the stay. If one of theirs goes on already, such as on another device, that one.
    """
    stay = await _open_stay(session, group_id, starts_at, person)
    if stay is not None:
        return stay.id
    row = Attendance(
        id=new_id(),
        group_id=group_id,
        session_starts_at=starts_at,
        account_id=person.account_id,
        guest_id=person.guest_id,
        joined_at=act.now,
    )
    session.add(row)
    await session.flush()
    on_record(session, act, "session.joined", row.id, group_id)
    return row.id


async def left(session: AsyncSession, act: Act, stay_id: str) -> None:
    """A stay is over. If it was before, or is gone, nothing happens."""
    row = await session.get(Attendance, stay_id)
    if row is None or row.left_at is not None:
        return
    row.left_at = max(act.now, row.joined_at)
    on_record(session, act, "session.left", row.id, row.group_id)


async def close_open(session: AsyncSession, left_at: datetime) -> int:
    """End all stays that go on, such as those of before the server stopped.

    Returns:
        how many.
    """
    # left_at is not to come before joined_at.
    ids = (
        await session.scalars(
            select(Attendance.id).where(
                Attendance.left_at.is_(None), Attendance.joined_at <= left_at
            )
        )
    ).all()
    for stay_id in ids:
        await session.execute(
            update(Attendance).where(Attendance.id == stay_id).values(left_at=left_at)
        )
    return len(ids)


async def _open_stay(
    session: AsyncSession, group_id: str, starts_at: datetime, person: Person
) -> Attendance | None:
    return await session.scalar(
        select(Attendance)
        .where(
            Attendance.group_id == group_id,
            Attendance.session_starts_at == starts_at,
            Attendance.left_at.is_(None),
            rows_of(Attendance, person),
        )
        .limit(1)
    )


async def is_present(
    session: AsyncSession, group_id: str, starts_at: datetime, person: Person
) -> bool:
    """Whether someone is in the session now."""
    return await _open_stay(session, group_id, starts_at, person) is not None


async def present(session: AsyncSession, group_id: str, starts_at: datetime) -> set[Person]:
    """Who is in the session now."""
    rows = await session.scalars(
        select(Attendance).where(
            Attendance.group_id == group_id,
            Attendance.session_starts_at == starts_at,
            Attendance.left_at.is_(None),
        )
    )
    return {Person(row.account_id, row.guest_id) for row in rows}
