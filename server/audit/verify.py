"""Finding what was changed, removed or reordered in the audit.

The chain alone shows any change, gap or reordering up to its last event, unless whoever made it
computed all later hashes anew. Against that, and against events cut off at the end, stands the
anchor (`server.audit.anchor`): everything up to the last anchored event is fixed by it. Events
after that, at most those of the last few seconds, could still be cut off or rewritten unseen by
someone who writes to the database.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.anchor import Anchor, AnchorError
from server.audit.chain import CHECKPOINT, GENESIS, is_intact
from server.storage.database import Storage
from server.storage.models import AuditHead, AuditRow

MAX_FINDINGS = 100
"""A broken audit may have one for each event; more than these say no more."""

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Args:
        sequence: the event where it shows.
        text: what it is, in one sentence for people.
    """

    sequence: int
    text: str


@dataclass(slots=True)
class Verification:
    """What was found. Without findings the audit is whole, and `anchored_through` is certain."""

    events: int = 0
    first: int = 0
    """The sequence number of the oldest event; 0 if there is none."""
    last: int = 0
    head: str = GENESIS
    anchored_through: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.findings

    def find(self, sequence: int, text: str) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(sequence, text))


async def verify(storage: Storage, anchor: Anchor | None = None) -> Verification:
    """Check the whole audit as of this moment, while the server runs.

    Args:
        storage: where it is.
        anchor: the record of its end in a second place; without one, what is missing at the end is
            found only if the database's own record of it was not changed as well.
    """
    # Read the anchor first: the chain may grow beyond it meanwhile, but never ends before it.
    result = Verification()
    mark = None
    if anchor is not None:
        try:
            mark = await anchor.read()
        except AnchorError as error:
            result.find(0, str(error))
    async with storage.snapshot() as session:
        await verify_within(session, result, None if mark is None else (mark.sequence, mark.hash))
    if anchor is not None and mark is None and result.last and result.ok:
        result.find(0, "There are events, but no anchor: none was made yet, or it was removed.")
    return result


async def verify_within(
    session: AsyncSession, result: Verification, mark: tuple[int, str] | None = None
) -> None:
    """Check the audit as a session sees it; ``mark`` is an anchored sequence number and hash."""
    head = (await session.execute(select(AuditHead))).scalars().one_or_none()
    if head is None:
        result.find(0, "The record of the last event is missing.")
        return
    previous = GENESIS
    expected = 1
    checkpoint: tuple[int, str] | None = None  # what has to be vouched for by a checkpoint
    vouched = False
    try:
        async for row in _rows(session):
            if type(row.sequence) is not int:  # SQLite keeps what does not fit a column's type
                result.find(expected, "There is an event without a sequence number.")
                continue
            if result.events == 0:
                result.first = row.sequence
                if row.sequence > 1:
                    checkpoint = (row.sequence - 1, row.previous_hash)
                    expected, previous = row.sequence, row.previous_hash
            if row.sequence != expected:
                missing = f"{expected} to {row.sequence - 1}"
                result.find(row.sequence, f"Before event {row.sequence}, {missing} are missing.")
            elif row.previous_hash != previous:
                result.find(
                    row.sequence, f"Event {row.sequence} does not follow the one before it."
                )
            if not is_intact(row):
                result.find(row.sequence, f"Event {row.sequence} was changed.")
            elif row.action == CHECKPOINT and checkpoint is not None:
                detail = json.loads(row.detail)
                vouched = vouched or (detail.get("through"), detail.get("hash")) == checkpoint
            if mark is not None and row.sequence == mark[0]:
                if row.hash != mark[1]:
                    result.find(
                        row.sequence, f"Event {row.sequence} is not the one that was anchored."
                    )
                result.anchored_through = row.sequence
            result.events += 1
            result.last, result.head = row.sequence, row.hash
            previous, expected = row.hash, row.sequence + 1
    except (DataError, OperationalError, LookupError, ValueError):
        # What is no text, or no outcome, cannot even be loaded on SQLite.
        result.find(expected, f"Event {expected}, or one soon after it, cannot be read.")
        return
    if checkpoint is not None and not (vouched and head.pruned_through == checkpoint[0]):
        result.find(
            result.first, f"Events up to {checkpoint[0]} are missing, and no checkpoint says why."
        )
    elif checkpoint is None and head.pruned_through:
        result.find(0, "Events are said to be pruned that are not.")
    if (head.sequence, head.hash) != (result.last, result.head):
        result.find(
            result.last, f"The last event is {result.last}, but the record says {head.sequence}."
        )
    if mark is not None and mark[0] > result.last:
        result.find(
            mark[0], f"Events {result.last + 1} to {mark[0]} are missing: {mark[0]} was anchored."
        )
    elif mark is not None and mark[0] > 0 and result.anchored_through == 0:
        if checkpoint is not None and vouched and mark == checkpoint:
            result.anchored_through = mark[0]
        else:
            result.find(mark[0], f"The anchored event {mark[0]} is missing.")


async def _rows(session: AsyncSession) -> AsyncIterator[AuditRow]:
    """The events in order, a batch at a time."""
    query = select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=_BATCH)
    stream = await session.stream_scalars(query)
    async for rows in stream.partitions():
        for row in rows:
            yield row
