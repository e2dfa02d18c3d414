from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from server.audit.anchor import FILE_NAME, Anchor, AnchorError, keep_anchored
from server.audit.export import latest
from server.audit.prune import prune
from server.audit.verify import verify
from server.storage.database import Storage
from server.storage.keyring import KeyRing, generate_key_line, parse_keyring
from tests.storage.rows import add, event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def anchor(path: Path, keyring: KeyRing) -> Anchor:
    return Anchor(path, keyring)


async def cut_off(storage: Storage, kind: str, kept: int) -> None:
    """Remove the last events and every trace of them in the database."""
    async with storage.transaction() as session:
        if kind == "postgresql":
            await session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for name in ("audit_events_no_delete", "audit_head_forward"):
                await session.execute(text(f"DROP TRIGGER {name}"))
        await session.execute(text("DELETE FROM audit_events WHERE sequence > :k"), {"k": kept})
        await session.execute(
            text(
                "UPDATE audit_head SET sequence = :k, "
                "hash = (SELECT hash FROM audit_events WHERE sequence = :k)"
            ),
            {"k": kept},
        )


async def test_it_follows_the_events(storage: Storage, anchor: Anchor) -> None:
    assert await anchor.read() is None
    first = await anchor.advance(storage)
    assert (first.sequence, await anchor.read()) == (1, first)
    await add(storage, events=[event() for _ in range(1_100)])
    assert (await anchor.advance(storage)).sequence == 1_101
    assert (await anchor.advance(storage)).sequence == 1_101
    await add(storage, events=[event()])
    result = await verify(storage, anchor)
    assert (result.ok, result.last, result.anchored_through) == (True, 1_102, 1_101)


async def test_it_finds_events_cut_off_and_does_not_go_back(
    storage: Storage, kind: str, anchor: Anchor
) -> None:
    await add(storage, events=[event() for _ in range(5)])
    mark = await anchor.advance(storage)
    await cut_off(storage, kind, 3)
    assert (await verify(storage)).ok
    result = await verify(storage, anchor)
    assert [found.text for found in result.findings] == [
        "Events 4 to 6 are missing: 6 was anchored."
    ]
    with pytest.raises(AnchorError):
        await anchor.advance(storage)
    # Nor when as many others have taken their places.
    await add(storage, events=[event() for _ in range(9)])
    with pytest.raises(AnchorError, match="Event 6 was changed, or those before it were"):
        await anchor.advance(storage)
    assert await anchor.read() == mark
    result = await verify(storage, anchor)
    assert "Event 6 is not the one that was anchored." in [f.text for f in result.findings]


async def test_replacing_it_is_on_record(storage: Storage, kind: str, anchor: Anchor) -> None:
    await add(storage, events=[event() for _ in range(5)])
    mark = await anchor.advance(storage)
    await cut_off(storage, kind, 3)
    await anchor.replace(storage)
    assert (await verify(storage, anchor)).ok
    (last,) = await latest(storage, limit=1)
    assert last.action == "audit.anchor_replaced"
    assert json.loads(last.detail) == {"sequence": mark.sequence, "hash": mark.hash}


async def test_without_its_file_that_is_found(storage: Storage, anchor: Anchor, path: Path) -> None:
    await anchor.advance(storage)
    path.unlink()  # noqa: ASYNC240
    assert [found.text for found in (await verify(storage, anchor)).findings] == [
        "There are events, but no anchor: none was made yet, or it was removed."
    ]
    await anchor.advance(storage)
    assert [row.action for row in await latest(storage)] == ["audit.anchor_begun"] * 2
    assert (await verify(storage, anchor)).ok


async def test_any_change_of_its_file_is_found(
    storage: Storage, anchor: Anchor, path: Path
) -> None:
    await add(storage, events=[event() for _ in range(3)])
    await anchor.advance(storage)
    whole = path.read_text()  # noqa: ASYNC240
    values = json.loads(whole)
    changes = [
        json.dumps({**values, key: other})
        for key, value in values.items()
        for other in (f"{value}0", 1, None)
        if other != value
    ]
    for changed in [*changes, "", "[]", "{}", whole[:-5]]:
        path.write_text(changed)  # noqa: ASYNC240
        with pytest.raises(AnchorError):
            await anchor.read()
        assert not (await verify(storage, anchor)).ok


async def test_it_goes_over_to_a_new_key(storage: Storage, path: Path) -> None:
    lines = [generate_key_line() for _ in range(2)]
    old, both, new = (parse_keyring("\n".join(part)) for part in (lines[1:], lines, lines[:1]))
    await Anchor(path, old).advance(storage)
    with pytest.raises(AnchorError, match="under a key not in the key ring"):
        await Anchor(path, new).read()
    await add(storage, events=[event()])
    mark = await Anchor(path, both).advance(storage)
    assert await Anchor(path, new).read() == mark


async def test_anchored_events_can_be_pruned(storage: Storage, anchor: Anchor) -> None:
    await add(storage, events=[event() for _ in range(5)])
    await anchor.advance(storage)
    later = datetime.now(UTC) + timedelta(days=1)
    await prune(storage, later, later)
    assert (await verify(storage, anchor)).ok
    await anchor.advance(storage)
    assert (await verify(storage, anchor)).ok


async def test_it_is_kept_up_to_date(storage: Storage, anchor: Anchor, path: Path) -> None:
    keeping = asyncio.create_task(keep_anchored(storage, anchor, 0.02))
    try:
        async with asyncio.timeout(10):
            while await anchor.read() is None:
                await asyncio.sleep(0.01)
            whole = path.read_text()  # noqa: ASYNC240
            path.write_text("")  # noqa: ASYNC240
            await asyncio.sleep(0.1)  # which it does not overwrite, nor end for
            path.write_text(whole)  # noqa: ASYNC240
            await add(storage, events=[event()])
            while (mark := await anchor.read()) is None or mark.sequence < 2:
                await asyncio.sleep(0.01)
    finally:
        keeping.cancel()
