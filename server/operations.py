"""What the operator does by command on the server's machine, besides running the server.

Each command prints plain sentences and gives the process's exit code: 0 if all is well, 1 if what
was checked is not, 2 if it could not be done.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from server.audit.anchor import FILE_NAME as ANCHOR_FILE
from server.audit.anchor import Anchor, AnchorError
from server.audit.export import export
from server.audit.record import OPERATOR, AuditEvent, record
from server.audit.verify import verify
from server.refusals import Refused
from server.storage.backup import backup, restore
from server.storage.database import Storage, database_location, open_storage
from server.storage.errors import BackupError, KeyRingError, SealError, StorageError
from server.storage.keyring import KeyRing, generate_key_line
from server.storage.reseal import reseal

DONE = 0
NOT_WELL = 1
NOT_DONE = 2

EXPORTED = "audit.exported"


@dataclass(frozen=True)
class Premises:
    """Where what a command works on is.

    Args:
        data_dir: the server's folder.
        database_url: of the database; None for a file in data_dir.
        keyring: opens what is sealed; None where none is set.
        anchor: the audit's anchor file; None for the one in data_dir.
        base_url: how people reach the server, for links.
    """

    data_dir: Path
    database_url: str | None
    keyring: KeyRing | None
    base_url: str
    anchor: Path | None = None

    def keys(self) -> KeyRing:
        """The key ring.

        Raises:
            KeyRingError: if none is set.
        """
        if self.keyring is None:
            raise KeyRingError("There is no key ring; see the settings.")
        return self.keyring

    def location(self) -> URL:
        return database_location(self.database_url, self.data_dir)

    def anchor_of(self, keyring: KeyRing) -> Anchor:
        return Anchor(self.anchor or self.data_dir / ANCHOR_FILE, keyring)

    @asynccontextmanager
    async def storage(self) -> AsyncIterator[Storage]:
        async with open_storage(self.database_url, self.data_dir) as opened:
            yield opened


Invite = Callable[[Storage, datetime], Coroutine[Any, Any, str]]
"""Makes the link's token of the first administrator; `server.accounts.invitations` has it."""


async def create_administrator(
    premises: Premises, invite: Invite, link: Callable[[str, str], str]
) -> int:
    """Print a link with which one person becomes an administrator."""
    async with premises.storage() as storage:
        token = await invite(storage, datetime.now(UTC))
        if premises.keyring is not None:
            anchor = premises.anchor_of(premises.keyring)
            if await anchor.read() is None:  # else it is for the server to move
                await anchor.advance(storage)
    print("Open this link within 24 hours to become an administrator. It works once:")
    print()
    print(f"  {link(premises.base_url, token)}")
    return DONE


async def verify_audit(premises: Premises) -> int:
    """Tell whether anything in the audit was changed, removed or reordered."""
    async with premises.storage() as storage:
        anchor = premises.anchor_of(premises.keys())
        result = await verify(storage, anchor)
    for finding in result.findings:
        print(finding.text)
    if not result.ok:
        print("The audit is not whole. Keep a copy of the database as it is now, as evidence.")
        return NOT_WELL
    if result.events == 0:
        print("The audit is whole: it has no events yet.")
        return DONE
    print(f"The audit is whole: {result.events} events, {result.first} to {result.last}.")
    print(f"Anchored through event {result.anchored_through}. Head: {result.head}")
    return DONE


