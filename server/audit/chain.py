"""How events are chained.

The hash of an event is the SHA-256 of its canonical JSON (RFC 8785, in UTF-8) with all its fields
but the hash itself, among them its sequence number and the hash of the event before it. The first
event follows 64 zeros. So the hash of the last event vouches for all, and anyone who has the export
can check it without a key.
"""

from __future__ import annotations

import hashlib
import json

from server.audit.canonical import Json, canonical
from server.storage.models import AuditRow

GENESIS = "0" * 64

CHECKPOINT = "audit.pruned"
"""The action of the event that tells up to where older ones were deleted; its detail has
``through``, their last sequence number, and ``hash``, that event's."""


def fields(row: AuditRow) -> dict[str, Json]:
    """What an event's hash is over, and, with the hash, what is exported."""
    return {
        "sequence": row.sequence,
        "time": row.time,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "group": row.group_id,
        "outcome": row.outcome,
        "address": row.address,
        "detail": json.loads(row.detail),
        "previous_hash": row.previous_hash,
    }


def hash_of(row: AuditRow) -> str:
    """The hash that an event should have.

    Raises:
        ValueError, TypeError: if what stands in it can be no event's.
    """
    values = fields(row)
    if canonical(values["detail"]) != row.detail:
        raise ValueError("the detail is not in canonical form")
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def is_intact(row: AuditRow) -> bool:
    """Whether an event has the hash that it should have."""
    try:
        return hash_of(row) == row.hash
    except (ValueError, TypeError, AttributeError):
        return False
