"""Looking at sealed data, which is itself put on record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import QueryableAttribute

from server.audit.record import AuditEvent, record
from server.storage.database import Storage
from server.storage.keyring import KeyRing
from server.storage.sealed import Place, SealedValue, open_sealed

VIEWED = "sealed.viewed"


async def view_sealed(
    storage: Storage,
    keyring: KeyRing,
    attributes: Sequence[QueryableAttribute[Any]],
    row_id: str,
    *,
    actor: str,
    group_id: str | None = None,
    address: str | None = None,
    break_glass: str | None = None,
) -> dict[str, str | None] | None:
    """Open sealed fields of one row for someone, and put that on record first.

    Who may see them is for the caller to decide.

    Args:
        storage: where the row is.
        keyring: opens them.
        attributes: of one model, such as ``[EntryConfirmation.location]``.
        row_id: the row.
        actor: who looks.
        group_id: the group on whose behalf, for its facilitators' view of the audit.
        address: the IP address they look from.
        break_glass: the id of the grant, if the access is by one.

    Returns:
        the texts by attribute name, None for an empty field; or None if there is no such row.

    Raises:
        KeyRingError, SealError: if one does not open; the attempt is on record all the same.
    """
    model = attributes[0].class_
    async with storage.transaction() as session:
        row = (await session.execute(select(*attributes).where(model.id == row_id))).one_or_none()
        if row is None:
            return None
        names = [attribute.key for attribute in attributes]
        detail: dict[str, str | list[str]] = {"table": model.__tablename__, "fields": names}
        if break_glass is not None:
            detail["break_glass"] = break_glass
        event = AuditEvent(
            actor=actor,
            action=VIEWED,
            subject=row_id,
            group_id=group_id,
            address=address,
            detail=detail,
        )
        record(session, event)
    values: Sequence[SealedValue | None] = row
    return {
        attribute.key: None
        if value is None
        else open_sealed(keyring, Place.of(attribute, row_id), value)
        for attribute, value in zip(attributes, values, strict=True)
    }
