"""Whatever is done to the audit's rows behind the server's back, `verify` finds it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from server.audit.chain import hash_of
from server.audit.verify import Verification, verify_within
from server.storage.database import Storage, open_storage
from server.storage.models import AuditRow
from tests.storage.rows import add, event

EVENTS = 6
COLUMNS = [column.name for column in AuditRow.__table__.columns]


class Tampering:
    """A database with some events. What is done to it in `found` is undone afterwards."""

    def __init__(self, storage: Storage, kind: str, runner: asyncio.Runner) -> None:
        self.storage = storage
        self.kind = kind
        self.runner = runner

    def rows(self) -> list[dict[str, Any]]:
        return self.runner.run(self._rows())

    async def _rows(self) -> list[dict[str, Any]]:
        async with self.storage.snapshot() as session:
            table = AuditRow.__table__
            found = await session.execute(select(table).order_by(table.c.sequence))
            return [dict(row) for row in found.mappings()]

    def found(
        self, *statements: tuple[str, dict[str, Any]], mark: tuple[int, str] | None = None
    ) -> list[str] | None:
        """The findings after some SQL; None if the database does not take that."""
        return self.runner.run(self._found(statements, mark))

    async def _found(
        self, statements: tuple[tuple[str, dict[str, Any]], ...], mark: tuple[int, str] | None
    ) -> list[str] | None:
        async with AsyncSession(self.storage.engine) as session:
            await self._disarm(session)
            try:
                for statement, values in statements:
                    await session.execute(text(statement), values)
            except DBAPIError:
                return None
            result = Verification()
            await verify_within(session, result, mark)
            return [finding.text for finding in result.findings]

    async def _disarm(self, session: AsyncSession) -> None:
        """Do what an attacker with all rights would do first."""
        if self.kind == "postgresql":
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            return
        names = await session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        for name in names.all():
            await session.execute(text(f"DROP TRIGGER {name}"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def tampering(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tampering]:
    folder: Path = tmp_path_factory.mktemp("tampering")
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("cluster").new_database("tampering")
    with asyncio.Runner() as runner:
        opened = open_storage(url, folder)
        storage = runner.run(opened.__aenter__())
        for number in range(EVENTS):
            events = [
                event(
                    subject=f"subject{number}" if number % 2 else None,
                    group_id="group" if number % 3 else None,
                    address="203.0.113.5" if number % 2 else None,
                    detail={"n": number, "text": "ü 1"},
                )
            ]
            runner.run(add(storage, events=events))
        yield Tampering(storage, request.param, runner)
        runner.run(opened.__aexit__(None, None, None))


def set_value(sequence: int, column: str, value: Any) -> tuple[str, dict[str, Any]]:
    return (
        f"UPDATE audit_events SET {column} = :value WHERE sequence = :at",
        {"value": value, "at": sequence},
    )


def test_untouched_nothing_is_found(tampering: Tampering) -> None:
    last = tampering.rows()[-1]
    assert tampering.found(mark=(last["sequence"], last["hash"])) == []


@pytest.mark.parametrize("column", COLUMNS)
def test_every_character_counts(tampering: Tampering, column: str) -> None:
    for row in tampering.rows()[1:3]:
        value = row[column]
        if value is None:
            changes: list[Any] = ["", "x"]
        elif isinstance(value, int):
            changes = [-value, value + 100, 0]
        else:
            changes = [
                value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :] for at in range(len(value))
            ]
            changes += [value[:-1], value + " ", "", value.upper() + "x", None]
        for change in changes:
            found = tampering.found(set_value(row["sequence"], column, change))
            assert found != [], f"{column} changed to {change!r}"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_change_of_any_value_is_found(tampering: Tampering, data: st.DataObject) -> None:
    rows = tampering.rows()
    row = data.draw(st.sampled_from(rows))
    column = data.draw(st.sampled_from(COLUMNS))
    if column == "sequence":
        value: Any = data.draw(st.integers(-(2**40), 2**40))
    else:
        others = [other[column] for other in rows if other[column] is not None]
        text_value = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
        value = data.draw(st.none() | text_value | st.sampled_from(others or ["x"]))
    if value == row[column]:
        return
    assert tampering.found(set_value(row["sequence"], column, value)) != []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(1, EVENTS), min_size=1))
def test_any_deletion_is_found(tampering: Tampering, gone: set[int]) -> None:
    statements = [("DELETE FROM audit_events WHERE sequence = :at", {"at": at}) for at in gone]
    assert tampering.found(*statements)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(1, EVENTS + 1)))
def test_any_reordering_is_found(tampering: Tampering, order: list[int]) -> None:
    if order == sorted(order):
        return
    statements = [
        ("UPDATE audit_events SET sequence = sequence + 1000", {}),
        *(
            (
                "UPDATE audit_events SET sequence = :new WHERE sequence = :old",
                {"new": new, "old": old + 1000},
            )
            for new, old in enumerate(order, start=1)
        ),
    ]
    assert tampering.found(*statements)


@pytest.mark.parametrize("kept", range(EVENTS))
def test_events_cut_off_at_the_end_are_found_by_the_anchor(tampering: Tampering, kept: int) -> None:
    rows = tampering.rows()
    cut = ("DELETE FROM audit_events WHERE sequence > :kept", {"kept": kept})
    assert tampering.found(cut)  # as the record of the head still knows of them
    head = rows[kept - 1]["hash"] if kept else "0" * 64
    also = ("UPDATE audit_head SET sequence = :kept, hash = :hash", {"kept": kept, "hash": head})
    assert tampering.found(cut, also) == []  # which is why there is an anchor
    mark = (EVENTS, rows[-1]["hash"])
    assert tampering.found(cut, also, mark=mark) == [
        f"Events {kept + 1} to {EVENTS} are missing: {EVENTS} was anchored."
    ]


def test_a_rewritten_chain_is_found_by_the_anchor(tampering: Tampering) -> None:
    rows = tampering.rows()
    statements: list[tuple[str, dict[str, Any]]] = []
    previous = rows[1]["hash"]
    for values in rows[2:]:
        row = AuditRow(**{**values, "actor": "nobody", "previous_hash": previous})
        row.hash = previous = hash_of(row)
        statements += [
            set_value(row.sequence, column, getattr(row, column))
            for column in ("actor", "previous_hash", "hash")
        ]
    statements.append(("UPDATE audit_head SET hash = :hash", {"hash": previous}))
    assert tampering.found(*statements) == []
    mark = (4, rows[3]["hash"])
    assert tampering.found(*statements, mark=mark) == ["Event 4 is not the one that was anchored."]


def test_an_added_event_is_found(tampering: Tampering) -> None:
    columns = ", ".join(COLUMNS[1:])
    copy = f"INSERT INTO audit_events SELECT 7, {columns} FROM audit_events WHERE sequence = 6"
    assert tampering.found((copy, {}))


def test_a_lost_head_is_found(tampering: Tampering) -> None:
    assert tampering.found(("DELETE FROM audit_head", {}))


@pytest.mark.parametrize("tampering", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", COLUMNS)
def test_what_only_sqlite_can_hold_is_found(tampering: Tampering, column: str) -> None:
    for value in ("x'ff'", "CAST(x'ff' AS TEXT)", "1.5", f"CAST({column} AS BLOB)", "'text'"):
        statement = f"UPDATE audit_events SET {column} = {value} WHERE sequence = 2"
        assert tampering.found((statement, {})) != [], value