async def export_audit(premises: Premises, target: Path | None, group_id: str | None) -> int:
    """Write the audit as JSON Lines to a new file, or to standard output; that is put on record."""
    async with premises.storage() as storage:
        async with storage.transaction() as session:
            event = AuditEvent(actor=OPERATOR, action=EXPORTED, subject=group_id, group_id=group_id)
            record(session, event)
        if target is None:
            await _write_lines(storage, group_id, sys.stdout)
            return DONE
        draft = target.with_name(f"{target.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    count = await _write_lines(storage, group_id, file)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, target)  # unlike a rename, it replaces nothing
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            return _not_done(f"The file {target} cannot be written: {error.strerror}.")
    print(f"{count} events written to {target}.")
    return DONE


async def _write_lines(storage: Storage, group_id: str | None, file: TextIO) -> int:
    count = 0
    async for line in export(storage, group_id=group_id):
        file.write(line)
        count += 1
    return count


async def make_backup(premises: Premises, target: Path) -> int:
    """Write all data into one sealed file, also while the server runs."""
    async with premises.storage() as storage:
        summary = await backup(storage, premises.keys(), target, datetime.now(UTC))
    print(f"{sum(summary.rows.values())} rows of {len(summary.rows)} tables are in {target}.")
    print(
        f"It is sealed under the key {premises.keys().current.id}. Keep that key for as long as "
        "this backup, and not beside it."
    )
    return DONE


async def restore_backup(premises: Premises, source: Path) -> int:
    """Fill an empty database from a backup; the server must not run."""
    keyring = premises.keys()
    summary = await restore(premises.location(), keyring, source)
    async with premises.storage() as storage:
        await premises.anchor_of(keyring).replace(storage)
    print(
        f"{sum(summary.rows.values())} rows are restored, as of "
        f"{summary.created:%Y-%m-%d %H:%M} UTC. The server can be started."
    )
    return DONE


def new_key(target: Path | None) -> int:
    """Print a new key, or put it first into a key ring file, so that it becomes the current one."""
    line = generate_key_line()
    if target is None:
        print(line)
        return DONE
    try:
        _put_first(target, line)
    except OSError as error:
        return _not_done(f"The key ring file {target} cannot be written: {error.strerror}.")
    print(f"The key {line.partition(':')[0]} is now the first in {target}.")
    print("Copy the file to a safe place: without it nobody can read what is sealed.")
    print("Restart the server, and then run: holdspace keys reseal")
    return DONE


def _put_first(path: Path, line: str) -> None:
    """Write the key ring anew with one more line; it is there as before, or whole."""
    before = path.read_text("ascii") if path.exists() else ""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{line}\n{before}")
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            owner = path.stat()
            draft.chmod(owner.st_mode & 0o777)
            if os.geteuid() == 0:  # or the server could not read it any more
                os.chown(draft, owner.st_uid, owner.st_gid)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


async def reseal_all(premises: Premises) -> int:
    """Seal everything under the current key, also while the server runs with it."""
    keyring = premises.keys()
    async with premises.storage() as storage:
        result = await reseal(storage, keyring)
    print(f"{result.values} values were sealed anew under the key {keyring.current.id}.")
    if result.unopened:
        print(f"{len(result.unopened)} values could not be opened, and are as they were:")
        for place in result.unopened:
            print(f"  {place.table}.{place.column} of {place.row}")
        return NOT_WELL
    print("Keep the older keys for as long as there are backups under them.")
    return DONE


def carried_out(work: Coroutine[Any, Any, int]) -> int:
    """Run a command to its end; what keeps it from being done is told in a sentence."""
    try:
        return asyncio.run(work)
    except (StorageError, KeyRingError, SealError, BackupError, AnchorError) as error:
        return _not_done(str(error))
    except Refused as refused:
        return _not_done(refused.message)
    except SQLAlchemyError as error:  # its text can hold rows
        return _not_done(f"The database failed ({type(error).__name__}).")


def _not_done(sentence: str) -> int:
    print(f"holdspace: {sentence}", file=sys.stderr)
    return NOT_DONE


def add_commands(
    subparsers: Any,
    *,
    premises: Callable[[Mapping[str, Any]], Premises],
    add_settings: Callable[[argparse.ArgumentParser], None],
    invite: Invite,
    link: Callable[[str, str], str],
) -> None:
    """Add the commands to the command line's.

    Each parser's default ``command`` takes the arguments as a mapping and gives the exit code.

    Args:
        subparsers: what ``ArgumentParser.add_subparsers`` gave.
        premises: makes them from the arguments; may raise SettingsError.
        add_settings: adds the flags that ``premises`` reads.
        invite: makes the token of an administrator's invitation.
        link: makes the link of the public URL and the token.
    """

    def add(
        to: Any, name: str, help_text: str, command: Callable[[Mapping[str, Any]], int]
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = to.add_parser(
            name, help=help_text, description=f"{help_text[0].upper()}{help_text[1:]}."
        )
        parser.set_defaults(command=command)
        add_settings(parser)
        return parser

    def family(name: str, help_text: str) -> Any:
        parser = subparsers.add_parser(name, help=help_text)
        return parser.add_subparsers(required=True, metavar="COMMAND")

    admin = family("admin", "administrators")
    add(
        admin,
        "create",
        "print a link with which one person becomes an administrator",
        lambda given: carried_out(create_administrator(premises(given), invite, link)),
    )

    audit = family("audit", "the record of who did what")
    add(
        audit,
        "verify",
        "find any change or gap in the record",
        lambda given: carried_out(verify_audit(premises(given))),
    )
    parser = add(
        audit,
        "export",
        "write the record as JSON Lines",
        lambda given: carried_out(export_audit(premises(given), given["output"], given["group"])),
    )
    parser.add_argument("--output", type=Path, help="a new file (default: standard output)")
    parser.add_argument("--group", help="only what is about the group with this id")

    parser = add(
        subparsers,
        "backup",
        "write all data into one sealed file, also while the server runs",
        lambda given: carried_out(make_backup(premises(given), given["file"])),
    )
    parser.add_argument("file", type=Path, help="a new file")
    parser = add(
        subparsers,
        "restore",
        "fill an empty database from a backup, while the server does not run",
        lambda given: carried_out(restore_backup(premises(given), given["file"])),
    )
    parser.add_argument("file", type=Path, help="the backup")

    keys = family("keys", "the keys that private data is sealed under")
    parser = keys.add_parser("new", help="make a new key")
    parser.description = "Print a new key, or make it the current one of a key ring file."
    parser.add_argument("--file", type=Path, help="the key ring file; made if it is not there")
    parser.set_defaults(command=lambda given: new_key(given["file"]))
    add(
        keys,
        "reseal",
        "seal everything under the current key, also while the server runs",
        lambda given: carried_out(reseal_all(premises(given))),
    )
