from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from server.audit.anchor import FILE_NAME as ANCHOR_FILE
from server.audit.anchor import Anchor
from server.operations import Premises, add_commands
from server.refusals import Refused
from server.storage.database import FILE_NAME, Storage, open_storage
from server.storage.keyring import KeyRing, load_keyring
from server.storage.models import Account
from server.storage.sealed import Place, open_sealed
from tests.storage import rows


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path)


class Site:
    """A data folder, and the commands for it."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.keys = folder / "keys"
        self.invited = 0
        self.first = True

    @property
    def keyring(self) -> KeyRing:
        return load_keyring(file=self.keys)

    def premises(self, given: Mapping[str, Any]) -> Premises:
        return Premises(
            data_dir=given["data_dir"] or self.data,
            database_url=None,
            keyring=self.keyring if self.keys.exists() else None,
            base_url="https://groups.example.org",
        )

    async def invite(self, storage: Storage, now: datetime) -> str:
        assert now.tzinfo is not None
        assert storage.engine.dialect.name == "sqlite"
        if not self.first:
            raise Refused("has_administrator", "There is an administrator already.", 409)
        return "a-token"

    def run(self, *words: str) -> int:
        parser = argparse.ArgumentParser()
        add_commands(
            parser.add_subparsers(required=True),
            premises=self.premises,
            add_settings=add_settings,
            invite=self.invite,
            link=lambda url, token: f"{url}/invitation#{token}",
        )
        given = vars(parser.parse_args(words))
        code: int = given.pop("command")(given)
        return code

    def fill(self, email: str = "ada@example.org") -> str:
        """One account, and events that are anchored."""

        async def work() -> str:
            async with open_storage(None, self.data) as storage:
                account = rows.account(self.keyring, email)
                await rows.add(storage, account, events=[rows.event(), rows.event()])
                await Anchor(self.data / ANCHOR_FILE, self.keyring).advance(storage)
                return account.id

        return asyncio.run(work())

    def email_of(self, account_id: str, folder: Path | None = None) -> str:
        async def work() -> str:
            async with open_storage(None, folder or self.data) as storage:
                async with storage.snapshot() as session:
                    account = await session.get_one(Account, account_id)
                assert account.email is not None
                place = Place.of(Account.email, account_id)
                return open_sealed(self.keyring, place, account.email)

        return asyncio.run(work())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    assert made.run("keys", "new", "--file", str(made.keys)) == 0
    return made


def test_the_first_administrator_gets_a_link(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.run("admin", "create") == 0
    assert "https://groups.example.org/invitation#a-token" in capsys.readouterr().out
    assert (site.data / ANCHOR_FILE).exists()
    site.first = False
    assert site.run("admin", "create") == 2
    assert capsys.readouterr().err == "holdspace: There is an administrator already.\n"


def test_a_whole_audit_is_told_to_be(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.run("audit", "verify") == 0
    assert "no events yet" in capsys.readouterr().out
    site.fill()
    assert site.run("audit", "verify") == 0
    told = capsys.readouterr().out
    assert "The audit is whole: 3 events, 1 to 3." in told
    assert "Anchored through event 3." in told


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE audit_events SET actor = 'someone-else' WHERE sequence = 2",
        "DELETE FROM audit_events WHERE sequence = 1",
    ],
)
def test_a_changed_audit_is_found(
    site: Site, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    site.fill()
    with closing(sqlite3.connect(site.data / FILE_NAME)) as database, database:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in database.execute(query).fetchall():  # they would not let it happen
            database.execute(f"DROP TRIGGER {name}")
        database.execute(harm)
    assert site.run("audit", "verify") == 1
    assert "The audit is not whole." in capsys.readouterr().out


def test_the_audit_is_exported(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.fill()
    target = tmp_path / "audit.jsonl"
    assert site.run("audit", "export", "--output", str(target)) == 0
    events = [json.loads(line) for line in target.read_text().splitlines()]
    assert [event["action"] for event in events][-1] == "audit.exported"
    assert target.stat().st_mode & 0o777 == 0o600
    assert f"{len(events)} events written" in capsys.readouterr().out
    before = target.read_bytes()
    assert site.run("audit", "export", "--output", str(target)) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert target.read_bytes() == before
    assert not list(tmp_path.glob("audit.jsonl.*"))
    assert site.run("audit", "export", "--group", "nothing") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["group"] == "nothing"


def test_a_backup_can_be_restored_elsewhere(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account = site.fill()
    target, folder = tmp_path / "backup", tmp_path / "elsewhere"
    assert site.run("backup", str(target)) == 0
    assert site.keyring.current.id in capsys.readouterr().out
    assert b"ada@" not in target.read_bytes()
    assert site.run("backup", str(target)) == 2
    assert "is there already" in capsys.readouterr().err
    assert site.run("restore", str(target), "--data-dir", str(folder)) == 0
    assert site.email_of(account, folder) == "ada@example.org"
    assert site.run("audit", "verify", "--data-dir", str(folder)) == 0
    assert site.run("restore", str(target), "--data-dir", str(folder)) == 2
    assert "empty database" in capsys.readouterr().err
    assert site.run("restore", str(tmp_path / "nothing"), "--data-dir", str(tmp_path / "x")) == 2


def test_keys_rotate(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    account = site.fill()
    old = site.keyring.current.id
    assert site.run("keys", "new", "--file", str(site.keys)) == 0
    assert site.keys.stat().st_mode & 0o777 == 0o600
    assert [key.id for key in site.keyring][1] == old
    assert site.run("keys", "reseal") == 0
    assert "2 values were sealed anew" in capsys.readouterr().out
    site.keys.write_text(site.keys.read_text().splitlines()[0])
    assert site.email_of(account) == "ada@example.org"
    assert not list(tmp_path.glob("keys.*"))


def test_what_does_not_open_is_told(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    account = site.fill()
    site.keys.unlink()
    assert site.run("keys", "new", "--file", str(site.keys)) == 0
    assert site.run("keys", "reseal") == 1
    assert f"accounts.email of {account}" in capsys.readouterr().out


def test_a_new_key_is_printed(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert site.run("keys", "new") == 0
    key_id, colon, key = capsys.readouterr().out.strip().partition(":")
    assert key_id
    assert colon
    assert len(key) == 44


def test_without_keys_nothing_sealed_is_done(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.fill()
    site.keys.unlink()
    for words in (["audit", "verify"], ["backup", str(tmp_path / "b")], ["keys", "reseal"]):
        assert site.run(*words) == 2
        assert "There is no key ring" in capsys.readouterr().err
    nowhere = str(tmp_path / "none" / "keys")
    assert site.run("keys", "new", "--file", nowhere) == 2
    assert "cannot be written" in capsys.readouterr().err
