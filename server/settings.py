"""The server's settings, and where they come from.

In rising order: the file ``config/holdspace.toml``, environment variables named ``HOLDSPACE_``
and the key in capitals, and flags.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from server.storage.retention import RetentionPeriods
from signaling.messages import MAX_SLOTS, Ciphersuite

DEFAULT_FILE = Path("config/holdspace.toml")
ENVIRONMENT_PREFIX = "HOLDSPACE_"
FILE_VARIABLE = "HOLDSPACE_CONFIG"

SECRET_KEYS = frozenset({"secret", "metrics_token", "database_url", "keyring", "smtp_password"})
"""Not accepted as flags, which anyone on the machine can see."""


class SettingsError(Exception):
    """A setting that the server cannot start with; the text is one sentence for people."""


def _split(value: Any) -> Any:
    """Environment variables and flags give lists as text with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Addresses = Annotated[list[str], NoDecode, BeforeValidator(_split)]


def _period(name: str) -> Any:
    """A period's default, bounds and description are written down once, where it is used."""
    return RetentionPeriods.model_fields[name]


class Settings(BaseSettings):
    """Every setting, checked. Made directly it takes what it is given; see `load_settings`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENVIRONMENT_PREFIX, hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - given by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by name
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - given by name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address to serve pages and signaling on. Keep it on loopback behind a "
        "reverse proxy that adds TLS.",
    )
    port: int = Field(
        8080, ge=0, le=65_535, description="TCP port to serve pages and signaling on; 0 takes any."
    )
    public_url: str | None = Field(
        None,
        description="How people reach this server, such as https://groups.example.org. Links "
        "begin with it, and only its pages may connect.",
    )
    data_dir: Path = Field(
        Path("data"),
        description="Folder for what the server keeps: its database, generated secret and the "
        "audit's anchor.",
    )
    secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="At least 32 characters that sign links. If it is not set, one is made at the "
        "first start and kept in data_dir. Whoever knows it can make links.",
    )
    database_url: SecretStr | None = Field(
        None,
        description="A PostgreSQL database, such as postgresql://holdspace:password@db/holdspace. "
        "If it is not set, an SQLite file in data_dir.",
    )
    keyring_file: Path | None = Field(
        None,
        description="File of the keys that seal names, contacts and notes in the database, made "
        "by `holdspace keys new`. With a public_url the server does not start without one; "
        "without, it makes one in data_dir.",
    )
    keyring: SecretStr | None = Field(
        None, description="The text of such a file, instead of a file."
    )
    smtp_host: str | None = Field(
        None,
        description="Server that sends email. If it is not set, links are shown to pass on.",
    )
    smtp_port: int = Field(587, ge=1, le=65_535, description="Its TCP port.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="How the way there is encrypted: starttls, tls, or none for one on this "
        "machine.",
    )
    smtp_user: str | None = Field(None, description="Name to log in to it with.")
    smtp_password: SecretStr | None = Field(None, description="Password to log in to it with.")
    smtp_from: str | None = Field(
        None, description="Address that emails come from; needed with smtp_host."
    )
    media_bind: Addresses = Field(
        ["0.0.0.0", "::"],
        min_length=1,
        max_length=8,
        description="Addresses to receive and send media on, IPv4 or IPv6.",
    )
    media_port: int = Field(
        40_000,
        ge=0,
        le=65_535,
        description="UDP port for all media; 0 takes any. Open it in the firewall.",
    )
    media_announce: Annotated[list[str] | None, NoDecode, BeforeValidator(_split)] = Field(
        None,
        max_length=8,
        description="Addresses under which browsers reach the media port. If it is not set: "
        "loopback and this machine's own address on its default route. Behind NAT, set the "
        "public address.",
    )
    formats_dir: Path | None = Field(
        None,
        description="Folder of the session formats, a TOML file each. If it is not set: the "
        "formats that come with Holdspace.",
    )
    ciphersuite: Ciphersuite = Field(
        "MLS_256_XWING_AES256GCM_SHA512_Ed25519",
        description="What rooms are end-to-end encrypted with: "
        "MLS_256_XWING_AES256GCM_SHA512_Ed25519, which withstands quantum computers, or "
        "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, which needs less of slow machines.",
    )
    room_capacity: int = Field(
        12, ge=2, le=MAX_SLOTS, description="The most people in one room, 2 to 16."
    )
    max_rooms: int = Field(100, ge=1, le=10_000, description="The most rooms open at a time.")
    max_connections: int = Field(
        1_000, ge=1, le=100_000, description="The most browser pages connected at a time."
    )
    max_connections_per_address: int = Field(
        64,
        ge=1,
        le=100_000,
        description="The most browser pages connected at a time from one address. A reverse proxy "
        "on this machine is looked through by its X-Forwarded-For; set this to max_connections "
        "where one on another machine hides the addresses.",
    )
    link_hours: float = Field(
        12, gt=0, le=24 * 366, description="For how many hours a new link is valid."
    )
    rejoin_grace_s: float = Field(
        20,
        ge=0,
        le=600,
        description="For how many seconds the place of someone whose connection broke is kept.",
    )
    retention_entry_confirmation_hours: int = _period("entry_confirmation_hours")
    retention_login_days: int = _period("login_days")
    retention_link_days: int = _period("link_days")
    retention_absence_days: int = _period("absence_days")
    retention_attendance_days: int = _period("attendance_days")
    retention_guest_days: int = _period("guest_days")
    retention_signature_days: int = _period("signature_days")
    retention_membership_days: int = _period("membership_days")
    retention_contact_days: int = _period("contact_days")
    retention_account_days: int = _period("account_days")
    retention_ban_days: int = _period("ban_days")
    retention_break_glass_days: int = _period("break_glass_days")
    retention_audit_days: int = _period("audit_days")
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Bearer token, of at least 16 characters, with which /metrics can be read. If "
        "it is not set, /metrics can be read from this machine only.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much to log: debug, info, warning or error."
    )

    @property
    def retention(self) -> RetentionPeriods:
        """For how long each kind of data is kept."""
        names = RetentionPeriods.model_fields
        return RetentionPeriods(**{name: getattr(self, f"retention_{name}") for name in names})

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.path not in ("", "/")
            or parts.query
            or parts.fragment
            or parts.username is not None
        ):
            raise ValueError("must be like https://groups.example.org, without a path")
        default_port = {"http": 80, "https": 443}[parts.scheme]
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = "" if parts.port in (None, default_port) else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}"

    @field_validator("media_bind", "media_announce")
    @classmethod
    def _are_addresses(cls, value: list[str] | None) -> list[str] | None:
        for address in value or []:
            try:
                ip_address(address)
            except ValueError:
                raise ValueError(f"has {address!r}, which is not an IP address") from None
        return value


def load_settings(flags: Mapping[str, Any], *, file: Path | None = None) -> Settings:
    """Merge and check the settings from flags, environment and file.

    Args:
        flags: by key, those that were given.
        file: the TOML file; without one, the file that HOLDSPACE_CONFIG names, or else
            ``config/holdspace.toml`` if there is one.

    Raises:
        SettingsError: naming the key and where it came from.
    """
    path = file or Path(os.environ.get(FILE_VARIABLE) or DEFAULT_FILE)
    if not path.exists() and (file is not None or FILE_VARIABLE in os.environ):
        raise SettingsError(f"The settings file {path} does not exist.")
    if path.is_dir():
        raise SettingsError(f"The settings file {path} cannot be read: it is a folder.")
    known = {FILE_VARIABLE, *(ENVIRONMENT_PREFIX + key.upper() for key in Settings.model_fields)}
    for variable in os.environ:
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in known:
            raise SettingsError(f"The environment variable {variable} names no setting.")

    try:
        in_file = TomlConfigSettingsSource(Settings, path)()
        in_environment = EnvSettingsSource(Settings)()
        return Settings(**{**in_file, **in_environment, **flags})
    except ValidationError as error:
        raise _sentence(error, flags, path) from None
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # also if it is not UTF-8
        detail = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8"
        raise SettingsError(f"The settings file {path} is not valid TOML: {detail}.") from None


def _sentence(error: ValidationError, flags: Mapping[str, Any], path: Path) -> SettingsError:
    """The first of the errors, with the key and where its value came from."""
    first = error.errors(include_url=False, include_input=False)[0]
    key = str(first["loc"][0])
    variable = ENVIRONMENT_PREFIX + key.upper()
    if key in flags:
        origin = f"The flag --{key.replace('_', '-')}"
    elif variable in os.environ:
        origin = f"The environment variable {variable}"
    else:
        origin = f"The setting {key} in {path}"
    if first["type"] == "extra_forbidden":
        return SettingsError(f"{origin} does not exist.")
    if key in SECRET_KEYS and first["type"] == "too_short":
        needed = first["ctx"]["min_length"]
        return SettingsError(f"{origin} is wrong: it has fewer than {needed} characters.")
    return SettingsError(f"{origin} is wrong: {first['msg'].removeprefix('Value error, ')}.")
