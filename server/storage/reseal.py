"""Key rotation: sealing everything anew under the current key, while the server runs.

To rotate: put a new key first into the key ring, restart with it, `reseal`, and let the audit's
anchor advance once. Then no value in the database is under the old key. Keep that for as long as
backups are under it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, LargeBinary, Table, bindparam, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from server.audit.record import OPERATOR, AuditEvent, record
from server.storage.blind_index import blind_index
from server.storage.database import Storage
from server.storage.errors import KeyRingError, SealError, StorageError
from server.storage.keyring import KeyRing
from server.storage.models import Base
from server.storage.sealed import Place, Sealed, SealedValue, open_sealed, prefix, seal

RESEALED = "keys.resealed"

_BATCH = 100
_MAX_PASSES = 20


@dataclass(slots=True)
class Resealed:
    """What was done.

    Args:
        values: how many were sealed anew.
        unopened: those that could not be opened, and are as they were.
    """

    values: int = 0
    unopened: list[Place] = field(default_factory=list)


async def reseal(storage: Storage, keyring: KeyRing, *, actor: str = OPERATOR) -> Resealed:
    """Seal all values that are not under the current key anew, and put that on record.

    A value that someone else changes meanwhile is left to them, and looked at again afterwards.

    Raises:
        StorageError: if others go on sealing under an older key, or two accounts turn out to have
            the same email.
    """
    total = Resealed()
    for table in Base.metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, Sealed)]
        if not columns:
            continue
        for _ in range(_MAX_PASSES):
            values, missed, unopened = await _pass(storage, keyring, table, columns)
            total.values += values
            if not values and not missed:
                total.unopened.extend(unopened)
                break
        else:
            raise StorageError(
                "Others go on sealing under an older key; restart them with the new key ring."
            )
    async with storage.transaction() as session:
        event = AuditEvent(
            actor=actor,
            action=RESEALED,
            outcome="failed" if total.unopened else "done",
            detail={
                "key": keyring.current.id,
                "values": total.values,
                "unopened": len(total.unopened),
            },
        )
        record(session, event)
    return total


async def _pass(
    storage: Storage, keyring: KeyRing, table: Table, columns: list[Column[Any]]
) -> tuple[int, int, list[Place]]:
    """Go through a table once.

    Returns:
        how many values were sealed anew, how many rows others changed first, and what did not open.
    """
    start = prefix(keyring.current)
    beginning = bindparam("beginning", start, LargeBinary)
    # SQL's three values leave empty fields out.
    is_old = or_(
        *(func.substr(column, 1, len(start), type_=LargeBinary) != beginning for column in columns)
    )
    values = missed = 0
    unopened: list[Place] = []
    last_id = ""
    while True:
        query = (
            select(table.c.id, *columns)
            .where(table.c.id > last_id, is_old)
            .order_by(table.c.id)
            .limit(_BATCH)
        )
        async with storage.snapshot() as session:
            rows = (await session.execute(query)).mappings().all()
        if not rows:
            return values, missed, unopened
        last_id = rows[-1]["id"]
        async with storage.transaction() as session:
            for row in rows:
                new: dict[str, Any] = {}
                for column in columns:
                    value = row[column.name]
                    if value is None or value.startswith(start):
                        continue
                    place = Place(table.name, column.name, row["id"])
                    try:
                        new.update(_anew(keyring, table, place, SealedValue(value)))
                    except (SealError, KeyRingError):
                        unopened.append(place)
                if not new:
                    continue
                # Each sealing has its own nonce, so a value that is the same has not been written.
                unchanged = [column == row[column.name] for column in columns if column.name in new]
                try:
                    done: Any = await session.execute(
                        update(table).where(table.c.id == row["id"], *unchanged).values(new)
                    )
                except IntegrityError:
                    raise StorageError(
                        "Two accounts have the same email, so one of them has to be changed first."
                    ) from None
                if done.rowcount:
                    values += sum(column.name in new for column in columns)
                else:
                    missed += 1


def _anew(keyring: KeyRing, table: Table, place: Place, value: SealedValue) -> dict[str, bytes]:
    """What to write for one value: itself under the current key, and its blind index if any."""
    text = open_sealed(keyring, place, value)
    new: dict[str, bytes] = {place.column: seal(keyring, place, text)}
    for column in table.columns:
        if column.info.get("blind_index_of") == place.column:
            new[column.name] = blind_index(keyring, text)
    return new
