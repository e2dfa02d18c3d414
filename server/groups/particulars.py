"""What a group has beside the columns of its table: purpose, time zone, make-up sessions.

It is kept as a setting of the server under the group's id.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from server.groups.act import Act
from server.storage.models import ServerSetting


class Particulars(BaseModel):
    """Args of a group.

    Args:
        purpose: what it is for, in a few words; shown to its members only.
        time_zone: IANA name; of new schedules.
        make_ups_allowed: whether people of other groups may make up a session here.
    """

    model_config = ConfigDict(frozen=True)

    purpose: str = ""
    time_zone: str = "UTC"
    make_ups_allowed: bool = False


def _key(group_id: str) -> str:
    return f"group.{group_id}"


async def particulars(session: AsyncSession, group_id: str) -> Particulars:
    """Those of a group, or the defaults."""
    setting = await session.get(ServerSetting, _key(group_id))
    return Particulars() if setting is None else Particulars.model_validate_json(setting.value)


async def keep_particulars(
    session: AsyncSession, group_id: str, values: Particulars, act: Act
) -> None:
    """Put others in their place."""
    await session.merge(
        ServerSetting(
            key=_key(group_id),
            value=values.model_dump_json(),
            changed_by=act.actor,
            changed_at=act.now,
        )
    )
