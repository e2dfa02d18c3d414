from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from server.audit.chain import CHECKPOINT
from server.audit.export import latest
from server.audit.verify import verify
from server.storage.database import Storage
from server.storage.ids import new_id, new_token, token_hash
from server.storage.keyring import KeyRing
from server.storage.models import (
    Absence,
    Account,
    Attendance,
    Ban,
    Base,
    BreakGlassGrant,
    CalendarFeed,
    Group,
    Guest,
    GuestLink,
    Invitation,
    LoginSession,
    Membership,
    OneTimeLink,
    RecoveryCode,
    Reminder,
    Signature,
)
from server.storage.retention import ENFORCED, RetentionPeriods, enforce
from server.storage.sealed import Place, seal
from tests.storage.rows import NOW, account, add, confirmation, document, event, group

PERIODS = RetentionPeriods()
MOMENT = timedelta(microseconds=1)


def rows_at(keyring: KeyRing, at: datetime, person: Account, circle: Group) -> list[Base]:
    """A row of each kind, whose period begins at this moment."""
    common: dict[str, Any] = {"account_id": person.id, "group_id": circle.id}

    def token() -> bytes:
        return token_hash(new_token())

    other = account(keyring)
    other.closed_at = at
    signed = document(circle.id, version=int(at.timestamp()))
    signed.superseded_at = at
    signature, grant, code = new_id(), new_id(), new_id()
    confirmed = confirmation(keyring, person, circle.id)
    confirmed.expires_at = at
    confirmed.session_starts_at = at
    return [
        confirmed,
        LoginSession(
            id=new_id(),
            token_hash=token(),
            account_id=person.id,
            device_label="Firefox",
            created_at=at,
            last_seen_at=at,
        ),
        Invitation(
            id=new_id(), token_hash=token(), is_administrator=False, created_at=at, expires_at=at
        ),
        OneTimeLink(
            id=new_id(),
            token_hash=token(),
            account_id=person.id,
            purpose="reset_password",
            created_at=at,
            expires_at=at,
        ),
        GuestLink(
            id=new_id(),
            token_hash=token(),
            group_id=circle.id,
            session_starts_at=at,
            created_at=at,
            expires_at=at,
        ),
        CalendarFeed(
            id=new_id(), account_id=person.id, token_hash=token(), created_at=at, revoked_at=at
        ),
        RecoveryCode(
            id=code, account_id=person.id, code_hash=code.encode(), created_at=at, used_at=at
        ),
        Reminder(id=new_id(), session_starts_at=at, sent_at=at, **common),
        Absence(id=new_id(), session_starts_at=at, created_at=at, **common),
        Attendance(id=new_id(), session_starts_at=at, joined_at=at, **common),
        Guest(
            id=new_id(),
            token_hash=token(),
            group_id=circle.id,
            session_starts_at=at,
            display_name="G.",
            created_at=at,
        ),
        signed,
        Signature(
            id=signature,
            document_id=signed.id,
            account_id=person.id,
            typed_name=seal(keyring, Place.of(Signature.typed_name, signature), "Ada"),
            text_hash=signed.text_hash,
            signed_at=at,
        ),
        Membership(
            id=new_id(),
            role="participant",
            display_name="A.",
            created_at=at,
            removed_at=at,
            **common,
        ),
        Ban(id=new_id(), until=at, created_at=at, **common),
        BreakGlassGrant(
            id=grant,
            reason=seal(keyring, Place.of(BreakGlassGrant.reason, grant), "emergency"),
            granted_at=at,
            expires_at=at,
            **common,
        ),
        other,
    ]


