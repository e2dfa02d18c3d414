"""The anchor: a record of the end of the audit, kept beside the database.

It is a small file with the sequence number and hash of the last event, under an HMAC-SHA256 with a
key from the key ring, and it only moves forward: before it does, it checks that the event it stood
at is unchanged and that the events since then follow from it.

It finds events cut off at the end, and any rewriting of anchored ones, by someone who can write to
the database, and even to the file, but does not have the key ring. It cannot find what happens to
events later than the last anchoring (so it should be done every few seconds), nor an older anchor
put back together with an older database, nor what someone does who has the key ring. For those,
keep copies of the file elsewhere, where this server cannot write: each one fixes all events before
it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from server.audit.canonical import Json, canonical
from server.audit.chain import GENESIS, is_intact
from server.audit.record import OPERATOR, SYSTEM, AuditEvent, record, timestamp
from server.storage.database import Storage
from server.storage.errors import KeyRingError, StorageError
from server.storage.keyring import Key, KeyRing
from server.storage.models import AuditHead, AuditRow

log = structlog.get_logger(__name__)

FILE_NAME = "audit-anchor.json"

_BATCH = 500


class AnchorError(Exception):
    """The anchor and the audit do not fit together; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where the audit is anchored."""

    sequence: int
    hash: str


class Anchor:
    """The anchor's file. One process at a time may move it.

    Args:
        path: where it is; best on another disk than the database.
        keyring: its current key signs, all of them verify.
    """

    def __init__(self, path: Path, keyring: KeyRing) -> None:
        self._path = path
        self._keyring = keyring
        self._moving = asyncio.Lock()

    async def read(self) -> Mark | None:
        """Where it stands; None if there is no file.

        Raises:
            AnchorError: if it was altered, or its key is not in the key ring.
        """
        return await asyncio.to_thread(self._read)

    async def advance(self, storage: Storage) -> Mark:
        """Move it to the last event.

        Where there is no file, one is begun, which is itself put on record: a file that went
        missing leaves a trace.

        Raises:
            AnchorError: if events that were anchored are changed or missing, or later ones do not
                follow; it stays where it is, as evidence.
        """
        async with self._moving:
            mark = await self.read()
            if mark is None:
                await self._put_on_record(storage, "audit.anchor_begun", SYSTEM, None)
                mark = Mark(0, GENESIS)
                return await self._write_head(storage, mark, whole=False)
            return await self._write_head(storage, mark, whole=True)

    async def replace(self, storage: Storage, actor: str = OPERATOR) -> Mark:
        """Begin anew at the last event, whatever the file says: after a backup was restored.

        That, and where it stood, is put on record.
        """
        async with self._moving:
            try:
                mark = await self.read()
            except AnchorError:
                mark = None
            await self._put_on_record(storage, "audit.anchor_replaced", actor, mark)
            return await self._write_head(storage, Mark(0, GENESIS), whole=False)

    async def _put_on_record(
        self, storage: Storage, action: str, actor: str, mark: Mark | None
    ) -> None:
        detail: dict[str, Json] = (
            {} if mark is None else {"sequence": mark.sequence, "hash": mark.hash}
        )
        async with storage.transaction() as session:
            record(session, AuditEvent(actor=actor, action=action, detail=detail))

    async def _write_head(self, storage: Storage, mark: Mark, *, whole: bool) -> Mark:
        """Write the last event; ``whole`` checks first that it follows from the mark."""
        async with storage.snapshot() as session:
            row = (await session.execute(select(AuditHead))).scalar_one()
            head = Mark(row.sequence, row.hash)
            if whole and head == mark:
                return mark
            after = mark.sequence
            last: Mark | None = None
            while whole:
                rows = (
                    await session.scalars(
                        select(AuditRow)
                        .where(AuditRow.sequence >= after)
                        .order_by(AuditRow.sequence)
                        .limit(_BATCH)
                    )
                ).all()
                for row_at in rows:
                    last = _follow(last or mark, row_at)
                session.expunge_all()
                if len(rows) < _BATCH:
                    break
                after = rows[-1].sequence + 1
            if whole and last != head:
                raise AnchorError(
                    f"The audit ends before event {head.sequence}, or is not what was anchored."
                )
        await asyncio.to_thread(self._write, head)
        return head

    def _read(self) -> Mark | None:
        try:
            values = json.loads(self._path.read_text("utf-8"))
            mac = bytes.fromhex(values.pop("mac"))
            key = self._keyring.key(values["key"])
            mark = Mark(int(values["sequence"]), str(values["hash"]))
        except FileNotFoundError:
            return None
        except KeyRingError:
            raise AnchorError("The audit's anchor is under a key not in the key ring.") from None
        except OSError as error:
            raise AnchorError(f"The audit's anchor cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise AnchorError("The audit's anchor is not readable.") from None
        if not hmac.compare_digest(mac, _mac(key, values)):
            raise AnchorError("The audit's anchor was altered.")
        return mark

    def _write(self, mark: Mark) -> None:
        key = self._keyring.current
        values: dict[str, str | int] = {
            "version": 1,
            "sequence": mark.sequence,
            "hash": mark.hash,
            "time": timestamp(datetime.now(UTC)),
            "key": key.id,
        }
        text = json.dumps({**values, "mac": _mac(key, values).hex()}) + "\n"
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self._path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise AnchorError(f"The audit's anchor cannot be written: {error.strerror}.") from None


def _mac(key: Key, values: dict[str, str | int]) -> bytes:
    return hmac.digest(key.derive("audit anchor"), canonical(values).encode(), "sha256")


def _follow(mark: Mark, row: AuditRow) -> Mark:
    """The mark after one more event.

    Raises:
        AnchorError: if the event is not the marked one and does not follow it.
    """
    here = Mark(row.sequence, row.hash)
    follows = row.sequence == mark.sequence + 1 and row.previous_hash == mark.hash
    if not is_intact(row) or not (here == mark or follows):
        raise AnchorError(f"Event {row.sequence} was changed, or those before it were.")
    return here


async def keep_anchored(storage: Storage, anchor: Anchor, every_s: float) -> None:
    """Advance the anchor every so many seconds, until cancelled.

    What goes wrong is logged, and tried again: `verify` tells what it is.
    """
    while True:
        try:
            await anchor.advance(storage)
        except (AnchorError, StorageError, SQLAlchemyError, TimeoutError, OSError):
            log.exception("audit_not_anchored")
        await asyncio.sleep(every_s)
