from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from server.audit.canonical import canonical
from server.audit.chain import CHECKPOINT, GENESIS
from server.audit.export import export, latest
from server.audit.prune import prune
from server.audit.record import AuditEvent, coarse_address, record
from server.audit.verify import verify
from server.storage.database import Storage, open_storage
from server.storage.models import AuditRow, Group
from tests.storage.rows import NOW, add, event, group


async def lines(storage: Storage, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) async for line in export(storage, **options)]


async def test_events_make_a_chain_that_anyone_can_check(storage: Storage) -> None:
    await add(storage, events=[event(time=NOW, detail={"b": [1, True, None], "a": "ü"})])
    await add(storage, events=[event("group.admit", subject="x", outcome="refused") for _ in "ab"])
    previous = GENESIS
    exported = await lines(storage)
    assert [line["sequence"] for line in exported] == [1, 2, 3]
    for line in exported:
        own = line.pop("hash")
        assert line["previous_hash"] == previous
        # Python's own encoder gives the canonical form of values as simple as these.
        encoded = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(encoded.encode()).hexdigest() == own
        previous = own
    assert exported[0]["time"] == "2027-01-05T18:00:00.123456Z"
    result = await verify(storage)
    assert (result.ok, result.events, result.first, result.last) == (True, 3, 1, 3)
    assert result.head == previous


async def test_an_empty_audit_is_whole(storage: Storage) -> None:
    assert (await verify(storage)).ok


async def test_an_event_is_there_exactly_if_its_change_is(storage: Storage) -> None:
    circle = group()
    await add(storage, circle, events=[event("group.make", subject=circle.id)])
    with pytest.raises(DBAPIError):  # the same id again
        await add(storage, group(), group(), circle_again(circle), events=[event("group.make")])
    with pytest.raises(ZeroDivisionError):
        await record_and_fail(storage)
    assert [row.subject for row in await latest(storage)] == [circle.id]
    assert (await verify(storage)).ok


def circle_again(circle: Group) -> Group:
    again = group()
    again.id = circle.id
    return again


async def record_and_fail(storage: Storage) -> None:
    async with storage.transaction() as session:
        record(session, event())
        raise ZeroDivisionError


async def test_the_sequence_has_no_gaps_under_concurrency(
    storage: Storage, database_url: str, tmp_path: Path
) -> None:
    """Two servers with one database, of whose transactions some fail."""

    async def work(of: Storage, number: int) -> None:
        for turn in range(10):
            if turn % 3 == 2:
                with pytest.raises(ZeroDivisionError):
                    await record_and_fail(of)
            else:
                await add(of, group(), events=[event(detail={"n": number}) for _ in range(2)])

    async with open_storage(database_url, tmp_path) as other:
        work_of_both = (work(of, number) for number in range(5) for of in (storage, other))
        await asyncio.wait_for(asyncio.gather(*work_of_both), 120)
    result = await verify(storage)
    assert result.ok
    assert result.last == result.events == 10 * 7 * 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor = 'other' WHERE sequence = 1",
        "UPDATE audit_events SET sequence = 7 WHERE sequence = 2",
        "DELETE FROM audit_events WHERE sequence = 2",
        "DELETE FROM audit_events",
        "UPDATE audit_head SET sequence = 1",
        "DELETE FROM audit_head",
        "INSERT INTO audit_head (id, sequence, hash, pruned_through) VALUES (1, 0, 'x', 9)",
    ],
)
async def test_the_database_itself_refuses_changes(storage: Storage, statement: str) -> None:
    await add(storage, events=[event(), event()])
    with pytest.raises(DBAPIError, match=r"audit events|moves forward|pk_audit_head"):
        await execute(storage, statement)
    assert (await verify(storage)).events == 2


async def execute(storage: Storage, statement: str) -> None:
    async with storage.transaction() as session:
        await session.execute(text(statement))


async def test_the_database_refuses_replacing_and_emptying(storage: Storage, kind: str) -> None:
    await add(storage, events=[event(), event()])
    emptying = (
        ["TRUNCATE audit_events", "TRUNCATE audit_head"]
        if kind == "postgresql"
        else ["INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events"]
    )
    for statement in emptying:
        with pytest.raises(DBAPIError, match=r"audit events|moves forward"):
            await execute(storage, statement)
    assert (await verify(storage)).ok


