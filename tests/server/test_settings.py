from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from server.secret import server_secret
from server.settings import Settings, SettingsError, load_settings
from server.storage.database import FILE_NAME
from server.storage.retention import RetentionPeriods

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.toml"


def load(file: Path, text: str = "", env: dict[str, str] | None = None, **flags: Any) -> Settings:
    file.write_text(text)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for variable, value in (env or {}).items():
            monkeypatch.setenv(variable, value)
        return load_settings(flags, file=file)


def test_flags_go_before_the_environment_before_the_file(file: Path) -> None:
    text = "port = 1\nroom_capacity = 2\nmax_rooms = 3"
    env = {"HOLDSPACE_PORT": "10", "HOLDSPACE_ROOM_CAPACITY": "9", "OTHER": "x"}
    settings = load(file, text, env, port="100")
    assert (settings.port, settings.room_capacity, settings.max_rooms) == (100, 9, 3)


def test_lists_and_addresses(file: Path) -> None:
    settings = load(file, "", {"HOLDSPACE_MEDIA_BIND": "127.0.0.1, ::1"})
    assert settings.media_bind == ["127.0.0.1", "::1"]
    assert load(file, 'media_announce = ["192.0.2.1"]').media_announce == ["192.0.2.1"]
    assert load(file, 'public_url = "HTTPS://Groups.Example.org:443/"').public_url == (
        "https://groups.example.org"
    )


def test_each_period_of_retention_is_a_setting(file: Path) -> None:
    assert Settings().retention == RetentionPeriods()
    text = "\n".join(f"retention_{name} = 7" for name in RetentionPeriods.model_fields)
    periods = load(
        file, text, {"HOLDSPACE_RETENTION_BAN_DAYS": "8"}, retention_audit_days="9"
    ).retention
    every = dict.fromkeys(RetentionPeriods.model_fields, 7)
    assert periods.model_dump() == {**every, "ban_days": 8, "audit_days": 9}


@pytest.mark.parametrize(
    ("text", "env", "flags", "named"),
    [
        ("port = 70000", {}, {}, "port in .*settings.toml"),
        ('port = "many"', {}, {}, "port in .*settings.toml"),
        ("colour = 1", {}, {}, "colour in .*settings.toml"),
        ("", {"HOLDSPACE_COLOUR": "red"}, {}, "The environment variable HOLDSPACE_COLOUR"),
        (
            "",
            {"HOLDSPACE_ROOM_CAPACITY": "17"},
            {},
            "variable HOLDSPACE_ROOM_CAPACITY",
        ),
        ("", {}, {"room_capacity": "1"}, "The flag --room-capacity"),
        ("", {}, {"media_bind": "localhost"}, "The flag --media-bind"),
        ("", {}, {"media_bind": ""}, "The flag --media-bind"),
        ("", {}, {"public_url": "https://example.org/path"}, "The flag --public-url"),
        ("", {}, {"public_url": "ftp://example.org"}, "The flag --public-url"),
        ("", {}, {"public_url": "https://example.org:port"}, "The flag --public-url"),
        ("", {"HOLDSPACE_SECRET": "short"}, {}, "HOLDSPACE_SECRET"),
        ("", {"HOLDSPACE_LOG_LEVEL": "loud"}, {}, "HOLDSPACE_LOG_LEVEL"),
        ("", {}, {"link_hours": "nan"}, "The flag --link-hours"),
        ("retention_audit_days = 0", {}, {}, "retention_audit_days in .* is wrong: .*equal to 1"),
        ("retention_audit_days = 2.5", {}, {}, "retention_audit_days in .*settings.toml"),
        ("retention_audit_years = 6", {}, {}, "retention_audit_years in .* does not exist"),
        (
            "",
            {"HOLDSPACE_RETENTION_ENTRY_CONFIRMATION_HOURS": "721"},
            {},
            "variable HOLDSPACE_RETENTION_ENTRY_CONFIRMATION_HOURS is wrong: .*equal to 720",
        ),
        ("", {}, {"retention_ban_days": "for ever"}, "The flag --retention-ban-days"),
        ("port = ", {}, {}, "settings.toml is not valid TOML"),
    ],
)
def test_wrong_settings_are_named_in_one_sentence(
    file: Path, text: str, env: dict[str, str], flags: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load(file, text, env, **flags)
    sentence = str(error.value)
    assert re.search(named, sentence)
    assert "\n" not in sentence
    assert "short" not in sentence.replace("shorter", "")


def test_named_file_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings({}, file=tmp_path / "none.toml")
    monkeypatch.setenv("HOLDSPACE_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings({})
    monkeypatch.delenv("HOLDSPACE_CONFIG")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings({}, file=tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# \xff")
    with pytest.raises(SettingsError, match="UTF-8"):
        load_settings({}, file=tmp_path / "latin.toml")
    monkeypatch.chdir(tmp_path)
    assert load_settings({}).model_dump() == Settings().model_dump()


def test_default_file_shows_every_setting_with_its_default() -> None:
    text = (ROOT / "config" / "holdspace.toml").read_text()
    assert tomllib.loads(text) == {}
    shown = tomllib.loads("\n".join(re.findall(r"^# ([a-z_]+ = .*)$", text, re.MULTILINE)))
    assert list(shown) == list(Settings.model_fields)
    examples = Settings.model_validate(shown)
    for key, field in Settings.model_fields.items():
        if field.default is not None:
            assert getattr(examples, key) == field.default, key


def test_readme_describes_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()
    for key, field in Settings.model_fields.items():
        assert re.search(
            rf"^\| `{key}` \| .* \| {re.escape(field.description or '')} \|$", readme, re.MULTILINE
        )


def test_secret_is_made_once_for_its_owner_only(settings: Settings) -> None:
    secret = server_secret(settings)
    assert len(secret) >= 32
    assert server_secret(settings) == secret
    path = settings.data_dir / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {entry.name for entry in settings.data_dir.iterdir()} == {"secret", FILE_NAME}


def test_unusable_secret_file_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("short")
    with pytest.raises(SettingsError, match="data_dir"):
        server_secret(settings)
    (tmp_path / "secret").write_bytes(b"\xff" * 40)
    with pytest.raises(SettingsError, match="data_dir"):
        server_secret(settings)
    blocked = settings.model_copy(update={"data_dir": tmp_path / "secret" / "below"})
    with pytest.raises(SettingsError, match="data_dir"):
        server_secret(blocked)