PERIOD_OF = {
    "entry_confirmations": timedelta(),
    "login_sessions": timedelta(days=PERIODS.login_days),
    "invitations": timedelta(days=PERIODS.link_days),
    "one_time_links": timedelta(days=PERIODS.link_days),
    "guest_links": timedelta(days=PERIODS.link_days),
    "calendar_feeds": timedelta(days=PERIODS.link_days),
    "recovery_codes": timedelta(days=PERIODS.link_days),
    "reminders": timedelta(days=PERIODS.link_days),
    "absences": timedelta(days=PERIODS.absence_days),
    "attendance": timedelta(days=PERIODS.attendance_days),
    "guests": timedelta(days=PERIODS.guest_days),
    "signatures": timedelta(days=PERIODS.signature_days),
    "memberships": timedelta(days=PERIODS.membership_days),
    "bans": timedelta(days=PERIODS.ban_days),
    "break_glass_grants": timedelta(days=PERIODS.break_glass_days),
    "accounts": timedelta(days=PERIODS.account_days),
}


async def counts(storage: Storage) -> dict[str, int]:
    async with storage.snapshot() as session:
        return {
            table.name: await session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


async def test_each_kind_is_kept_for_its_period_and_no_longer(
    storage: Storage, keyring: KeyRing
) -> None:
    person, circle = account(keyring, "ada@example.org"), group()
    await add(storage, person, circle, *rows_at(keyring, NOW, person, circle))
    before = await counts(storage)
    for period in sorted(set(PERIOD_OF.values())):
        now = NOW + period
        if period:
            await enforce(storage, PERIODS, now - MOMENT)
            kept = await counts(storage)
            for table, length in PERIOD_OF.items():
                assert kept[table] == before[table] - (length < period), (table, period)
        await enforce(storage, PERIODS, now + MOMENT)
        kept = await counts(storage)
        for table, length in PERIOD_OF.items():
            assert kept[table] == before[table] - (length <= period), (table, period)
    # What is in use has no period.
    assert kept["accounts"] == kept["groups"] == kept["documents"] == 1
    assert (await verify(storage)).ok


async def test_what_was_deleted_is_on_record_by_number_only(
    storage: Storage, keyring: KeyRing
) -> None:
    person, circle = account(keyring), group()
    rows = [confirmation(keyring, person, circle.id) for _ in range(3)]
    for number, row in enumerate(rows):
        row.session_starts_at = NOW + timedelta(days=number)
    rows[2].expires_at = NOW + timedelta(days=1)
    await add(storage, person, circle, *rows)
    assert await enforce(storage, PERIODS, NOW) == {"entry_confirmations": 2}
    (event,) = await latest(storage)
    assert (event.action, event.detail) == (ENFORCED, '{"entry_confirmations":2}')
    assert event.time == "2027-01-05T18:00:00.123456Z"
    assert await enforce(storage, PERIODS, NOW) == {}
    assert len(await latest(storage)) == 1


async def test_contacts_of_a_closed_account_go_before_its_records(
    storage: Storage, keyring: KeyRing
) -> None:
    left, stays = account(keyring, "ada@example.org"), account(keyring, "eve@example.org")
    left.closed_at = NOW
    await add(storage, left, stays)
    later = NOW + timedelta(days=PERIODS.contact_days)
    assert await enforce(storage, PERIODS, later) == {"contacts": 1}
    assert await enforce(storage, PERIODS, later) == {}
    async with storage.snapshot() as session:
        erased = await session.get_one(Account, left.id)
        assert (erased.email, erased.email_index, erased.phone) == (None, None, None)
        assert erased.legal_name
        assert (await session.get_one(Account, stays.id)).email


async def test_old_audit_events_go_with_a_checkpoint(storage: Storage) -> None:
    await add(storage, events=[event(time=NOW) for _ in range(3)])
    later = NOW + timedelta(days=PERIODS.audit_days + 1)
    await add(storage, events=[event(time=later)])
    assert await enforce(storage, PERIODS, later) == {"audit_events": 3}
    rows = await latest(storage)
    assert [row.action for row in rows] == [CHECKPOINT, "account.login"]
    assert json.loads(rows[0].detail)["events"] == 3
    assert (await verify(storage)).ok


def test_periods_say_what_they_are_and_are_checked() -> None:
    assert all(field.description for field in RetentionPeriods.model_fields.values())
    with pytest.raises(ValidationError):
        RetentionPeriods(audit_days=0)