async def test_a_group_sees_its_own_events(storage: Storage) -> None:
    await add(storage, events=[event(group_id="a"), event(group_id="b"), event()])
    assert [line["group"] for line in await lines(storage, group_id="a")] == ["a"]
    assert [row.sequence for row in await latest(storage, group_id="b")] == [2]


async def test_events_come_in_pages_newest_first(storage: Storage) -> None:
    await add(storage, events=[event() for _ in range(5)])
    assert [row.sequence for row in await latest(storage, limit=2)] == [5, 4]
    assert [row.sequence for row in await latest(storage, limit=2, before=4)] == [3, 2]


async def test_an_export_is_of_one_moment_and_can_be_long(storage: Storage) -> None:
    await add(storage, events=[event() for _ in range(1_200)])
    exporting = export(storage)
    first = json.loads(await anext(exporting))
    await add(storage, events=[event()])
    rest = [json.loads(line)["sequence"] async for line in exporting]
    assert [first["sequence"], *rest] == list(range(1, 1_201))
    assert (await verify(storage)).events == 1_201


async def test_old_events_are_pruned_and_the_chain_still_verifies(storage: Storage) -> None:
    def at(days: int) -> AuditEvent:
        return event(time=NOW + timedelta(days=days))

    await add(storage, events=[at(day) for day in range(10)])
    assert await prune(storage, NOW - timedelta(days=1), NOW) == 0
    assert await prune(storage, NOW + timedelta(days=3), NOW) == 3
    result = await verify(storage)
    assert (result.ok, result.first, result.last) == (True, 4, 11)
    assert await prune(storage, NOW + timedelta(days=5), NOW) == 2
    await add(storage, events=[event()])
    result = await verify(storage)
    assert (result.ok, result.first, result.last) == (True, 6, 13)
    checkpoint = json.loads((await latest(storage, before=13, limit=1))[0].detail)
    assert (checkpoint["through"], checkpoint["events"]) == (5, 2)
    with pytest.raises(DBAPIError):
        await execute(storage, "DELETE FROM audit_events WHERE sequence = 6")


async def test_pruning_everything_leaves_the_last_event_and_the_checkpoint(
    storage: Storage,
) -> None:
    await add(storage, events=[event(time=NOW) for _ in range(3)])
    assert await prune(storage, NOW + timedelta(days=1), NOW + timedelta(days=1)) == 2
    assert [row.action for row in await latest(storage)] == [CHECKPOINT, "account.login"]
    assert (await verify(storage)).ok


async def test_events_removed_at_the_beginning_without_a_checkpoint_are_missed(
    storage: Storage,
) -> None:
    await add(storage, events=[event() for _ in range(5)])
    async with storage.transaction() as session:
        await session.execute(text("UPDATE audit_head SET pruned_through = 2"))
        await session.execute(text("DELETE FROM audit_events WHERE sequence <= 2"))
    result = await verify(storage)
    assert [finding.text for finding in result.findings] == [
        "Events up to 2 are missing, and no checkpoint says why."
    ]


async def test_many_events_in_one_transaction_stay_in_order(storage: Storage) -> None:
    await add(storage, events=[event(detail={"n": n}) for n in range(50)])
    async with storage.snapshot() as session:
        details = (await session.scalars(select(AuditRow.detail).order_by(AuditRow.sequence))).all()
        assert await session.scalar(select(func.count()).select_from(AuditRow)) == 50
    assert [json.loads(detail)["n"] for detail in details] == list(range(50))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"action": "Login"}, "an audit action is like"),
        ({"detail": {"x": 0.5}}, "no canonical form"),
        ({"detail": {"x": 2**53}}, "no canonical form"),
        ({"detail": {"x": "\ud800"}}, "surrogates"),
        ({"address": "203.0.113"}, "not an IP address"),
        ({"actor": "a\0b"}, "NUL"),
    ],
)
def test_what_cannot_be_recorded_is_refused_at_once(values: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        event(**values)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
    ],
)
def test_of_an_address_the_network_is_kept(address: str, network: str) -> None:
    assert coarse_address(address) == network


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_the_canonical_form_says_the_same(value: Any) -> None:
    encoded = canonical(value)
    assert json.loads(encoded) == value
    assert canonical(json.loads(encoded)) == encoded


def test_keys_are_in_the_order_of_rfc_8785() -> None:
    # The example of its section 3.2.3, whose order differs from that of code points.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    ordered = list(json.loads(canonical(dict.fromkeys(keys, 0))))
    assert ordered == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
